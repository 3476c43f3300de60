#include "tests/bench/load/load_channel.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

enum { TIMEOUT_MS = 60000, HOST_BYTES = 256, ID_BYTES = 64, ANSWER_BYTES = 512 };

typedef enum kind { PUSH, CHUNKS, ACKED, TCP } kind_t;

struct mr_load_channel {
    kind_t kind;
    void *context;
    void *socket;
    int fd;
    const char *name;
    unsigned window;
    unsigned unanswered; /* requests */
    uint64_t acknowledged;
    bool back; /* an answer was not ok: when all have come, go on behind what is acknowledged */
};

/* ---- open ---- */

static bool
open_zmq (mr_load_channel_t *self, const char *endpoint)
{
    int one = 1;
    int timeout_ms = TIMEOUT_MS;
    self->context = zmq_ctx_new ();
    self->socket = zmq_socket (self->context, self->kind == ACKED ? ZMQ_DEALER : ZMQ_PUSH);
    if (self->socket == NULL) {
        return false;
    }
    zmq_setsockopt (self->socket, ZMQ_IMMEDIATE, &one, sizeof one);
    zmq_setsockopt (self->socket, ZMQ_SNDTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_setsockopt (self->socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_setsockopt (self->socket, ZMQ_LINGER, &timeout_ms, sizeof timeout_ms);
    if (self->kind == CHUNKS) {
        int hwm = 64;
        zmq_setsockopt (self->socket, ZMQ_SNDHWM, &hwm, sizeof hwm);
    }
    zmq_pollitem_t item = {.socket = self->socket, .events = ZMQ_POLLOUT};
    return zmq_connect (self->socket, endpoint) == 0 && zmq_poll (&item, 1, TIMEOUT_MS) == 1;
}

static bool
open_tcp (mr_load_channel_t *self, const char *address)
{
    char host[HOST_BYTES];
    const char *colon = strrchr (address, ':');
    if (colon == NULL || (size_t)(colon - address) >= sizeof host) {
        return false;
    }
    snprintf (host, sizeof host, "%.*s", (int)(colon - address), address);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    if (getaddrinfo (host, colon + 1, &hints, &found) != 0) {
        return false;
    }
    self->fd = socket (found->ai_family, found->ai_socktype | SOCK_CLOEXEC, 0);
    bool connected = self->fd >= 0 && connect (self->fd, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo (found);
    return connected;
}

mr_load_channel_t *
mr_load_channel_open (const mr_load_options_t *options)
{
    static const char *const modes[] = {"push", "chunks", "acked", "tcp"};
    mr_load_channel_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    self->fd = -1;
    self->name = options->name;
    self->window = options->window;
    unsigned kind = PUSH;
    while (kind <= TCP && strcmp (options->mode, modes[kind]) != 0) {
        kind++;
    }
    self->kind = (kind_t)kind;
    bool open = kind <= TCP &&
                (self->kind == TCP ? open_tcp (self, options->to) : open_zmq (self, options->to));
    if (!open) {
        mr_load_channel_close (&self);
    }
    return self;
}

void
mr_load_channel_close (mr_load_channel_t **self_p)
{
    mr_load_channel_t *self = *self_p;
    if (self->fd >= 0) {
        close (self->fd);
    }
    if (self->socket != NULL) {
        zmq_close (self->socket);
    }
    if (self->context != NULL) {
        zmq_ctx_term (self->context);
    }
    free (self);
    *self_p = NULL;
}

/* ---- send ---- */

/* The data that stays is sent where it lies. */
static bool
send_frame (mr_load_channel_t *self, const char *data, size_t bytes, int flags)
{
    zmq_msg_t msg;
    if (zmq_msg_init_data (&msg, (void *)(uintptr_t)data, bytes, NULL, NULL) != 0) {
        return false;
    }
    return zmq_msg_send (&msg, self->socket, flags) >= 0;
}

static bool
send_plain (mr_load_channel_t *self, const mr_load_piece_t *piece, size_t bytes)
{
    return piece->copy ? zmq_send (self->socket, piece->lines, bytes, 0) >= 0
                       : send_frame (self, piece->lines, bytes, 0);
}

static bool
send_stream (mr_load_channel_t *self, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t wrote = send (self->fd, data, bytes, MSG_NOSIGNAL);
        if (wrote < 0 && errno != EINTR) {
            return false;
        }
        data += wrote > 0 ? wrote : 0;
        bytes -= wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

/* One answer: id, word, detail. */
static bool
take_answer (mr_load_channel_t *self, int flags)
{
    char word[ANSWER_BYTES] = "";
    char detail[ANSWER_BYTES] = "";
    for (int frame = 0;; frame++) {
        zmq_msg_t msg;
        zmq_msg_init (&msg);
        if (zmq_msg_recv (&msg, self->socket, frame == 0 ? flags : 0) < 0) {
            zmq_msg_close (&msg);
            return false;
        }
        char *to = frame == 1 ? word : detail;
        snprintf (to, ANSWER_BYTES, "%.*s", (int)zmq_msg_size (&msg), (char *)zmq_msg_data (&msg));
        bool more = zmq_msg_more (&msg) != 0;
        zmq_msg_close (&msg);
        if (!more) {
            break;
        }
    }
    self->unanswered--;
    if (strcmp (word, "ok") == 0) {
        uint64_t last = strtoull (detail, NULL, 10);
        self->acknowledged = last > self->acknowledged ? last : self->acknowledged;
    } else {
        self->back = true;
        if (strcmp (word, "error") == 0) {
            fprintf (stderr, "load: refused: %s\n", detail);
            exit (1);
        }
    }
    return true;
}

static bool
send_request (mr_load_channel_t *self, const mr_load_piece_t *piece)
{
    char id[ID_BYTES];
    snprintf (id, sizeof id, "%s/%llu", self->name, (unsigned long long)piece->last);
    if (zmq_send (self->socket, id, strlen (id), ZMQ_SNDMORE) < 0) {
        return false;
    }
    for (unsigned i = 0; i < piece->count; i++) {
        const char *record = piece->lines + i * (piece->record_bytes + 1);
        int flags = i + 1 < piece->count ? ZMQ_SNDMORE : 0;
        bool sent = piece->copy ? zmq_send (self->socket, record, piece->record_bytes, flags) >= 0
                                : send_frame (self, record, piece->record_bytes, flags);
        if (!sent) {
            return false;
        }
    }
    self->unanswered++;
    return true;
}

bool
mr_load_channel_flush (mr_load_channel_t *self, uint64_t *ret_sent)
{
    if (self->kind != ACKED) {
        return true;
    }
    while (self->unanswered > 0) {
        if (!take_answer (self, 0)) {
            return false;
        }
    }
    if (self->back) {
        self->back = false;
        *ret_sent = self->acknowledged;
    }
    return true;
}

static bool
send_acked (mr_load_channel_t *self, const mr_load_piece_t *piece, uint64_t *ret_sent)
{
    while (take_answer (self, ZMQ_DONTWAIT)) {
    }
    while (self->unanswered >= self->window) {
        if (!take_answer (self, 0)) {
            return false;
        }
    }
    if (self->back) {
        return mr_load_channel_flush (self, ret_sent);
    }
    *ret_sent = piece->last;
    return send_request (self, piece);
}

bool
mr_load_channel_send (mr_load_channel_t *self, const mr_load_piece_t *piece, uint64_t *ret_sent)
{
    size_t bytes = piece->count * (piece->record_bytes + 1);
    bool sent = false;
    switch (self->kind) {
    case PUSH:
        sent = send_plain (self, piece, bytes - 1);
        break;
    case CHUNKS:
        sent = send_plain (self, piece, bytes);
        break;
    case TCP:
        sent = send_stream (self, piece->lines, bytes);
        break;
    case ACKED:
        return send_acked (self, piece, ret_sent);
    }
    if (sent) {
        *ret_sent = piece->last;
    }
    return sent;
}
