#include "stages/ingest/source.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/runtime/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum {
    BURST = 512,            /* messages before others get their turn */
    LOOK_EVERY = 64,        /* messages between two looks at libzmq's commands */
    HWM_RECORDS = 1000,     /* default of `hwm` for records ... */
    HWM_LINES = 64,         /* ... and for chunks */
    LAST_MESSAGES = 4096,   /* taken in at the end at most */
    MAX_MESSAGE = 64 << 20, /* libzmq drops a peer that sends more */
};

#define REST_NS MR_NS_PER_MS         /* at most, though the batch waits longer */
#define BUSY_NS (100 * MR_NS_PER_MS) /* no rest so long after more than a few were there */

typedef struct pull {
    mr_intake_t *intake;
    mr_loop_t *loop;
    void *socket;
    mr_bound_t bound;
    int loop_id;
    bool lines;
    zmq_msg_t chunk; /* the message that is not yet taken, or not all of it */
    bool has_chunk;
    size_t chunk_at;
    bool enabled;
    int few;         /* messages that may come while nobody looks, far from filling the queue */
    int rest_timer;  /* 0: not resting */
    int64_t busy_ns; /* when more than a few were there last */
} pull_t;

/* Take the lines of the present chunk. false: the intake takes no more now. */
static bool
take_lines (pull_t *self)
{
    const char *data = zmq_msg_data (&self->chunk);
    size_t bytes = zmq_msg_size (&self->chunk);
    while (self->chunk_at < bytes) {
        if (!mr_intake_ready (self->intake)) {
            return false;
        }
        const char *line = data + self->chunk_at;
        const char *end = memchr (line, '\n', bytes - self->chunk_at);
        size_t length = end != NULL ? (size_t)(end - line) + 1 : bytes - self->chunk_at;
        mr_intake_record (self->intake, line, length);
        self->chunk_at += length;
    }
    zmq_msg_close (&self->chunk);
    self->has_chunk = false;
    return true;
}

