/* One segment log, several threads and processes. */
#include "common/base/seglog.h"

#include "common/base/clock.h"
#include "tests/support/seglog_kit.h"
#include "tests/support/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static mr_kit_reading_t reading;

static void
fill (mr_seglog_t *log, uint64_t from, uint64_t to, size_t bytes)
{
    for (uint64_t i = from; i <= to; i++) {
        mr_kit_append (log, i, bytes);
    }
}

static atomic_bool appending;

static void *
sync_until_done (void *arg)
{
    mr_seglog_t *log = arg;
    uint64_t before = 0;
    while (atomic_load (&appending) || mr_seglog_synced (log) < mr_seglog_end (log)) {
        ck_assert_int_eq (mr_seglog_sync (log, NULL), MR_OK);
        uint64_t synced = mr_seglog_synced (log);
        ck_assert (synced >= before && synced <= mr_seglog_end (log));
        before = synced;
    }
    return NULL;
}

START_TEST (test_another_thread_may_sync_while_frames_are_appended_and_trimmed)
{
    mr_seglog_options_t options = mr_kit_options (mr_test_dir (), NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    pthread_t thread;
    atomic_store (&appending, true);
    ck_assert_int_eq (pthread_create (&thread, NULL, sync_until_done, log), 0);
    for (uint64_t i = 1; i <= 500; i++) {
        mr_kit_append (log, i, 900);
        if (i % 10 == 0) {
            ck_assert_int_eq (mr_seglog_trim (log, mr_seglog_synced (log), 0, NULL, NULL), MR_OK);
        }
    }
    atomic_store (&appending, false);
    ck_assert_int_eq (pthread_join (thread, NULL), 0);
    ck_assert_uint_eq (mr_seglog_synced (log), mr_seglog_end (log));
    mr_seglog_close (&log);
}
END_TEST

/* Reads frames 1 .. last as they come, in another process; exits 0 when all were right. */
static void
read_in_child (const char *dir, uint64_t last)
{
    mr_seglog_reader_options_t options = {.dir = dir};
    mr_seglog_reader_t *reader = NULL;
    uint64_t next = 1;
    int64_t deadline = mr_clock_mono_ns () + 20 * MR_NS_PER_S;
    while (next <= last && mr_clock_mono_ns () < deadline) {
        mr_seglog_frame_t frames[8];
        unsigned count = 0;
        mr_status_t status = reader == NULL
                                 ? mr_seglog_reader_new (&options, &reader, NULL)
                                 : mr_seglog_reader_next (reader, frames, 8, &count, NULL);
        for (unsigned i = 0; i < count; i++) {
            if (frames[i].words[0] != next++ || !mr_kit_good (&frames[i])) {
                _exit (2);
            }
        }
        if (status == MR_AGAIN) {
            usleep (200);
        }
    }
    mr_seglog_reader_stats_t stats = {0};
    if (reader != NULL) {
        mr_seglog_reader_stats (reader, &stats);
    }
    mr_seglog_reader_destroy (&reader);
    _exit (next > last && stats.damaged_ranges == 0 ? 0 : 1);
}

START_TEST (test_a_reader_in_another_process_sees_every_frame_once_while_it_is_written)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    pid_t child = fork ();
    if (child == 0) {
        read_in_child (dir, 3000);
    }
    mr_seglog_t *log = mr_kit_open (&options);
    for (uint64_t i = 1; i <= 3000; i++) {
        mr_kit_append (log, i, (size_t)(i * 37 % 1500));
        if (i % 500 == 0) { /* a writer that comes and goes is nothing to a reader */
            mr_seglog_close (&log);
            log = mr_kit_open (&options);
        }
    }
    mr_seglog_close (&log);
    int status;
    ck_assert_int_eq (waitpid (child, &status, 0), child);
    ck_assert (WIFEXITED (status));
    ck_assert_int_eq (WEXITSTATUS (status), 0);
}
END_TEST

START_TEST (test_a_slow_reader_is_told_what_retention_took)
{
    const char *dir = mr_test_dir ();
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    fill (log, 1, 10, 900);
    mr_kit_read_all (dir, NULL, 0, &reading);
    uint64_t third = reading.positions[2];
    fill (log, 11, 60, 900);
    ck_assert_int_eq (mr_seglog_trim (log, UINT64_MAX, 0, NULL, NULL), MR_OK);
    fill (log, 61, 70, 900); /* into recycled files */
    mr_kit_read_all (dir, NULL, third, &reading);
    ck_assert (reading.last.trimmed);
    ck_assert_uint_eq (reading.last.position, third);
    ck_assert_uint_eq (reading.last.bytes, mr_seglog_first (log) - third);
    ck_assert_uint_eq (reading.damages + reading.bad, 0);
    ck_assert_uint_eq (reading.numbers[reading.count - 1], 70);
    mr_seglog_close (&log);
}
END_TEST

static mr_seglog_t *to_trim; /* when the next segment is about to be opened */

static int
open_what_goes (void *context, int dir, const char *name, int flags)
{
    mr_seglog_t *log = to_trim;
    if (log != NULL && strstr (name, ".seg") != NULL) {
        to_trim = NULL;
        ck_assert_int_eq (mr_seglog_trim (log, UINT64_MAX, 0, NULL, NULL), MR_OK);
    }
    return mr_file_ops_system ()->open (context, dir, name, flags);
}

START_TEST (test_a_segment_that_goes_as_it_is_opened_is_no_end_of_the_log)
{
    const char *dir = mr_test_dir ();
    mr_file_ops_t ops = *mr_file_ops_system ();
    ops.open = open_what_goes;
    mr_seglog_options_t options = mr_kit_options (dir, NULL);
    mr_seglog_t *log = mr_kit_open (&options);
    fill (log, 1, 60, 900);
    mr_kit_read_all (dir, NULL, 0, &reading);
    mr_seglog_reader_options_t reads = {.dir = dir, .position = reading.positions[2], .ops = &ops};
    mr_seglog_reader_t *reader = NULL;
    ck_assert_int_eq (mr_seglog_reader_new (&reads, &reader, NULL), MR_OK);
    to_trim = log;
    mr_seglog_frame_t frame;
    unsigned count = 0;
    ck_assert_int_eq (mr_seglog_reader_next (reader, &frame, 1, &count, NULL), MR_OK);
    ck_assert_ptr_null (to_trim);
    ck_assert_uint_ge (frame.position, mr_seglog_first (log));
    ck_assert (mr_kit_good (&frame));
    mr_seglog_reader_stats_t stats;
    mr_seglog_reader_stats (reader, &stats);
    ck_assert_uint_eq (stats.trimmed_bytes, mr_seglog_first (log) - reading.positions[2]);
    mr_seglog_reader_destroy (&reader);
    mr_seglog_close (&log);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_another_thread_may_sync_while_frames_are_appended_and_trimmed,
        test_a_reader_in_another_process_sees_every_frame_once_while_it_is_written,
        test_a_slow_reader_is_told_what_retention_took,
        test_a_segment_that_goes_as_it_is_opened_is_no_end_of_the_log,
        NULL,
    };
    return mr_suite_run ("seglog_share", tests);
}
