#include "common/runtime/stage_private.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/wire/crumb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_A_TURN = 16 }; /* before timers and signals get their turn again */

static void
block (mr_stage_t *self)
{
    if (self->blocked_since_ns == 0) {
        self->blocked_since_ns = mr_clock_mono_ns ();
    }
    mr_peers_want_room (self->peers);
}

static void
unblock (mr_stage_t *self)
{
    if (self->blocked_since_ns != 0) {
        self->blocked_ns += mr_clock_mono_ns () - self->blocked_since_ns;
        self->blocked_since_ns = 0;
    }
}

int64_t
mr_stage_blocked_ns (const mr_stage_t *self, int64_t mono_ns)
{
    return self->blocked_ns + (self->blocked_since_ns != 0 ? mono_ns - self->blocked_since_ns : 0);
}

void
mr_stage_on_room (void *arg)
{
    mr_stage_t *self = arg;
    if (self->has_pending) {
        if (mr_peers_send (self->peers, &self->pending) != MR_OK) {
            block (self);
            return;
        }
        self->has_pending = false;
        mr_inbox_enable (self->inbox, !self->has_kept);
    }
    unblock (self);
    if (self->resume != NULL) {
        void (*resume) (void *) = self->resume;
        self->resume = NULL;
        resume (self->resume_arg);
    }
}

/* Send, or keep the message and read nothing more until it is gone. */
static void
pass_on (mr_stage_t *self, zmq_msg_t *msg)
{
    MR_ASSERT (!self->has_pending);
    if (mr_peers_send (self->peers, msg) == MR_OK) {
        return;
    }
    zmq_msg_init (&self->pending);
    zmq_msg_move (&self->pending, msg);
    self->has_pending = true;
    mr_inbox_enable (self->inbox, false);
    block (self);
}

void
mr_stage_settled (mr_stage_t *self, const mr_batch_t *batch)
{
    mr_control_t done = {
        .type = MR_CONTROL_DONE,
        .journal = batch->journal,
        .seq = batch->seq,
        .exported = batch->count,
        .filtered = batch->filtered,
        .dead = batch->dead,
        .slot = (uint32_t)self->slot,
    };
    uint8_t bytes[MR_CONTROL_BYTES];
    mr_control_encode (
        &done, bytes); /* A hint: when nobody is there to hear it, the window's word says so too. */
    (void)!mr_peers_send_to (self->peers, batch->origin, bytes, sizeof bytes);
}

void
mr_stage_notify_loss (mr_stage_t *self)
{
    mr_control_t loss = {.type = MR_CONTROL_LOSS, .slot = (uint32_t)self->slot};
    uint8_t bytes[MR_CONTROL_BYTES];
    mr_control_encode (&loss, bytes);
    mr_peers_send_all (self->sources != NULL ? self->sources : self->peers, bytes, sizeof bytes);
}

void
mr_stage_report_death (mr_stage_t *self)
{
    const mr_worker_traces_t *traces = mr_worker_predecessor (self->worker);
    mr_crumb_t crumb;
    if (!mr_crumb_unpack (traces->crumb, &crumb)) {
        return;
    }
    mr_control_t report = {
        .type = MR_CONTROL_REPORT,
        .seq = crumb.seq,
        .slot = (uint32_t)self->slot,
        .incarnation = traces->incarnation,
        .index = crumb.index,
        .evidence = (uint32_t)traces->evidence,
    };
    uint8_t bytes[MR_CONTROL_BYTES];
    mr_control_encode (&report, bytes);
    mr_peers_t *sources = self->sources != NULL ? self->sources : self->peers;
    (void)!mr_peers_send_to (sources, (int)crumb.origin, bytes, sizeof bytes);
}

/* The socket to the dead worker is closed already: what the notice brings cannot enter
 * it. */
void
mr_stage_on_lost (void *arg, int slot)
{
    (void)slot;
    mr_stage_t *self = arg;
    if (!self->is_source) {
        mr_stage_notify_loss (self);
    } else if (self->ops->lost != NULL) {
        self->ops->lost (self->state);
    }
}

/* An unchanged batch is forwarded as it came in, without a copy. */
static void
on_handled (mr_stage_t *self, const mr_batch_t *batch)
{
    MR_ASSERT (!self->answered);
    self->answered = true;
    if (self->next_stage[0] == '\0') {
        mr_stage_settled (self, batch);
        return;
    }
    if (mr_batch_same (batch, &self->received)) {
        pass_on (self, &self->frame);
        return;
    }
    size_t bytes = mr_batch_encoded_bytes (batch);
    zmq_msg_t msg;
    if (bytes == 0 || zmq_msg_init_size (&msg, bytes) != 0) {
        mr_log_error ("batch %llu: %s", (unsigned long long)batch->seq,
                      bytes == 0 ? "larger than a frame may be" : "no memory for it");
        abort (); /* the batch is still upstream's to replay; going on would lose it silently */
    }
    mr_batch_encode (batch, zmq_msg_data (&msg));
    pass_on (self, &msg);
    zmq_msg_close (&msg);
}

