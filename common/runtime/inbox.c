#include "common/runtime/inbox.h"

#include "common/base/clock.h"
#include "common/runtime/sockets.h"
#include "common/wire/control.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define QUIET_NS (50 * MR_NS_PER_MS)

struct mr_inbox {
    mr_loop_t *loop;
    void *socket;
    void *events;
    int socket_id;
    int events_id;
    int connections;
    bool enabled;
    bool withdrawn;
    int64_t last_activity_ns; /* a connection came or went, or a frame was received */
    char path[PATH_MAX];
    mr_socket_file_t file;
    void (*readable) (void *arg);
    void *arg;
};

static void
on_readable (void *arg, short revents)
{
    (void)revents;
    mr_inbox_t *self = arg;
    self->readable (self->arg);
}

static void
on_event (void *arg, short revents)
{
    (void)revents;
    mr_inbox_t *self = arg;
    int event;
    while (mr_socket_next_event (self->events, &event)) {
        if (event == ZMQ_EVENT_ACCEPTED) {
            self->connections++;
        } else if (event == ZMQ_EVENT_DISCONNECTED) {
            self->connections--;
        }
        self->last_activity_ns = mr_clock_mono_ns ();
    }
}

static mr_status_t
bind_socket (mr_inbox_t *self, void *zmq, int hwm, mr_error_t *err)
{
    char endpoint[PATH_MAX + 8];
    snprintf (endpoint, sizeof endpoint, "ipc://%s", self->path);
    self->socket = mr_socket_open (zmq, ZMQ_PULL);
    if (self->socket == NULL) {
        mr_error_set (err, "cannot make the socket %s: %s", self->path, zmq_strerror (errno));
        return MR_SYSTEM;
    }
    zmq_setsockopt (self->socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    self->events = mr_socket_watch (zmq, self->socket, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED);
    if (self->events == NULL || zmq_bind (self->socket, endpoint) != 0) {
        mr_error_set (err, "cannot bind %s: %s", endpoint, zmq_strerror (errno));
        return MR_SYSTEM;
    }
    mr_socket_file_note (&self->file, self->path);
    return MR_OK;
}

mr_status_t
mr_inbox_new (const mr_inbox_options_t *options, mr_inbox_t **ret_inbox, mr_error_t *err)
{
    mr_inbox_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "inbox");
    }
    self->loop = options->loop;
    self->readable = options->readable;
    self->arg = options->arg;
    self->enabled = true;
    snprintf (self->path, sizeof self->path, "%s", options->path);
    mr_status_t status = bind_socket (self, options->zmq, options->hwm, err);
    if (status != MR_OK) {
        mr_inbox_destroy (&self);
        return status;
    }
    self->socket_id =
        mr_loop_add (self->loop, mr_loop_socket (self->socket), ZMQ_POLLIN, on_readable, self);
    self->events_id =
        mr_loop_add (self->loop, mr_loop_socket (self->events), ZMQ_POLLIN, on_event, self);
    MR_ASSERT (self->socket_id != 0 && self->events_id != 0);
    *ret_inbox = self;
    return MR_OK;
}

void
mr_inbox_destroy (mr_inbox_t **self_p)
{
    mr_inbox_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    if (self->socket_id != 0) {
        mr_loop_remove (self->loop, self->socket_id);
        mr_loop_remove (self->loop, self->events_id);
    }
    if (self->socket != NULL) {
        mr_socket_unwatch (self->socket, &self->events);
        zmq_close (self->socket);
    }
    free (self);
    *self_p = NULL;
}

/* Small messages share libzmq's receive buffer at any address; batches are read in place, so those
 * move to memory of their own. */
static mr_status_t
align (zmq_msg_t *msg)
{
    if (((uintptr_t)zmq_msg_data (msg) & 7) == 0) {
        return MR_OK;
    }
    zmq_msg_t copy;
    if (zmq_msg_init_size (&copy, zmq_msg_size (msg)) != 0) {
        return MR_SYSTEM;
    }
    MR_ASSERT (((uintptr_t)zmq_msg_data (&copy) & 7) == 0);
    memcpy (zmq_msg_data (&copy), zmq_msg_data (msg), zmq_msg_size (msg));
    zmq_msg_move (msg, &copy);
    zmq_msg_close (&copy);
    return MR_OK;
}

mr_status_t
mr_inbox_receive (mr_inbox_t *self, void *msg)
{
    for (;;) {
        /* Asking for the events makes libzmq look at its commands before each message: without it a
         * rare sender waits behind a busy one. */
        int events = 0;
        size_t bytes = sizeof events;
        if (zmq_getsockopt (self->socket, ZMQ_EVENTS, &events, &bytes) != 0 ||
            (events & ZMQ_POLLIN) == 0 || zmq_msg_recv (msg, self->socket, ZMQ_DONTWAIT) < 0) {
            return MR_AGAIN;
        }
        if (self->withdrawn) {
            self->last_activity_ns = mr_clock_mono_ns ();
        }
        if (!mr_bye_is (zmq_msg_data (msg), zmq_msg_size (msg))) {
            return align (msg);
        }
    }
}

void
mr_inbox_enable (mr_inbox_t *self, bool enabled)
{
    if (self->enabled != enabled) {
        self->enabled = enabled;
        mr_loop_events (self->loop, self->socket_id, enabled ? ZMQ_POLLIN : 0);
    }
}

void
mr_inbox_withdraw (mr_inbox_t *self)
{
    mr_socket_file_remove (&self->file, self->path);
    self->withdrawn = true;
    self->last_activity_ns = mr_clock_mono_ns ();
}

mr_status_t
mr_inbox_hold (mr_inbox_t *self, mr_error_t *err)
{
    return self->withdrawn ? MR_OK : mr_socket_hold (&self->file, self->socket, self->path, err);
}

bool
mr_inbox_quiet (mr_inbox_t *self, int64_t mono_ns)
{
    int events = 0;
    size_t bytes = sizeof events;
    on_event (self, 0); /* who has come or gone, also where the loop had no turn since */
    return self->withdrawn && self->connections <= 0 &&
           mono_ns - self->last_activity_ns >= QUIET_NS &&
           zmq_getsockopt (self->socket, ZMQ_EVENTS, &events, &bytes) == 0 &&
           (events & ZMQ_POLLIN) == 0;
}
