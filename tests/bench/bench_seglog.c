/* bench_seglog DIR [MEGABYTES]: what an append of one full batch costs, in a directory of the disk
 * in question. CPU microseconds of this process for each append of 57 KiB: into new files, and into
 * recycled ones, for three segment sizes; then batches a second with one fdatasync for 1, 8 and 64
 * of them, and the disk's own median fdatasync. */
#include "common/base/clock.h"
#include "common/base/seglog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BATCH_BYTES = 57 << 10, SYNCS = 200 };

static char payload[BATCH_BYTES];

static double
cpu_us (void)
{
    struct rusage usage;
    getrusage (RUSAGE_SELF, &usage);
    return 1e6 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void
need (mr_status_t status, const mr_error_t *err)
{
    if (status != MR_OK) {
        fprintf (stderr, "bench_seglog: %s\n", err->text);
        exit (MR_EXIT_FAILED);
    }
}

static void
append (mr_seglog_t *log, uint64_t number)
{
    mr_error_t err = {.text = ""};
    uint64_t position;
    struct iovec iov = {payload, sizeof payload};
    const mr_seglog_entry_t entry = {
        .type = MR_SEGLOG_DATA, .words = {1, number}, .iov = &iov, .iov_count = 1};
    memcpy (payload + number * 8 % sizeof payload / 8 * 8, &number, sizeof number);
    need (mr_seglog_append (log, &entry, &position, &err), &err);
}

static char path[4096]; /* of the log in use */

static void
remove_file (void *arg, const char *name)
{
    const int *dir = arg;
    if (name[0] != '.') {
        unlinkat (*dir, name, 0);
    }
}

static void
close_log (mr_seglog_t *log)
{
    mr_seglog_close (&log);
    const mr_file_ops_t *ops = mr_file_ops_system ();
    int dir = ops->open_dir (ops->context, path, false);
    if (dir >= 0) {
        ops->list (ops->context, dir, remove_file, &dir);
        ops->close (ops->context, dir);
        rmdir (path);
    }
}

static mr_seglog_t *
open_log (const char *dir, const char *name, uint64_t segment_bytes)
{
    snprintf (path, sizeof path, "%s/%s-%d", dir, name, (int)getpid ());
    const mr_seglog_options_t options = {
        .dir = path,
        .kind = 1,
        .segment_bytes = segment_bytes,
        .max_payload_bytes = 1 << 20,
        .pool_segments = 4,
        .keep_frames = 16,
        .index_frames = 256,
        .index_word = 1,
    };
    mr_seglog_t *log = NULL;
    mr_error_t err = {.text = ""};
    need (mr_seglog_open (&options, &log, &err), &err);
    return log;
}

/* Appends with a reader two megabytes behind; trims if `recycle`. */
static double
cost_of_append (const char *dir, uint64_t segment_bytes, uint64_t total, bool recycle)
{
    char name[64];
    snprintf (name, sizeof name, "bench-%llu-%d", (unsigned long long)segment_bytes, recycle);
    mr_seglog_t *log = open_log (dir, name, segment_bytes);
    uint64_t warm_up = recycle ? 4 * segment_bytes / BATCH_BYTES : 0;
    uint64_t appends = total / BATCH_BYTES;
    double began = 0;
    for (uint64_t i = 0; i < warm_up + appends; i++) {
        began = i == warm_up ? cpu_us () : began;
        append (log, i + 1);
        uint64_t end = mr_seglog_end (log);
        if (recycle && i % 16 == 0 && end > 2 << 20) {
            mr_error_t err;
            need (mr_seglog_trim (log, end - (2 << 20), 0, NULL, &err), &err);
        }
    }
    double cost = (cpu_us () - began) / (double)appends;
    close_log (log);
    return cost;
}

static int
compare (const void *a, const void *b)
{
    const int64_t *left = a;
    const int64_t *right = b;
    return *left < *right ? -1 : *left > *right;
}

static void
cost_of_sync (const char *dir, unsigned group)
{
    char name[64];
    snprintf (name, sizeof name, "bench-sync-%u", group);
    mr_seglog_t *log = open_log (dir, name, 16 << 20);
    static int64_t waits[SYNCS];
    int64_t began = 0;
    uint64_t number = 0;
    /* The first third makes the files that the rest recycles. */
    for (int i = -SYNCS / 2; i < SYNCS; i++) {
        began = i == 0 ? mr_clock_mono_ns () : began;
        for (unsigned j = 0; j < group; j++) {
            append (log, ++number);
        }
        int64_t at = mr_clock_mono_ns ();
        mr_error_t err = {.text = ""};
        need (mr_seglog_sync (log, &err), &err);
        waits[i < 0 ? 0 : i] = mr_clock_mono_ns () - at;
        need (mr_seglog_trim (log, mr_seglog_end (log), 0, NULL, &err), &err);
    }
    double seconds = (double)(mr_clock_mono_ns () - began) / (double)MR_NS_PER_S;
    qsort (waits, SYNCS, sizeof *waits, compare);
    printf ("group %2u: %8.0f batches/s %8.1f MB/s, sync p50 %6.2f ms p99 %6.2f ms\n", group,
            SYNCS * group / seconds, SYNCS * group / seconds * BATCH_BYTES / 1e6,
            (double)waits[SYNCS / 2] / 1e6, (double)waits[SYNCS * 99 / 100] / 1e6);
    close_log (log);
}

int
main (int argc, char **argv)
{
    if (argc < 2) {
        fprintf (stderr, "usage: bench_seglog DIR [MEGABYTES]\n");
        return MR_EXIT_USAGE;
    }
    uint64_t total = (argc > 2 ? strtoull (argv[2], NULL, 10) : 512) << 20;
    static const uint64_t sizes[] = {8 << 20, 16 << 20, 64 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        double fresh = cost_of_append (argv[1], sizes[i], total, false);
        double recycled = cost_of_append (argv[1], sizes[i], total, true);
        printf ("segments of %2d MiB: append of 57 KiB: new files %5.1f us, recycled %5.1f us\n",
                (int)(sizes[i] >> 20), fresh, recycled);
    }
    cost_of_sync (argv[1], 1);
    cost_of_sync (argv[1], 8);
    cost_of_sync (argv[1], 64);
    return MR_EXIT_OK;
}
