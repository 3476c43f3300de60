#include "launcher/chaos/tail.h"

#include "common/base/clock.h"
#include "launcher/chaos/record.h"
#include "launcher/chaos/scratch.h"
#include "launcher/lines.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_NS = 500000 };

struct mr_tail {
    const char *folder;
    mr_lines_t *files[MR_CHAOS_SLOTS];
    mr_quantiles_t durations;
    pthread_t thread;
    bool running;
    atomic_bool ending;
};

/* All whole lines that are there. Returns how many. */
static uint64_t
read_lines (mr_tail_t *self, mr_lines_t *lines)
{
    const char *line;
    size_t bytes;
    uint64_t count = 0;
    while (mr_lines_next (lines, &line, &bytes, NULL) == MR_OK) {
        uint64_t made_ns = mr_chaos_record_made_ns (line, bytes);
        uint64_t now_ns = (uint64_t)mr_clock_mono_ns ();
        if (made_ns > 0 && made_ns <= now_ns) {
            mr_quantiles_add (&self->durations, now_ns - made_ns);
        }
        count++;
    }
    return count;
}

static uint64_t
read_all (mr_tail_t *self)
{
    uint64_t count = 0;
    for (int slot = 0; slot < MR_CHAOS_SLOTS; slot++) {
        char path[PATH_MAX];
        mr_scratch_sink (self->folder, slot, path);
        if (self->files[slot] == NULL && access (path, F_OK) == 0) {
            (void)!mr_lines_open (path, true, &self->files[slot], NULL);
        }
        if (self->files[slot] != NULL) {
            count += read_lines (self, self->files[slot]);
        }
    }
    return count;
}

static void *
run (void *arg)
{
    mr_tail_t *self = arg;
    bool ending = false;
    while (!ending) {
        ending = self->ending; /* before the last look */
        if (read_all (self) == 0) {
            nanosleep (&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        }
    }
    return NULL;
}

mr_status_t
mr_tail_start (const char *folder, mr_tail_t **ret_tail, mr_error_t *err)
{
    mr_tail_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "cannot watch the sink");
    }
    self->folder = folder;
    int reason = pthread_create (&self->thread, NULL, run, self);
    if (reason != 0) {
        free (self);
        errno = reason;
        return mr_error_errno (err, "cannot watch the sink");
    }
    self->running = true;
    *ret_tail = self;
    return MR_OK;
}

const mr_quantiles_t *
mr_tail_stop (mr_tail_t *self)
{
    if (self->running) {
        self->ending = true;
        pthread_join (self->thread, NULL);
        self->running = false;
    }
    return &self->durations;
}

void
mr_tail_destroy (mr_tail_t **self_p)
{
    mr_tail_t *self = *self_p;
    if (self != NULL) {
        (void)mr_tail_stop (self);
        for (int slot = 0; slot < MR_CHAOS_SLOTS; slot++) {
            mr_lines_close (&self->files[slot]);
        }
        free (self);
        *self_p = NULL;
    }
}
