#include "monitor/hub.h"

#include "common/runtime/sockets.h"
#include "common/wire/event.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum {
    EVENTS_A_TURN = 500, /* before timers, signals and HTTP get their turn again */
    RECEIVE_HWM = 100000,
    SEND_HWM = 10000,
    SOCKET_PATH_BYTES = 107,
    SUBSCRIPTION_BYTES = 256,
};

struct mr_hub {
    void *in;
    void *out;
    mr_loop_t *loop;
    int in_id;
    int out_id;
    char in_path[PATH_MAX];
    char out_path[PATH_MAX];
    mr_socket_file_t in_file;
    mr_socket_file_t out_file;
    mr_hub_event_fn *fn;
    void *arg;
};

/* Read what is left of a message that has too many frames. */
static void
skip_rest (void *socket)
{
    zmq_msg_t part;
    bool more = true;
    while (more) {
        zmq_msg_init (&part);
        more = zmq_msg_recv (&part, socket, ZMQ_DONTWAIT) >= 0 && zmq_msg_more (&part) != 0;
        zmq_msg_close (&part);
    }
}

static bool
deliver (const mr_hub_t *self, zmq_msg_t *topic, zmq_msg_t *body, const char *fault)
{
    char text[MR_EVENT_TOPIC_BYTES] = "";
    size_t bytes = zmq_msg_size (topic);
    if (fault == NULL && (bytes == 0 || bytes >= sizeof text)) {
        fault = "bad topic";
    }
    if (fault == NULL) {
        memcpy (text, zmq_msg_data (topic), bytes);
        text[bytes] = '\0';
        if (strlen (text) != bytes) {
            text[0] = '\0';
            fault = "bad topic";
        }
    }
    mr_hub_event_t event = {
        .topic = text,
        .json = zmq_msg_data (body),
        .bytes = zmq_msg_size (body),
        .fault = fault,
    };
    return self->fn != NULL ? self->fn (self->arg, &event) : fault == NULL;
}