static void
on_taken (mr_stage_t *self, const mr_batch_t *batch)
{
    (void)batch;
    MR_ASSERT (!self->answered && self->next_stage[0] == '\0');
    self->answered = true;
}

static void
on_refused (mr_stage_t *self, const mr_batch_t *batch)
{
    (void)batch;
    MR_ASSERT (!self->answered);
    self->answered = true;
}

static void
on_later (mr_stage_t *self, const mr_batch_t *batch)
{
    (void)batch;
    MR_ASSERT (!self->answered);
    self->answered = true;
    self->keep_frame = true;
}

static void
on_success (mr_stage_t *self, const char *operation, double duration_ms, uint64_t count)
{
    mr_bus_success (self->bus, operation, duration_ms, count);
}

static void
on_error (mr_stage_t *self, const char *operation, const mr_failure_t *failure)
{
    mr_bus_error (self->bus, operation, failure);
}

const mr_stage_callbacks_t mr_stage_flow_callbacks = {
    .on_handled = on_handled,
    .on_taken = on_taken,
    .on_refused = on_refused,
    .on_later = on_later,
    .on_success = on_success,
    .on_error = on_error,
};

static void
refuse_frame (mr_stage_t *self, const char *why)
{
    mr_log_error ("dropped a message that cannot be read: %s", why);
    mr_failure_t failure = {.error_type = MR_ERR_BAD_FRAME, .count = 1, .message = why};
    mr_bus_error (self->bus, "receive", &failure);
    if (!self->is_source) {
        mr_stage_notify_loss (self);
    }
}

static void
take_control (mr_stage_t *self)
{
    mr_control_t control;
    mr_error_t err;
    if (mr_control_decode (zmq_msg_data (&self->frame), zmq_msg_size (&self->frame), &control,
                           &err) != MR_OK) {
        refuse_frame (self, err.text);
    } else if (self->ops->control != NULL) {
        self->ops->control (self->state, &control);
    }
}

static void take_batch (mr_stage_t *self);

static void
turn_over (mr_stage_t *self)
{
    if (self->ops->turn_over != NULL) {
        self->ops->turn_over (self->state);
    }
}

static void
offer_again (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    mr_stage_t *self = arg;
    zmq_msg_init (&self->frame);
    zmq_msg_move (&self->frame, &self->kept);
    zmq_msg_close (&self->kept);
    self->has_kept = false;
    take_batch (self);
    zmq_msg_close (&self->frame);
    turn_over (self);
    mr_inbox_enable (self->inbox, !self->has_kept && !self->has_pending);
}

static void
keep (mr_stage_t *self)
{
    zmq_msg_init (&self->kept);
    zmq_msg_move (&self->kept, &self->frame);
    self->has_kept = true;
    mr_inbox_enable (self->inbox, false);
    int64_t again_ns = mr_clock_mono_ns () + MR_STAGE_LATER_MS * MR_NS_PER_MS;
    if (mr_loop_at (self->loop, again_ns, offer_again, self) == 0) {
        mr_log_error ("no memory for a timer");
        abort (); /* upstream still has the batch */
    }
}

static void
take_batch (mr_stage_t *self)
{
    mr_error_t err;
    if (mr_batch_decode (zmq_msg_data (&self->frame), zmq_msg_size (&self->frame), &self->received,
                         &err) != MR_OK) {
        refuse_frame (self, err.text);
        return;
    }
    mr_batch_t batch = self->received;
    self->answered = false;
    mr_worker_page_t *page = mr_worker_page (self->worker);
    atomic_store (&page->holding, 1);
    self->ops->handle (self->state, &batch, &self->callbacks);
    MR_ASSERT (self->answered);
    atomic_store (&page->crumb, 0);
    atomic_store (&page->holding, 0);
    atomic_fetch_add (&page->progress, 1);
    if (self->keep_frame) {
        self->keep_frame = false;
        keep (self);
    }
}

void
mr_stage_on_readable (void *arg)
{
    mr_stage_t *self = arg;
    mr_status_t status = MR_OK;
    for (int i = 0; i < FRAMES_A_TURN && status == MR_OK && !self->has_pending && !self->has_kept;
         i++) {
        zmq_msg_init (&self->frame);
        status = mr_inbox_receive (self->inbox, &self->frame);
        if (status == MR_OK) {
            if (self->is_source) {
                take_control (self);
            } else {
                take_batch (self);
            }
        }
        zmq_msg_close (&self->frame);
    }
    turn_over (self);
}

bool
mr_stage_room (mr_stage_t *self)
{
    return !self->has_pending && mr_peers_have_room (self->peers);
}

mr_status_t
mr_stage_send (mr_stage_t *self, void *msg)
{
    return self->has_pending ? MR_AGAIN : mr_peers_send (self->peers, msg);
}

void
mr_stage_when_room (mr_stage_t *self, void (*resume) (void *arg), void *arg)
{
    self->resume = resume;
    self->resume_arg = arg;
    block (self);
}
