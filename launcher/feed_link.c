#include "launcher/feed_link.h"

#include "common/runtime/sockets.h"
#include "launcher/sender.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

enum { MAX_FRAMES = 4 };

mr_status_t
mr_feed_link_open (mr_feed_link_t *self, const char *endpoint, mr_error_t *err)
{
    int hwm = 2 * MR_SENDER_WINDOW;
    self->zmq = zmq_ctx_new ();
    self->socket = self->zmq != NULL ? mr_socket_open (self->zmq, ZMQ_DEALER) : NULL;
    if (self->socket == NULL) {
        return mr_error_errno (err, "socket");
    }
    zmq_setsockopt (self->socket, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt (self->socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    self->watch = mr_socket_watch (self->zmq, self->socket,
                                   ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    if (self->watch == NULL || zmq_connect (self->socket, endpoint) != 0) {
        mr_error_set (err, "cannot connect to %s: %s", endpoint, zmq_strerror (errno));
        return MR_SYSTEM;
    }
    return MR_OK;
}

void
mr_feed_link_close (mr_feed_link_t *self)
{
    if (self->socket != NULL) {
        mr_socket_unwatch (self->socket, &self->watch);
        zmq_close (self->socket);
    }
    if (self->zmq != NULL) {
        zmq_ctx_term (self->zmq);
    }
}

mr_status_t
mr_feed_link_send (mr_feed_link_t *self, const char *name, uint64_t number,
                   const mr_frame_t *records, size_t count)
{
    char id[MR_PRODUCER_ID_MAX_BYTES + 1];
    if (mr_producer_id_format (name, number, id, NULL) != MR_OK) {
        return MR_AGAIN;
    }
    if (zmq_send (self->socket, id, strlen (id), ZMQ_DONTWAIT | (count > 0 ? ZMQ_SNDMORE : 0)) <
        0) {
        return MR_AGAIN;
    }
    for (size_t i = 0; i < count; i++) {
        /* Once the first part is in, libzmq takes the others. */
        int flags = i + 1 < count ? ZMQ_SNDMORE : 0;
        while (zmq_send (self->socket, records[i].data, records[i].bytes, flags) < 0) {
            if (errno != EINTR) {
                return MR_AGAIN;
            }
        }
    }
    return MR_OK;
}

mr_status_t
mr_feed_link_receive (mr_feed_link_t *self, mr_feed_answer_fn *fn, void *arg, mr_error_t *err)
{
    zmq_msg_t parts[MAX_FRAMES];
    mr_frame_t frames[MAX_FRAMES];
    size_t count = 0;
    bool more = true;
    bool first = true;
    while (more) {
        zmq_msg_t part;
        zmq_msg_init (&part);
        if (zmq_msg_recv (&part, self->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close (&part);
            break;
        }
        more = zmq_msg_more (&part);
        if (count < MAX_FRAMES && !(first && zmq_msg_size (&part) == 0 && more)) {
            parts[count] = part;
            frames[count] =
                (mr_frame_t){zmq_msg_data (&parts[count]), zmq_msg_size (&parts[count])};
            count++;
        } else {
            zmq_msg_close (&part);
        }
        first = false;
    }
    mr_status_t status = count == 0 ? MR_CLOSED : fn (arg, frames, count, err);
    for (size_t i = 0; i < count; i++) {
        zmq_msg_close (&parts[i]);
    }
    return status;
}
