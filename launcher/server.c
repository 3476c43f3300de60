#include "launcher/server.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/runtime/sockets.h"

#include <czmq.h>

enum { KEPT_NOTES = 256, SEND_HWM = 10000, CLOSE_MS = 1000, DEFAULT_TIMEOUT_MS = 60000 };

typedef struct request {
    int id; /* 0: free */
    zmsg_t *envelope;
    bool quiet; /* wants no notes */
    int64_t deadline_ns;
} request_t;

struct mr_server {
    zsock_t *socket;
    mr_loop_t *loop;
    char path[PATH_MAX + 16]; /* of the socket; "" until it is bound */
    mr_socket_file_t file;
    int watch;
    mr_server_fn *fn;
    void *arg;
    int next_id;
    request_t requests[MR_SERVER_MAX_REQUESTS];
    json_t *notes; /* the last KEPT_NOTES */
};

static void
send_json (mr_server_t *self, const zmsg_t *envelope, json_t *object)
{
    char *text = json_dumps (object, JSON_COMPACT);
    zmsg_t *message = zmsg_dup ((zmsg_t *)envelope);
    if (text != NULL && message != NULL && zmsg_addstr (message, text) == 0 &&
        zmsg_send (&message, self->socket) == 0) {
        message = NULL;
    }
    zmsg_destroy (&message); /* a peer that has gone away: nobody is left to tell */
    free (text);
}

static void
refuse (mr_server_t *self, zmsg_t *envelope, const char *why)
{
    json_t *answer = json_pack ("{s:i,s:s}", "code", MR_EXIT_USAGE, "text", why);
    send_json (self, envelope, answer);
    json_decref (answer);
}

static request_t *
free_request (mr_server_t *self)
{
    for (int i = 0; i < MR_SERVER_MAX_REQUESTS; i++) {
        if (self->requests[i].id == 0) {
            return &self->requests[i];
        }
    }
    return NULL;
}

static void
open_request (mr_server_t *self, zmsg_t **envelope_p, const json_t *object)
{
    request_t *request = free_request (self);
    if (request == NULL) {
        refuse (self, *envelope_p, "too many requests are open; try again");
        return;
    }
    json_int_t timeout_ms = json_integer_value (json_object_get (object, "timeout_ms"));
    if (timeout_ms <= 0 || timeout_ms > INT32_MAX) {
        timeout_ms = DEFAULT_TIMEOUT_MS;
    }
    *request = (request_t){
        .id = ++self->next_id,
        .envelope = *envelope_p,
        .quiet = !json_is_true (json_object_get (object, "notes")),
        .deadline_ns = mr_clock_mono_ns () + timeout_ms * MR_NS_PER_MS,
    };
    *envelope_p = NULL;
    if (json_is_true (json_object_get (object, "replay"))) {
        size_t index;
        json_t *note;
        json_array_foreach (self->notes, index, note)
        {
            send_json (self, request->envelope, note);
        }
    }
    self->fn (self->arg, request->id, object);
}

static void
take_one (mr_server_t *self)
{
    zmsg_t *message = zmsg_recv (self->socket);
    if (message == NULL || zmsg_size (message) < 2) {
        zmsg_destroy (&message);
        return;
    }
    /* All frames but the last are the way back; REQ's empty delimiter is among them. */
    zframe_t *body = zmsg_last (message);
    zmsg_remove (message, body);
    json_error_t fault;
    json_t *object = NULL;
    if (zframe_size (body) <= MR_SERVER_REQUEST_MAX_BYTES) {
        object = json_loadb ((const char *)zframe_data (body), zframe_size (body), 0, &fault);
    }
    if (json_is_object (object)) {
        open_request (self, &message, object);
    } else {
        refuse (self, message, "a request is one JSON object of at most 64 KiB");
    }
    json_decref (object);
    zframe_destroy (&body);
    zmsg_destroy (&message);
}

