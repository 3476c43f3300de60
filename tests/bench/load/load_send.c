/* Sending. As fast as it goes: all records are made before `ready`, so that only sending is timed.
 * Paced: each record is made when it is due and stamped with the time at which it was *due*, so
 * that a stall shows in the latency of everything that had to wait. */
#include "tests/bench/load/load.h"
#include "tests/bench/load/load_channel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define NS_PER_S INT64_C (1000000000)

enum { PACED_MOST = 4096 /* records at once when a paced run is behind */ };

static int64_t
wall_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static double
cpu_s (void)
{
    struct rusage usage;
    getrusage (RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void
sleep_until (int64_t ns)
{
    struct timespec until = {.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
    (void)clock_nanosleep (CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL);
}

static char *
make_all (const mr_load_options_t *options)
{
    char *data = malloc (options->records * (options->bytes + 1));
    char *to = data;
    for (uint64_t i = 0; data != NULL && i < options->records; i++) {
        uint64_t number = options->first + i;
        to += mr_load_record (number, options->bytes, mr_load_fixed_ts (number), to);
    }
    return data;
}

static bool
send_all (const mr_load_options_t *options, mr_load_channel_t *channel, const char *data)
{
    uint64_t step = strcmp (options->mode, "push") == 0 ? 1 : options->chunk;
    uint64_t sent = 0;
    while (sent < options->records) {
        uint64_t count = options->records - sent < step ? options->records - sent : step;
        mr_load_piece_t piece = {
            .lines = data + sent * (options->bytes + 1),
            .count = (unsigned)count,
            .record_bytes = options->bytes,
            .last = sent + count,
        };
        /* It may come out behind: an acknowledged producer is told to go back. */
        if (!mr_load_channel_send (channel, &piece, &sent)) {
            return false;
        }
        if (sent == options->records && !mr_load_channel_flush (channel, &sent)) {
            return false;
        }
    }
    return true;
}

static int64_t
due_ns (const mr_load_options_t *options, int64_t start_ns, uint64_t number)
{
    return start_ns + (int64_t)((double)(number - 1) * 1e9 / options->rate);
}

static bool
send_paced (const mr_load_options_t *options, mr_load_channel_t *channel, char *buffer)
{
    uint64_t most = strcmp (options->mode, "push") == 0 ? 1 : PACED_MOST;
    int64_t start_ns = wall_ns ();
    for (uint64_t number = 1; number <= options->records;) {
        int64_t now_ns = wall_ns ();
        if (due_ns (options, start_ns, number) > now_ns) {
            sleep_until (due_ns (options, start_ns, number));
            continue;
        }
        char *to = buffer;
        unsigned count = 0;
        while (count < most && number <= options->records &&
               due_ns (options, start_ns, number) <= now_ns) {
            to += mr_load_record (number, options->bytes, due_ns (options, start_ns, number), to);
            number++;
            count++;
        }
        mr_load_piece_t piece = {.lines = buffer,
                                 .count = count,
                                 .record_bytes = options->bytes,
                                 .last = number - 1,
                                 .copy = true};
        uint64_t sent = 0;
        if (!mr_load_channel_send (channel, &piece, &sent) || sent != piece.last) {
            return false;
        }
    }
    uint64_t sent = options->records;
    return mr_load_channel_flush (channel, &sent) && sent == options->records;
}

static void
wait_for_line (void)
{
    int c = getchar ();
    while (c != '\n' && c != EOF) {
        c = getchar ();
    }
}

int
mr_load_send (const mr_load_options_t *options)
{
    bool paced = options->rate > 0;
    char *data = paced ? malloc (PACED_MOST * (options->bytes + 1)) : make_all (options);
    mr_load_channel_t *channel = data != NULL ? mr_load_channel_open (options) : NULL;
    if (channel == NULL) {
        fprintf (stderr, "load: cannot send to %s\n", options->to);
        free (data);
        return 1;
    }
    puts ("ready");
    fflush (stdout);
    wait_for_line ();
    double began_cpu_s = cpu_s ();
    int64_t began_ns = wall_ns ();
    bool sent = paced ? send_paced (options, channel, data) : send_all (options, channel, data);
    printf ("{\"sent\":%s,\"start_ns\":%" PRId64 ",\"end_ns\":%" PRId64 ",\"cpu_s\":%.3f}\n",
            sent ? "true" : "false", began_ns, wall_ns (), cpu_s () - began_cpu_s);
    fflush (stdout);
    wait_for_line (); /* what is in the kernel's buffers must not be cut by our end */
    mr_load_channel_close (&channel);
    free (data);
    return sent ? 0 : 1;
}