/* One message from a worker. false: there is none. */
static bool
forward_event (mr_hub_t *self)
{
    zmq_msg_t topic;
    zmq_msg_t body;
    zmq_msg_init (&topic);
    zmq_msg_init (&body);
    bool received = zmq_msg_recv (&topic, self->in, ZMQ_DONTWAIT) >= 0;
    if (received) {
        const char *fault = NULL;
        if (!zmq_msg_more (&topic) || zmq_msg_recv (&body, self->in, ZMQ_DONTWAIT) < 0) {
            fault = "one frame, not two";
        } else if (zmq_msg_more (&body)) {
            skip_rest (self->in);
            fault = "more than two frames";
        }
        if (deliver (self, &topic, &body, fault) && fault == NULL &&
            zmq_msg_send (&topic, self->out, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0) {
            (void)zmq_msg_send (&body, self->out, ZMQ_DONTWAIT);
        }
    }
    zmq_msg_close (&topic);
    zmq_msg_close (&body);
    return received;
}

static void
on_event (void *arg, short revents)
{
    (void)revents;
    for (int i = 0; i < EVENTS_A_TURN && forward_event (arg); i++) {
    }
}

/* Subscriptions go up to the workers; anything else that a subscriber sends goes nowhere. */
static void
on_subscription (void *arg, short revents)
{
    (void)revents;
    mr_hub_t *self = arg;
    zmq_msg_t message;
    for (int i = 0; i < EVENTS_A_TURN; i++) {
        zmq_msg_init (&message);
        if (zmq_msg_recv (&message, self->out, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close (&message);
            return;
        }
        const uint8_t *data = zmq_msg_data (&message);
        size_t bytes = zmq_msg_size (&message);
        bool more = zmq_msg_more (&message) != 0;
        if (!more && bytes > 0 && bytes <= SUBSCRIPTION_BYTES && data[0] <= 1) {
            (void)zmq_msg_send (&message, self->in, ZMQ_DONTWAIT);
        }
        zmq_msg_close (&message);
        if (more) {
            skip_rest (self->out);
        }
    }
}

static mr_status_t
bind_socket (void *socket, const char *path, mr_error_t *err)
{
    if (strlen (path) > SOCKET_PATH_BYTES) {
        mr_error_set (err, "%s: a socket's path has at most %d bytes; choose a shorter run_dir",
                      path, SOCKET_PATH_BYTES);
        return MR_CONFIG;
    }
    char endpoint[PATH_MAX + 8];
    snprintf (endpoint, sizeof endpoint, "ipc://%s", path);
    if (zmq_bind (socket, endpoint) != 0) {
        mr_error_set (err, "cannot bind %s: %s", endpoint, zmq_strerror (errno));
        return MR_SYSTEM;
    }
    return MR_OK;
}

/* The kinds that the monitor itself lives on; taps are left to those who ask for them. The list
 * holds as long as the socket does: libzmq counts equal subscriptions. */
static mr_status_t
subscribe (const mr_hub_t *self, mr_error_t *err)
{
    static const char *const topics[] = {
        "\1success.", "\1error.", "\1counters.", "\1totals.", "\1state.", "\1launcher.",
    };
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        if (zmq_send (self->in, topics[i], strlen (topics[i]), 0) < 0) {
            mr_error_set (err, "cannot subscribe to %s: %s", topics[i] + 1, zmq_strerror (errno));
            return MR_SYSTEM;
        }
    }
    return MR_OK;
}

static mr_status_t
open_sockets (mr_hub_t *self, void *zmq, mr_error_t *err)
{
    self->in = mr_socket_open (zmq, ZMQ_XSUB);
    self->out = mr_socket_open (zmq, ZMQ_XPUB);
    if (self->in == NULL || self->out == NULL) {
        mr_error_set (err, "bus: %s", zmq_strerror (errno));
        return MR_SYSTEM;
    }
    int receive_hwm = RECEIVE_HWM;
    int send_hwm = SEND_HWM;
    int64_t most = 4 * (int64_t)MR_EVENT_MAX_BYTES; /* beyond it the connection is closed */
    zmq_setsockopt (self->in, ZMQ_RCVHWM, &receive_hwm, sizeof receive_hwm);
    zmq_setsockopt (self->in, ZMQ_MAXMSGSIZE, &most, sizeof most);
    zmq_setsockopt (self->out, ZMQ_SNDHWM, &send_hwm, sizeof send_hwm);
    mr_status_t status = subscribe (self, err);
    if (status == MR_OK) {
        status = bind_socket (self->in, self->in_path, err);
    }
    if (status == MR_OK) {
        mr_socket_file_note (&self->in_file, self->in_path);
        status = bind_socket (self->out, self->out_path, err);
    }
    if (status == MR_OK) {
        mr_socket_file_note (&self->out_file, self->out_path);
    }
    return status;
}

mr_status_t
mr_hub_new (void *zmq, mr_loop_t *loop, const char *run_dir, mr_hub_t **ret_hub, mr_error_t *err)
{
    mr_hub_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "bus");
    }
    self->loop = loop;
    snprintf (self->in_path, sizeof self->in_path, "%s/bus.in", run_dir);
    snprintf (self->out_path, sizeof self->out_path, "%s/bus.out", run_dir);
    mr_status_t status = open_sockets (self, zmq, err);
    if (status == MR_OK) {
        self->in_id = mr_loop_add (loop, mr_loop_socket (self->in), ZMQ_POLLIN, on_event, self);
        self->out_id =
            mr_loop_add (loop, mr_loop_socket (self->out), ZMQ_POLLIN, on_subscription, self);
        if (self->in_id == 0 || self->out_id == 0) {
            status = mr_error_errno (err, "bus");
        }
    }
    if (status != MR_OK) {
        mr_hub_destroy (&self);
        return status;
    }
    *ret_hub = self;
    return MR_OK;
}

mr_status_t
mr_hub_hold (mr_hub_t *self, mr_error_t *err)
{
    mr_status_t status = mr_socket_hold (&self->in_file, self->in, self->in_path, err);
    return status == MR_OK ? mr_socket_hold (&self->out_file, self->out, self->out_path, err)
                           : status;
}

void
mr_hub_on_event (mr_hub_t *self, mr_hub_event_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

void
mr_hub_destroy (mr_hub_t **self_p)
{
    mr_hub_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    if (self->in_id != 0) {
        mr_loop_remove (self->loop, self->in_id);
    }
    if (self->out_id != 0) {
        mr_loop_remove (self->loop, self->out_id);
    }
    if (self->in != NULL) {
        zmq_close (self->in);
        mr_socket_file_remove (&self->in_file, self->in_path);
    }
    if (self->out != NULL) {
        zmq_close (self->out);
        mr_socket_file_remove (&self->out_file, self->out_path);
    }
    free (self);
    *self_p = NULL;
}
