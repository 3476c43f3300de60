#include "stages/ingest/syncer.h"

#include "common/base/clock.h"
#include "common/base/log.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { RETRY_MS = 200 };

struct mr_syncer {
    mr_loop_t *loop;
    mr_journal_t *journal;
    void (*synced) (void *arg);
    void *arg;
    int event_fd;
    int loop_id;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock; /* guards what is below */
    pthread_cond_t changed;
    bool wanted;
    bool stopping;
    char failure[256];
};

static void
on_event (void *arg, short revents)
{
    (void)revents;
    mr_syncer_t *self = arg;
    uint64_t count;
    (void)!read (self->event_fd, &count, sizeof count);
    self->synced (self->arg);
}

/* Wait for work. false: the end. */
static bool
wait_for_work (mr_syncer_t *self)
{
    pthread_mutex_lock (&self->lock);
    while (!self->wanted && !self->stopping) {
        pthread_cond_wait (&self->changed, &self->lock);
    }
    bool go_on = !self->stopping;
    self->wanted = false;
    pthread_mutex_unlock (&self->lock);
    return go_on;
}

static void
note (mr_syncer_t *self, const char *failure)
{
    pthread_mutex_lock (&self->lock);
    snprintf (self->failure, sizeof self->failure, "%.255s", failure);
    pthread_mutex_unlock (&self->lock);
}

void
mr_syncer_failure (mr_syncer_t *self, char *ret_text)
{
    pthread_mutex_lock (&self->lock);
    memcpy (ret_text, self->failure, sizeof self->failure);
    pthread_mutex_unlock (&self->lock);
}

static void *
run (void *arg)
{
    mr_syncer_t *self = arg;
    bool failing = false;
    while (wait_for_work (self)) {
        mr_error_t err;
        if (mr_journal_sync (self->journal, &err) == MR_OK) {
            uint64_t one = 1;
            (void)!write (self->event_fd, &one, sizeof one);
            note (self, "");
            if (failing) {
                mr_log_info ("the journal's disk works again");
            }
            failing = false;
            continue;
        }
        if (!failing) {
            mr_log_error ("journal full, producers wait: %s", err.text);
        }
        note (self, err.text);
        failing = true;
        nanosleep (&(struct timespec){.tv_nsec = RETRY_MS * MR_NS_PER_MS}, NULL);
        mr_syncer_wake (self);
    }
    return NULL;
}

mr_status_t
mr_syncer_new (mr_loop_t *loop, mr_journal_t *journal, void (*synced) (void *arg), void *arg,
               mr_syncer_t **ret_syncer)
{
    mr_syncer_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    self->loop = loop;
    self->journal = journal;
    self->synced = synced;
    self->arg = arg;
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->changed, NULL);
    self->event_fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->event_fd >= 0) {
        self->loop_id = mr_loop_add (loop, mr_loop_fd (self->event_fd), ZMQ_POLLIN, on_event, self);
        self->started = pthread_create (&self->thread, NULL, run, self) == 0;
    }
    if (!self->started) {
        mr_syncer_destroy (&self);
        return MR_SYSTEM;
    }
    *ret_syncer = self;
    return MR_OK;
}

void
mr_syncer_wake (mr_syncer_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->wanted = true;
    pthread_cond_signal (&self->changed);
    pthread_mutex_unlock (&self->lock);
}

void
mr_syncer_destroy (mr_syncer_t **self_p)
{
    mr_syncer_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    if (self->started) {
        pthread_mutex_lock (&self->lock);
        self->stopping = true;
        pthread_cond_signal (&self->changed);
        pthread_mutex_unlock (&self->lock);
        pthread_join (self->thread, NULL);
    }
    if (self->loop_id != 0) {
        mr_loop_remove (self->loop, self->loop_id);
    }
    if (self->event_fd >= 0) {
        close (self->event_fd);
    }
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}