static bool
receive (pull_t *self)
{
    zmq_msg_init (&self->chunk);
    if (zmq_msg_recv (&self->chunk, self->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close (&self->chunk);
        return false;
    }
    self->has_chunk = true;
    self->chunk_at = 0;
    return true;
}

/* false: nothing is there, or the intake takes no more now. */
static bool
take_message (pull_t *self)
{
    if (!mr_intake_ready (self->intake) || (!self->has_chunk && !receive (self))) {
        return false;
    }
    if (self->lines) {
        return take_lines (self);
    }
    mr_intake_record (self->intake, zmq_msg_data (&self->chunk), zmq_msg_size (&self->chunk));
    zmq_msg_close (&self->chunk);
    self->has_chunk = false;
    return true;
}

/* At the end: all of the present message, whether or not the batch is full. */
static void
take_rest (pull_t *self)
{
    const char *data = (const char *)zmq_msg_data (&self->chunk) + self->chunk_at;
    size_t left = zmq_msg_size (&self->chunk) - self->chunk_at;
    while (left > 0) {
        const char *end = self->lines ? memchr (data, '\n', left) : NULL;
        size_t length = end != NULL ? (size_t)(end - data) + 1 : left;
        if (mr_intake_request_fits (self->intake, 1, length)) {
            mr_intake_record (self->intake, data, length);
        } else {
            mr_log_warn ("stopping: lost a record of %zu bytes, the last batch is full", length);
        }
        data += length;
        left -= length;
    }
    zmq_msg_close (&self->chunk);
    self->has_chunk = false;
}

static void
watch (pull_t *self)
{
    mr_loop_events (self->loop, self->loop_id,
                    self->enabled && self->rest_timer == 0 ? ZMQ_POLLIN : 0);
}

static void on_readable (void *arg, short revents);

static void
on_rested (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    pull_t *self = arg;
    self->rest_timer = 0;
    watch (self);
    if (self->enabled) {
        on_readable (self, 0);
    }
}

/* While few messages come, each would wake this thread only to be put into a batch that waits
 * for its time anyway. They can wait in libzmq's queue, which must not fill up meanwhile. */
static void
rest (pull_t *self, int taken)
{
    int64_t now_ns = mr_clock_mono_ns ();
    if (taken > self->few) {
        self->busy_ns = now_ns;
    }
    int64_t until_ns = mr_intake_due_ns (self->intake);
    if (until_ns > now_ns + REST_NS) {
        until_ns = now_ns + REST_NS;
    }
    if (taken > 0 && until_ns > now_ns && now_ns - self->busy_ns > BUSY_NS &&
        self->rest_timer == 0) {
        self->rest_timer = mr_loop_at (self->loop, until_ns, on_rested, self);
        watch (self);
    }
}

static void
on_readable (void *arg, short revents)
{
    (void)revents;
    pull_t *self = arg;
    int taken = 0;
    for (; taken < BURST && take_message (self); taken++) {
        if (taken % LOOK_EVERY == LOOK_EVERY - 1) {
            int events;
            size_t bytes = sizeof events;
            zmq_getsockopt (self->socket, ZMQ_EVENTS, &events, &bytes);
        }
    }
    mr_intake_turn_over (self->intake);
    rest (self, taken);
}

static void
serve (void *arg)
{
    on_readable (arg, 0);
}

static void
enable (void *arg, bool enabled)
{
    pull_t *self = arg;
    self->enabled = enabled;
    watch (self);
}

/* A PUSH peer never learns what was read, so what libzmq has received is taken in before the socket
 * goes; what is still under way is lost, as README says of this input. */
static void
stop (void *arg)
{
    pull_t *self = arg;
    enable (self, false);
    for (int i = 0; i < LAST_MESSAGES; i++) {
        if (!self->has_chunk && !receive (self)) {
            return;
        }
        take_rest (self);
    }
}

static void
destroy (void *arg)
{
    pull_t *self = arg;
    if (self->rest_timer != 0) {
        mr_loop_timer_remove (self->loop, self->rest_timer);
    }
    if (self->loop_id != 0) {
        mr_loop_remove (self->loop, self->loop_id);
    }
    if (self->has_chunk) {
        zmq_msg_close (&self->chunk);
    }
    if (self->socket != NULL) {
        zmq_close (self->socket);
    }
    free (self);
}

static void
hold (void *arg)
{
    pull_t *self = arg;
    mr_binding_hold (&self->bound);
}

mr_status_t
mr_source_pull_new (mr_stage_t *stage, mr_intake_t *intake, const mr_binding_t *binding,
                    mr_error_t *err)
{
    const mr_config_section_t *ingest = mr_config_section (mr_stage_config (stage), "ingest");
    pull_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "pull");
    }
    self->intake = intake;
    self->loop = mr_stage_loop (stage);
    self->lines = strcmp (mr_config_text (ingest, "framing"), "lines") == 0;
    self->socket = mr_socket_open (mr_stage_zmq (stage), ZMQ_PULL);
    int hwm = (int)mr_config_number (ingest, "hwm");
    if (hwm == 0) {
        hwm = self->lines ? HWM_LINES : HWM_RECORDS;
    }
    self->enabled = true;
    self->few = hwm / 4;
    self->busy_ns = mr_clock_mono_ns ();
    int64_t max_message = MAX_MESSAGE;
    mr_status_t status = MR_OK;
    if (self->socket == NULL) {
        status = mr_error_errno (err, "pull socket");
    } else {
        zmq_setsockopt (self->socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
        zmq_setsockopt (self->socket, ZMQ_MAXMSGSIZE, &max_message, sizeof max_message);
        status = mr_binding_bind (binding, self->socket, &self->bound, err);
    }
    if (status == MR_OK) {
        self->loop_id =
            mr_loop_add (self->loop, mr_loop_socket (self->socket), ZMQ_POLLIN, on_readable, self);
        mr_source_t source = {
            .enable = enable,
            .serve = serve,
            .hold = hold,
            .stop = stop,
            .destroy = destroy,
            .self = self,
        };
        status = mr_intake_add_source (intake, &source);
    }
    if (status != MR_OK) {
        destroy (self);
    }
    return status;
}
