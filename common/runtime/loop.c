#include "common/runtime/loop.h"

#include "common/base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

_Static_assert(MR_LOOP_IN == ZMQ_POLLIN && MR_LOOP_OUT == ZMQ_POLLOUT && MR_LOOP_ERR == ZMQ_POLLERR,
               "events are handed through");

typedef struct watch {
    int id; /* 0: removed, to be swept */
    mr_loop_ready_fn *fn;
    void *arg;
} watch_t;

typedef struct timer {
    int id; /* 0: removed */
    int64_t due_ns;
    int64_t interval_ns; /* 0: once */
    mr_loop_timer_fn *fn;
    void *arg;
} timer_entry_t;

/* items[i] and watches[i] belong together. Removal only marks, so that a handler may remove any
 * entry while both arrays are being walked; the sweep happens before the next poll. */
struct mr_loop {
    zmq_pollitem_t *items;
    watch_t *watches;
    int count;
    int capacity;
    timer_entry_t *timers;
    int timer_count;
    int timer_capacity;
    int next_id;
    bool stale; /* something is marked */
    bool stopped;
};

mr_status_t
mr_loop_new (mr_loop_t **ret_loop)
{
    mr_loop_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    self->next_id = 1;
    *ret_loop = self;
    return MR_OK;
}

void
mr_loop_destroy (mr_loop_t **self_p)
{
    mr_loop_t *self = *self_p;
    if (self != NULL) {
        free (self->items);
        free (self->watches);
        free (self->timers);
        free (self);
        *self_p = NULL;
    }
}

static bool
grow_watches (mr_loop_t *self)
{
    if (self->count < self->capacity) {
        return true;
    }
    int capacity = self->capacity == 0 ? 16 : 2 * self->capacity;
    zmq_pollitem_t *items = realloc (self->items, (size_t)capacity * sizeof *items);
    if (items == NULL) {
        return false;
    }
    self->items = items;
    watch_t *watches = realloc (self->watches, (size_t)capacity * sizeof *watches);
    if (watches == NULL) {
        return false;
    }
    self->watches = watches;
    self->capacity = capacity;
    return true;
}

int
mr_loop_add (mr_loop_t *self, mr_loop_source_t source, short events, mr_loop_ready_fn *fn,
             void *arg)
{
    if (!grow_watches (self)) {
        return 0;
    }
    int i = self->count++;
    self->items[i] = (zmq_pollitem_t){.socket = source.socket, .fd = source.fd, .events = events};
    self->watches[i] = (watch_t){.id = self->next_id++, .fn = fn, .arg = arg};
    return self->watches[i].id;
}

static int
find_watch (const mr_loop_t *self, int id)
{
    for (int i = 0; i < self->count; i++) {
        if (self->watches[i].id == id) {
            return i;
        }
    }
    MR_ASSERT (!"unknown loop id");
    return -1;
}

void
mr_loop_events (mr_loop_t *self, int id, short events)
{
    self->items[find_watch (self, id)].events = events;
}

void
mr_loop_remove (mr_loop_t *self, int id)
{
    int i = find_watch (self, id);
    self->watches[i].id = 0;
    self->stale = true;
}

static int
add_timer (mr_loop_t *self, timer_entry_t timer)
{
    if (self->timer_count == self->timer_capacity) {
        int capacity = self->timer_capacity == 0 ? 8 : 2 * self->timer_capacity;
        timer_entry_t *timers = realloc (self->timers, (size_t)capacity * sizeof *timers);
        if (timers == NULL) {
            return 0;
        }
        self->timers = timers;
        self->timer_capacity = capacity;
    }
    timer.id = self->next_id++;
    self->timers[self->timer_count++] = timer;
    return timer.id;
}

int
mr_loop_timer (mr_loop_t *self, int interval_ms, mr_loop_timer_fn *fn, void *arg)
{
    int64_t interval_ns = interval_ms * MR_NS_PER_MS;
    return add_timer (self, (timer_entry_t){.due_ns = mr_clock_mono_ns () + interval_ns,
                                            .interval_ns = interval_ns,
                                            .fn = fn,
                                            .arg = arg});
}

