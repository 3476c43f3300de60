#include "stages/ingest/message.h"

#include "common/base/log.h"
#include "stages/ingest/request.h"

#include <stdlib.h>

void
mr_message_clear (mr_message_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        zmq_msg_close (&self->frames[i]);
    }
    self->count = 0;
}

void
mr_message_release (mr_message_t *self)
{
    mr_message_clear (self);
    free (self->frames);
    free (self->views);
}

static bool
grow (mr_message_t *self)
{
    if (self->count < self->capacity) {
        return true;
    }
    size_t capacity = self->capacity == 0 ? 64 : 2 * self->capacity;
    zmq_msg_t *frames = realloc (self->frames, capacity * sizeof *frames);
    if (frames == NULL) {
        return false;
    }
    self->frames = frames;
    mr_frame_t *views = realloc (self->views, capacity * sizeof *views);
    if (views == NULL) {
        return false;
    }
    self->views = views;
    self->capacity = capacity;
    return true;
}

/* Keep a frame, unless there are so many that the request is refused anyway. */
static void
keep (mr_message_t *self, zmq_msg_t *frame)
{
    if (self->count == MR_REQUEST_KEPT_FRAMES) {
        return;
    }
    if (!grow (self)) {
        mr_log_error ("no memory for a request of %zu frames", self->count);
        abort (); /* it was not acknowledged: the producer sends it again */
    }
    zmq_msg_t *kept = &self->frames[self->count++];
    zmq_msg_init (kept);
    zmq_msg_move (kept, frame);
}

/* libzmq hands over all frames of a message or none. */
bool
mr_message_receive (mr_message_t *self, void *socket)
{
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    bool more = true;
    while (more && zmq_msg_recv (&frame, socket, ZMQ_DONTWAIT) >= 0) {
        more = zmq_msg_more (&frame) != 0;
        keep (self, &frame);
    }
    zmq_msg_close (&frame);
    for (size_t i = 0; i < self->count; i++) {
        zmq_msg_t *kept = &self->frames[i];
        self->views[i] = (mr_frame_t){zmq_msg_data (kept), zmq_msg_size (kept)};
    }
    return !more;
}
