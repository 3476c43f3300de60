#include "stages/exporter/pump_private.h"

#include "common/base/clock.h"
#include "common/base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RETRY_FIRST_MS = 100, RETRY_LAST_MS = 5000 };

void
mr_pump_push_event (mr_pump_t *self, const mr_pump_event_t *event)
{
    pthread_mutex_lock (&self->lock);
    bool first = self->event_count == 0;
    if (self->event_count < MR_PUMP_EVENTS_MAX) {
        self->events[self->event_count++] = *event;
    } else if (!event->failed) { /* the exporter is busy: what it has not heard adds up */
        self->events[MR_PUMP_EVENTS_MAX - 1].count += event->failed ? 0 : event->count;
        self->events[MR_PUMP_EVENTS_MAX - 1].ms += event->ms;
    }
    pthread_mutex_unlock (&self->lock);
    if (first) {
        uint64_t one = 1;
        (void)!write (self->options.event_fd, &one, sizeof one);
    }
}

void
mr_pump_show (mr_pump_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->shown = self->state;
    pthread_mutex_unlock (&self->lock);
    atomic_store (&self->position, self->state.position);
}

void
mr_pump_wait (mr_pump_t *self, int timeout_ms)
{
    struct timespec until;
    clock_gettime (CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + timeout_ms * MR_NS_PER_MS;
    until.tv_sec += ns / MR_NS_PER_S;
    until.tv_nsec = ns % MR_NS_PER_S;
    pthread_mutex_lock (&self->lock);
    int result = 0;
    while (!atomic_load (&self->awake) && result == 0) {
        result = pthread_cond_timedwait (&self->cond, &self->lock, &until);
    }
    pthread_mutex_unlock (&self->lock);
}

void
mr_pump_fail (mr_pump_t *self, const char *text)
{
    if (atomic_load (&self->stop)) {
        return;
    }
    bool news = !atomic_load (&self->failing);
    pthread_mutex_lock (&self->lock);
    news = news || strncmp (self->failure, text, sizeof self->failure - 1) != 0;
    snprintf (self->failure, sizeof self->failure, "%.255s", text);
    pthread_mutex_unlock (&self->lock);
    atomic_store (&self->failing, true);
    if (news) {
        mr_log_error ("sink %s: %s; trying again until it works", self->name, text);
    }
    mr_pump_event_t event = {.failed = true, .latency = -1};
    snprintf (event.text, sizeof event.text, "%.255s", text);
    mr_pump_push_event (self, &event);
    self->retry_ms = self->retry_ms == 0 ? RETRY_FIRST_MS : self->retry_ms * 2;
    self->retry_ms = self->retry_ms < RETRY_LAST_MS ? self->retry_ms : RETRY_LAST_MS;
    int64_t until_ns = mr_clock_mono_ns () + self->retry_ms * MR_NS_PER_MS;
    int64_t left_ns;
    while (!atomic_load (&self->stop) && atomic_load (&self->drop_below) <= self->state.position &&
           (left_ns = until_ns - mr_clock_mono_ns ()) > 0) {
        atomic_store (&self->awake, false);
        if (!atomic_load (&self->stop)) {
            mr_pump_wait (self, (int)(left_ns / MR_NS_PER_MS) + 1);
        }
    }
}

void
mr_pump_recover (mr_pump_t *self)
{
    if (atomic_exchange (&self->failing, false)) {
        mr_log_info ("sink %s: works again", self->name);
        pthread_mutex_lock (&self->lock);
        self->failure[0] = '\0';
        pthread_mutex_unlock (&self->lock);
    }
    self->retry_ms = 0;
}

void
mr_pump_notify (mr_pump_t *self)
{
    if (!atomic_exchange (&self->awake, true)) {
        pthread_mutex_lock (&self->lock);
        pthread_cond_signal (&self->cond);
        pthread_mutex_unlock (&self->lock);
    }
}

void
mr_pump_status (mr_pump_t *self, mr_pump_status_t *ret_status)
{
    pthread_mutex_lock (&self->lock);
    ret_status->cursor = self->shown;
    ret_status->damaged_bytes = self->damaged_bytes;
    ret_status->failing = atomic_load (&self->failing);
    memcpy (ret_status->failure, self->failure, sizeof ret_status->failure);
    pthread_mutex_unlock (&self->lock);
}

uint64_t
mr_pump_position (const mr_pump_t *self)
{
    return atomic_load (&self->position);
}

uint64_t
mr_pump_kept (const mr_pump_t *self)
{
    return atomic_load (self->options.fsync ? &self->synced : &self->position);
}

bool
mr_pump_failing (const mr_pump_t *self)
{
    return atomic_load (&self->failing);
}

void
mr_pump_take_events (mr_pump_t *self, mr_pump_event_fn *fn, void *arg)
{
    mr_pump_event_t events[MR_PUMP_EVENTS_MAX];
    pthread_mutex_lock (&self->lock);
    unsigned count = self->event_count;
    memcpy (events, self->events, count * sizeof *events);
    self->event_count = 0;
    pthread_mutex_unlock (&self->lock);
    for (unsigned i = 0; i < count; i++) {
        fn (arg, self, &events[i]);
    }
}
