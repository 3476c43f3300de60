#include "launcher/chaos/load.h"

#include "common/base/clock.h"
#include "common/runtime/sockets.h"
#include "common/wire/producer.h"
#include "launcher/chaos/record.h"
#include "launcher/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { ENDPOINT_BYTES = 512, NAME_BYTES = 32, MAX_FRAMES = 4, IDLE_MS = 10, PACE_MS = 2 };

struct mr_load {
    char endpoint[ENDPOINT_BYTES];
    char name[NAME_BYTES];
    unsigned producer;
    double rate;
    void *zmq;
    void *socket;
    void *watch;
    mr_sender_t *sender;
    bool connected;
    int64_t began_ns;
    pthread_t thread;
    bool started;
    atomic_bool ending;
    atomic_bool giving_up;
    atomic_bool done;
    atomic_bool failed;
    mr_error_t fault; /* whole once `failed` is set */
    _Atomic uint64_t made;
    _Atomic uint64_t acknowledged;
};

static bool
open_socket (mr_load_t *self)
{
    int hwm = 2 * MR_SENDER_WINDOW;
    self->zmq = zmq_ctx_new ();
    self->socket = self->zmq != NULL ? mr_socket_open (self->zmq, ZMQ_DEALER) : NULL;
    if (self->socket == NULL) {
        return false;
    }
    zmq_setsockopt (self->socket, ZMQ_SNDHWM, &hwm, sizeof hwm);
    zmq_setsockopt (self->socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    self->watch = mr_socket_watch (self->zmq, self->socket,
                                   ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    return self->watch != NULL && zmq_connect (self->socket, self->endpoint) == 0;
}

static void
fail (mr_load_t *self, const char *text)
{
    mr_error_set (&self->fault, "producer %u: %s", self->producer, text);
    self->failed = true;
}

/* ---- sending ---- */

static void
make_records (mr_load_t *self, int64_t now_ns)
{
    double due = self->rate * (double)(now_ns - self->began_ns) / (double)MR_NS_PER_S;
    while (!self->ending && mr_sender_room (self->sender) &&
           (self->rate <= 0 || (double)self->made < due)) {
        char text[MR_CHAOS_RECORD_BYTES];
        mr_chaos_record_t record = {self->producer, self->made + 1, (uint64_t)now_ns};
        size_t bytes = mr_chaos_record_make (&record, text);
        mr_status_t status = mr_sender_add (self->sender, text, bytes);
        if (status != MR_OK) {
            if (status != MR_AGAIN) {
                fail (self, "out of memory");
            }
            return;
        }
        self->made++;
    }
}

static bool
send_request (mr_load_t *self, const mr_sender_request_t *request)
{
    char id[MR_PRODUCER_ID_MAX_BYTES + 1];
    if (mr_producer_id_format (self->name, request->number, id, NULL) != MR_OK ||
        zmq_send (self->socket, id, strlen (id), ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
        return false;
    }
    for (size_t i = 0; i < request->count; i++) {
        /* Once the first part is in, libzmq takes the others. */
        int flags = i + 1 < request->count ? ZMQ_SNDMORE : 0;
        while (zmq_send (self->socket, request->records[i].data, request->records[i].bytes, flags) <
               0) {
            if (errno != EINTR) {
                return false;
            }
        }
    }
    return true;
}

static void
send_all (mr_load_t *self, int64_t now_ns)
{
    mr_sender_request_t request;
    while (self->connected && mr_sender_next (self->sender, true, now_ns, &request) &&
           send_request (self, &request)) {
        mr_sender_sent (self->sender);
    }
}

/* ---- answers ---- */

static void
take_answer (mr_load_t *self, const mr_frame_t *frames, size_t count, int64_t now_ns)
{
    mr_error_t err;
    mr_producer_id_t id;
    mr_answer_t answer;
    char text[MR_ERROR_TEXT_BYTES];
    if (count < 2 || mr_producer_id_parse (frames[0], &id, &err) != MR_OK ||
        mr_answer_decode (frames + 1, count - 1, &answer, &err) != MR_OK) {
        fail (self, "an answer that cannot be read");
        return;
    }
    switch (mr_sender_answer (self->sender, &answer, id.number, now_ns)) {
    case MR_SENDER_TAKEN:
        break;
    case MR_SENDER_REFUSED:
        snprintf (text, sizeof text, "record %" PRIu64 " was refused: %s", id.number, answer.why);
        fail (self, text);
        break;
    case MR_SENDER_FORGOTTEN:
        snprintf (text, sizeof text,
                  "ingest forgot what it had acknowledged: it has %" PRIu64 " of %" PRIu64,
                  answer.last, mr_sender_acknowledged (self->sender));
        fail (self, text);
        break;
    case MR_SENDER_OVERTAKEN:
        snprintf (text, sizeof text, "ingest acknowledged record %" PRIu64 ", which was not sent",
                  answer.last);
        fail (self, text);
        break;
    }
    self->acknowledged = mr_sender_acknowledged (self->sender);
}

/* One message. False: none is waiting. */
static bool
receive (mr_load_t *self, int64_t now_ns)
{
    zmq_msg_t parts[MAX_FRAMES];
    mr_frame_t frames[MAX_FRAMES];
    size_t count = 0;
    bool more = true;
    while (more && count < MAX_FRAMES) {
        zmq_msg_init (&parts[count]);
        if (zmq_msg_recv (&parts[count], self->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close (&parts[count]);
            break;
        }
        more = zmq_msg_more (&parts[count]);
        frames[count] = (mr_frame_t){zmq_msg_data (&parts[count]), zmq_msg_size (&parts[count])};
        count++;
    }
    if (count > 0) {
        take_answer (self, frames, count, now_ns);
    }
    for (size_t i = 0; i < count; i++) {
        zmq_msg_close (&parts[i]);
    }
    return count > 0;
}

static void
on_connection (mr_load_t *self)
{
    int event;
    while (mr_socket_next_event (self->watch, &event)) {
        self->connected = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
        if (self->connected) {
            /* What was under way on the old connection will not be answered. */
            mr_sender_resend (self->sender);
        }
    }
}

/* ---- the thread ---- */

static void *
run (void *arg)
{
    mr_load_t *self = arg;
    self->began_ns = mr_clock_mono_ns ();
    while (!self->failed && !self->giving_up) {
        int64_t now_ns = mr_clock_mono_ns ();
        on_connection (self);
        while (!self->failed && receive (self, now_ns)) {
        }
        make_records (self, now_ns);
        send_all (self, now_ns);
        if (self->ending && mr_sender_idle (self->sender)) {
            break;
        }
        zmq_pollitem_t items[2] = {
            {.socket = self->socket, .events = ZMQ_POLLIN},
            {.socket = self->watch, .events = ZMQ_POLLIN},
        };
        (void)zmq_poll (items, 2, self->rate > 0 ? PACE_MS : IDLE_MS);
    }
    self->done = true;
    return NULL;
}

mr_status_t
mr_load_start (const char *endpoint, unsigned producer, double rate, mr_load_t **ret_load,
               mr_error_t *err)
{
    mr_load_t *self = calloc (1, sizeof *self);
    if (self == NULL || (self->sender = mr_sender_new (0)) == NULL) {
        free (self);
        return mr_error_errno (err, "cannot make a producer");
    }
    snprintf (self->endpoint, sizeof self->endpoint, "%s", endpoint);
    snprintf (self->name, sizeof self->name, "chaos-%u", producer);
    self->producer = producer;
    self->rate = rate;
    if (!open_socket (self)) {
        mr_error_set (err, "cannot connect to %s: %s", endpoint, zmq_strerror (errno));
        mr_load_destroy (&self);
        return MR_SYSTEM;
    }
    int reason = pthread_create (&self->thread, NULL, run, self);
    if (reason != 0) {
        errno = reason;
        (void)mr_error_errno (err, "cannot start a producer");
        mr_load_destroy (&self);
        return MR_SYSTEM;
    }
    self->started = true;
    *ret_load = self;
    return MR_OK;
}

void
mr_load_end (mr_load_t *self)
{
    self->ending = true;
}

bool
mr_load_done (const mr_load_t *self)
{
    return self->done;
}

const char *
mr_load_fault (const mr_load_t *self)
{
    return self->failed ? self->fault.text : NULL;
}

uint64_t
mr_load_made (const mr_load_t *self)
{
    return self->made;
}

uint64_t
mr_load_acknowledged (const mr_load_t *self)
{
    return self->acknowledged;
}

void
mr_load_destroy (mr_load_t **self_p)
{
    mr_load_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    self->giving_up = true;
    if (self->started) {
        pthread_join (self->thread, NULL);
    }
    if (self->socket != NULL) {
        mr_socket_unwatch (self->socket, &self->watch);
        zmq_close (self->socket);
    }
    if (self->zmq != NULL) {
        zmq_ctx_term (self->zmq);
    }
    mr_sender_destroy (&self->sender);
    free (self);
    *self_p = NULL;
}