static void
on_input (void *arg, short revents)
{
    mr_server_t *self = arg;
    (void)revents;
    for (int i = 0; i < 100 && (zsock_events (self->socket) & ZMQ_POLLIN); i++) {
        take_one (self);
    }
}

mr_status_t
mr_server_new (const char *run_dir, mr_loop_t *loop, mr_server_t **ret_server, mr_error_t *err)
{
    mr_server_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "control socket");
    }
    self->loop = loop;
    self->notes = json_array ();
    self->socket = zsock_new (ZMQ_ROUTER);
    if (self->socket == NULL || self->notes == NULL) {
        mr_server_destroy (&self);
        return mr_error_errno (err, "control socket");
    }
    zsock_set_linger (self->socket, CLOSE_MS);
    zsock_set_sndhwm (self->socket, SEND_HWM);
    zsock_set_rcvhwm (self->socket, SEND_HWM);
    zsock_set_maxmsgsize (self->socket, 4 * MR_SERVER_REQUEST_MAX_BYTES);
    if (zsock_bind (self->socket, "ipc://%s/launcher.ipc", run_dir) < 0) {
        (void)mr_error_errno (err, "cannot bind %s/launcher.ipc", run_dir);
        mr_server_destroy (&self);
        return MR_SYSTEM;
    }
    snprintf (self->path, sizeof self->path, "%s/launcher.ipc", run_dir);
    mr_socket_file_note (&self->file, self->path);
    self->watch = mr_loop_add (loop, mr_loop_socket (zsock_resolve (self->socket)), ZMQ_POLLIN,
                               on_input, self);
    *ret_server = self;
    return MR_OK;
}

mr_status_t
mr_server_hold (mr_server_t *self, mr_error_t *err)
{
    return mr_socket_hold (&self->file, zsock_resolve (self->socket), self->path, err);
}

void
mr_server_on_request (mr_server_t *self, mr_server_fn *fn, void *arg)
{
    self->fn = fn;
    self->arg = arg;
}

void
mr_server_destroy (mr_server_t **self_p)
{
    mr_server_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (int i = 0; i < MR_SERVER_MAX_REQUESTS; i++) {
        zmsg_destroy (&self->requests[i].envelope);
    }
    if (self->watch != 0) {
        mr_loop_remove (self->loop, self->watch);
    }
    zsock_destroy (&self->socket);
    if (self->path[0] != '\0') {
        mr_socket_file_remove (&self->file, self->path); /* libzmq leaves it; the lock is ours */
    }
    json_decref (self->notes);
    free (self);
    *self_p = NULL;
}

void
mr_server_note (mr_server_t *self, json_t *note)
{
    for (int i = 0; i < MR_SERVER_MAX_REQUESTS; i++) {
        const request_t *request = &self->requests[i];
        if (request->id != 0 && !request->quiet) {
            send_json (self, request->envelope, note);
        }
    }
    if (json_array_size (self->notes) >= KEPT_NOTES) {
        json_array_remove (self->notes, 0);
    }
    json_array_append_new (self->notes, note);
}

void
mr_server_answer (mr_server_t *self, int id, int code, const char *text, json_t *body)
{
    for (int i = 0; i < MR_SERVER_MAX_REQUESTS; i++) {
        request_t *request = &self->requests[i];
        if (request->id != id || id == 0) {
            continue;
        }
        json_t *answer = json_pack ("{s:i,s:s}", "code", code, "text", text);
        if (body != NULL) {
            json_object_update (answer, body);
        }
        send_json (self, request->envelope, answer);
        json_decref (answer);
        zmsg_destroy (&request->envelope);
        request->id = 0;
    }
    json_decref (body);
}

void
mr_server_tick (mr_server_t *self, int64_t now_ns)
{
    for (int i = 0; i < MR_SERVER_MAX_REQUESTS; i++) {
        if (self->requests[i].id != 0 && now_ns >= self->requests[i].deadline_ns) {
            mr_server_answer (self, self->requests[i].id, MR_EXIT_TIMEOUT,
                              "not yet true when the time was up; the launcher goes on with it",
                              NULL);
        }
    }
}
