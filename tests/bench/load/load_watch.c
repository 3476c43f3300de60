/* Watching a sink's file grow: from the time at which a record was due to the moment at which its
 * line can be read. All latencies are kept and sorted, so quantiles are exact. */
#include "tests/bench/load/load.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 4 << 20, NAP_MS = 200 };

typedef struct watching {
    const mr_load_options_t *options;
    int fd;
    int notify_fd;
    char *data; /* the last part of a line is carried over to the next read */
    size_t carried;
    int64_t *latencies_ns;
    uint64_t count;
    uint64_t lines;
    uint64_t due_lines;
} watching_t;

static int64_t
now_ns (clockid_t clock)
{
    struct timespec now;
    clock_gettime (clock, &now);
    return now.tv_sec * INT64_C (1000000000) + now.tv_nsec;
}

static uint64_t
survivors (const mr_load_options_t *options)
{
    uint64_t survive = 0;
    for (uint64_t number = 1; number <= options->records; number++) {
        survive += mr_load_event (number).level != 0;
    }
    return survive;
}

static bool
start (watching_t *self)
{
    const char *path = self->options->files[0];
    self->due_lines = survivors (self->options);
    self->data = malloc (READ_BYTES);
    self->latencies_ns = malloc ((self->due_lines + 1) * sizeof *self->latencies_ns);
    self->fd = open (path, O_RDONLY | O_CREAT | O_CLOEXEC, 0640);
    self->notify_fd = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
    if (self->data == NULL || self->latencies_ns == NULL || self->fd < 0 || self->notify_fd < 0 ||
        inotify_add_watch (self->notify_fd, path, IN_MODIFY) < 0) {
        perror (path);
        return false;
    }
    return true;
}

static void
stop (watching_t *self)
{
    if (self->fd >= 0) {
        close (self->fd);
    }
    if (self->notify_fd >= 0) {
        close (self->notify_fd);
    }
    free (self->data);
    free (self->latencies_ns);
}

static void
take_line (watching_t *self, const char *line, size_t bytes, int64_t seen_ns)
{
    uint64_t number;
    int64_t ts_ns;
    if (self->lines == self->due_lines || !mr_load_read (line, bytes, &number, &ts_ns)) {
        return;
    }
    self->lines++;
    if (number > self->options->skip) {
        self->latencies_ns[self->count++] = seen_ns - ts_ns;
    }
}

/* false: nothing new. */
static bool
take (watching_t *self)
{
    ssize_t got = read (self->fd, self->data + self->carried, READ_BYTES - self->carried);
    if (got <= 0) {
        return false;
    }
    int64_t seen_ns = now_ns (CLOCK_REALTIME);
    size_t bytes = self->carried + (size_t)got;
    size_t at = 0;
    const char *end;
    while ((end = memchr (self->data + at, '\n', bytes - at)) != NULL) {
        size_t length = (size_t)(end - (self->data + at)) + 1;
        take_line (self, self->data + at, length, seen_ns);
        at += length;
    }
    self->carried = bytes - at;
    memmove (self->data, self->data + at, self->carried);
    return true;
}

static void
wait_for_more (watching_t *self)
{
    char events[4096];
    struct pollfd item = {.fd = self->notify_fd, .events = POLLIN};
    if (poll (&item, 1, NAP_MS) == 1) {
        while (read (self->notify_fd, events, sizeof events) > 0) {
        }
    }
}

static int
compare (const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Nearest rank, in ms. */
static double
quantile (const watching_t *self, double share)
{
    if (self->count == 0) {
        return 0;
    }
    uint64_t rank = (uint64_t)(share * (double)self->count);
    rank = rank < self->count ? rank : self->count - 1;
    return (double)self->latencies_ns[rank] / 1e6;
}

/* The whole distribution in few numbers: each step halves what is still above. */
static void
print_curve (const watching_t *self)
{
    printf (",\"curve\":[");
    for (uint64_t parts = 1; parts < self->count; parts *= 2) {
        double share = 1 - 1 / (double)parts;
        printf ("[%.9f,%.3f],", share, quantile (self, share));
    }
    printf ("[1,%.3f]", quantile (self, 1));
    printf ("]");
}

int
mr_load_watch (const mr_load_options_t *options)
{
    watching_t self = {.options = options, .fd = -1, .notify_fd = -1};
    if (!start (&self)) {
        stop (&self);
        return 1;
    }
    puts ("ready");
    fflush (stdout);
    int64_t end_ns = now_ns (CLOCK_MONOTONIC) + options->timeout_s * INT64_C (1000000000);
    while (self.lines < self.due_lines && now_ns (CLOCK_MONOTONIC) < end_ns) {
        if (!take (&self)) {
            wait_for_more (&self);
        }
    }
    qsort (self.latencies_ns, self.count, sizeof *self.latencies_ns, compare);
    printf ("{\"lines\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"count\":%" PRIu64
            ",\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f",
            self.lines, self.due_lines - self.lines, self.count, quantile (&self, 0.5),
            quantile (&self, 0.99), quantile (&self, 0.999), quantile (&self, 1));
    print_curve (&self);
    printf ("}\n");
    stop (&self);
    return self.lines == self.due_lines ? 0 : 1;
}
