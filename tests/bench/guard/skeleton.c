/* The calls of common/runtime/stage.h that the stages use, in place of the skeleton's own: a call
 * that a stage begins to use is added here. */
#include "tests/bench/guard/skeleton.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

struct mr_stage {
    const mr_stage_ops_t *ops;
    void *state;
    mr_stage_callbacks_t callbacks;
    mr_config_t *config;
    mr_loop_t *loop;
    void *zmq;
    char worker[32];
    _Atomic uint64_t crumb;
    const void *frame; /* being handled */
    size_t bytes;
    mr_batch_t received;
    mr_guard_frames_t *sent;
};

static void
stop (const char *what)
{
    fprintf (stderr, "guard: %s\n", what);
    exit (EXIT_FAILURE);
}

static void *
put (mr_guard_frames_t *frames, size_t bytes)
{
    if (frames->count == MR_GUARD_FRAMES) {
        stop ("more batches than were reckoned with");
    }
    void *data = malloc (bytes);
    if (data == NULL) {
        stop ("no memory");
    }
    frames->data[frames->count] = data;
    frames->bytes[frames->count] = bytes;
    frames->count++;
    return data;
}

void
mr_guard_frames_release (mr_guard_frames_t *self)
{
    for (int i = 0; i < self->count; i++) {
        free (self->data[i]);
    }
    self->count = 0;
}

/* ---- what the skeleton does with a batch: see common/runtime/stage_flow.c ---- */

static void
on_handled (mr_stage_t *self, const mr_batch_t *batch)
{
    if (self->sent == NULL) {
        return;
    }
    if (mr_batch_same (batch, &self->received)) {
        memcpy (put (self->sent, self->bytes), self->frame, self->bytes);
        return;
    }
    size_t bytes = mr_batch_encoded_bytes (batch);
    mr_batch_encode (batch, put (self->sent, bytes));
}

static void
on_kept (mr_stage_t *self, const mr_batch_t *batch)
{
    fprintf (stderr, "guard: %s does not take batch %llu\n", self->worker,
             (unsigned long long)batch->seq);
    exit (EXIT_FAILURE);
}

static void
on_success (mr_stage_t *self, const char *operation, double duration_ms, uint64_t count)
{
    (void)self;
    (void)operation;
    (void)duration_ms;
    (void)count;
}

static void
on_error (mr_stage_t *self, const char *operation, const mr_failure_t *failure)
{
    fprintf (stderr, "guard: %s: %s: %s %s\n", self->worker, operation, failure->error_type,
             failure->message);
    exit (EXIT_FAILURE);
}

mr_stage_t *
mr_guard_stage_new (const char *name, const mr_stage_ops_t *ops, mr_config_t *config,
                    mr_guard_frames_t *ret_sent)
{
    mr_stage_t *self = calloc (1, sizeof *self);
    mr_error_t err = {.text = ""};
    if (self == NULL) {
        stop ("no memory");
        return NULL;
    }
    self->ops = ops;
    self->config = config;
    self->sent = ret_sent;
    self->zmq = zmq_ctx_new ();
    self->callbacks = (mr_stage_callbacks_t){
        .stage = self,
        .on_handled = on_handled,
        .on_taken = on_kept,
        .on_refused = on_kept,
        .on_later = on_kept,
        .on_success = on_success,
        .on_error = on_error,
    };
    snprintf (self->worker, sizeof self->worker, "%s.0", name);
    if (mr_loop_new (&self->loop) != MR_OK) {
        stop ("no memory");
    }
    if (ops != NULL && ops->create (self, &self->state, &err) != MR_OK) {
        stop (err.text);
    }
    return self;
}

void
mr_guard_stage_destroy (mr_stage_t **self_p)
{
    mr_stage_t *self = *self_p;
    if (self->ops != NULL) {
        self->ops->destroy (&self->state);
    }
    mr_loop_destroy (&self->loop);
    zmq_ctx_term (self->zmq);
    free (self);
    *self_p = NULL;
}

void
mr_guard_stage_take (mr_stage_t *self, const void *frame, size_t bytes)
{
    mr_error_t err;
    self->frame = frame;
    self->bytes = bytes;
    if (mr_batch_decode (frame, bytes, &self->received, &err) != MR_OK) {
        stop (err.text);
    }
    mr_batch_t batch = self->received;
    self->ops->handle (self->state, &batch, &self->callbacks);
}

/* ---- what a stage may ask ---- */

const mr_config_t *
mr_stage_config (const mr_stage_t *self)
{
    return self->config;
}

mr_loop_t *
mr_stage_loop (mr_stage_t *self)
{
    return self->loop;
}

void *
mr_stage_zmq (mr_stage_t *self)
{
    return self->zmq;
}

const char *
mr_stage_worker (const mr_stage_t *self)
{
    return self->worker;
}

int
mr_stage_slot (const mr_stage_t *self)
{
    (void)self;
    return 0;
}

bool
mr_stage_leaving (const mr_stage_t *self)
{
    (void)self;
    return false;
}

uint64_t
mr_stage_incarnation (const mr_stage_t *self)
{
    (void)self;
    return 1;
}

_Atomic uint64_t *
mr_stage_crumb (mr_stage_t *self)
{
    return &self->crumb;
}

const mr_stage_callbacks_t *
mr_stage_callbacks (mr_stage_t *self)
{
    return &self->callbacks;
}

void
mr_stage_frame (mr_stage_t *self, const void **ret_frame, size_t *ret_bytes)
{
    *ret_frame = self->frame;
    *ret_bytes = self->bytes;
}

/* Frames here belong to the guard: the sinks read them from the spool. */
mr_share_t *
mr_stage_share (mr_stage_t *self)
{
    (void)self;
    return NULL;
}

bool
mr_stage_room (mr_stage_t *self)
{
    (void)self;
    return true;
}

mr_status_t
mr_stage_send (mr_stage_t *self, void *msg)
{
    memcpy (put (self->sent, zmq_msg_size (msg)), zmq_msg_data (msg), zmq_msg_size (msg));
    zmq_msg_close (msg);
    zmq_msg_init (msg);
    return MR_OK;
}

void
mr_stage_when_room (mr_stage_t *self, void (*resume) (void *arg), void *arg)
{
    (void)self;
    (void)resume;
    (void)arg;
}

void
mr_stage_settled (mr_stage_t *self, const mr_batch_t *batch)
{
    (void)self;
    (void)batch;
}

void
mr_stage_notify_loss (mr_stage_t *self)
{
    (void)self;
}

void
mr_stage_publish (mr_stage_t *self, const char *topic, const mr_buffer_t *json)
{
    (void)self;
    (void)topic;
    (void)json;
}

mr_status_t
mr_stage_stamp (mr_stage_t *self, mr_buffer_t *json)
{
    (void)self;
    (void)json;
    return MR_OK;
}