int
mr_loop_at (mr_loop_t *self, int64_t mono_ns, mr_loop_timer_fn *fn, void *arg)
{
    return add_timer (self, (timer_entry_t){.due_ns = mono_ns, .fn = fn, .arg = arg});
}

void
mr_loop_timer_remove (mr_loop_t *self, int id)
{
    for (int i = 0; i < self->timer_count; i++) {
        if (self->timers[i].id == id) {
            self->timers[i].id = 0;
            self->stale = true;
        }
    }
}

static void
sweep (mr_loop_t *self)
{
    if (!self->stale) {
        return;
    }
    int kept = 0;
    for (int i = 0; i < self->count; i++) {
        if (self->watches[i].id != 0) {
            self->items[kept] = self->items[i];
            self->watches[kept++] = self->watches[i];
        }
    }
    self->count = kept;
    kept = 0;
    for (int i = 0; i < self->timer_count; i++) {
        if (self->timers[i].id != 0) {
            self->timers[kept++] = self->timers[i];
        }
    }
    self->timer_count = kept;
    self->stale = false;
}

/* The wait until the next timer, at most timeout_ms; rounded up, so that no timer is polled for in
 * a busy loop during its last millisecond. */
static long
wait_ms (const mr_loop_t *self, int timeout_ms)
{
    long wait = timeout_ms;
    if (self->timer_count == 0) {
        return wait;
    }
    int64_t now_ns = mr_clock_mono_ns ();
    for (int i = 0; i < self->timer_count; i++) {
        int64_t left_ns = self->timers[i].due_ns - now_ns;
        long left_ms = left_ns <= 0 ? 0 : (long)((left_ns + MR_NS_PER_MS - 1) / MR_NS_PER_MS);
        if (wait < 0 || left_ms < wait) {
            wait = left_ms;
        }
    }
    return wait;
}

static void
run_timers (mr_loop_t *self)
{
    if (self->timer_count == 0) {
        return;
    }
    int64_t now_ns = mr_clock_mono_ns ();
    int count = self->timer_count; /* what handlers add runs next time, after another poll */
    for (int i = 0; i < count; i++) {
        timer_entry_t *timer = &self->timers[i];
        if (timer->id == 0 || timer->due_ns > now_ns) {
            continue;
        }
        mr_loop_timer_fn *fn = timer->fn;
        void *arg = timer->arg;
        if (timer->interval_ns == 0) {
            timer->id = 0;
            self->stale = true;
        } else {
            timer->due_ns += timer->interval_ns;
            if (timer->due_ns <= now_ns) { /* late by more than one: do not catch up in a burst */
                timer->due_ns = now_ns + timer->interval_ns;
            }
        }
        fn (arg, now_ns);
    }
}

mr_status_t
mr_loop_once (mr_loop_t *self, int timeout_ms)
{
    sweep (self);
    int ready = zmq_poll (self->items, self->count, wait_ms (self, timeout_ms));
    if (ready < 0 && errno != EINTR) {
        return MR_SYSTEM;
    }
    int count = self->count; /* what handlers add is polled next time */
    for (int i = 0; ready > 0 && i < count; i++) {
        short revents = self->items[i].revents;
        if (revents != 0) {
            ready--;
            self->items[i].revents = 0;
            if (self->watches[i].id != 0) {
                self->watches[i].fn (self->watches[i].arg, revents);
            }
        }
    }
    run_timers (self);
    return MR_OK;
}

mr_status_t
mr_loop_run (mr_loop_t *self)
{
    mr_status_t status = MR_OK;
    self->stopped = false;
    while (!self->stopped && status == MR_OK) {
        status = mr_loop_once (self, -1);
    }
    return status;
}

void
mr_loop_stop (mr_loop_t *self)
{
    self->stopped = true;
}
