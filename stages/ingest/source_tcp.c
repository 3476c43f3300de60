#include "stages/ingest/source.h"

#include "common/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

enum {
    MAX_CONNECTIONS = 1024,
    FEWER_CONNECTIONS = 960, /* so few, and that there are too many is said again */
    FIRST_BYTES = 16 << 10,  /* a connection's buffer grows from here to max_record and a bit */
    READS_A_TURN = 8,
};

typedef struct tcp tcp_t;

typedef struct connection {
    tcp_t *owner;
    int fd; /* -1: free */
    int loop_id;
    char *buffer;
    size_t used;
    size_t taken; /* of used */
    size_t capacity;
    size_t skipped;  /* bytes of a line that is too long, dropped so far; 0: none */
    bool skipped_cr; /* the last of them was a carriage return */
    char sample[MR_INTAKE_SAMPLE_BYTES]; /* its first bytes */
    bool ended;                          /* the peer sends no more */
} connection_t;

struct tcp {
    mr_intake_t *intake;
    mr_loop_t *loop;
    int fd;
    int loop_id;
    bool enabled;
    connection_t *connections[MAX_CONNECTIONS];
    int count;
    bool full;        /* said */
    unsigned serving; /* whose turn it is to be served first */
};

static void
close_connection (connection_t *connection)
{
    tcp_t *self = connection->owner;
    mr_loop_remove (self->loop, connection->loop_id);
    close (connection->fd);
    for (int i = 0; i < self->count; i++) {
        if (self->connections[i] == connection) {
            self->connections[i] = self->connections[--self->count];
        }
    }
    free (connection->buffer);
    free (connection);
    self->full = self->full && self->count > FEWER_CONNECTIONS;
    if (self->fd >= 0 && self->enabled) {
        mr_loop_events (self->loop, self->loop_id, ZMQ_POLLIN);
    }
}

/* Drop bytes of a line that is too long. */
static void
skip (connection_t *connection, const char *data, size_t bytes)
{
    if (bytes > 0) {
        connection->skipped += bytes;
        connection->skipped_cr = data[bytes - 1] == '\r';
    }
}

/* The line that is too long ends here, and its length is known. */
static void
end_skipped (connection_t *connection)
{
    size_t total = connection->skipped - connection->skipped_cr;
    size_t kept = total < MR_INTAKE_SAMPLE_BYTES ? total : MR_INTAKE_SAMPLE_BYTES;
    mr_intake_too_long (connection->owner->intake, connection->sample, kept, total);
    connection->skipped = 0;
    connection->skipped_cr = false;
}

/* Take whole lines out of the buffer. false: the intake takes no more now. */
static bool
take_lines (connection_t *connection)
{
    mr_intake_t *intake = connection->owner->intake;
    for (;;) {
        char *line = connection->buffer + connection->taken;
        size_t left = connection->used - connection->taken;
        char *end = left == 0 ? NULL : memchr (line, '\n', left);
        if (end == NULL) {
            return true;
        }
        if (!mr_intake_ready (intake)) {
            return false;
        }
        size_t bytes = (size_t)(end - line) + 1;
        if (connection->skipped > 0) {
            skip (connection, line, bytes - 1);
            end_skipped (connection);
        } else {
            mr_intake_record (intake, line, bytes);
        }
        connection->taken += bytes;
    }
}

/* Move what is left to the front; when a line fills the whole buffer, grow it, or give the line up.
 * false: no memory. */
static bool
make_room (connection_t *connection)
{
    size_t limit = mr_intake_max_record (connection->owner->intake) + 2;
    size_t left = connection->used - connection->taken;
    if (left > 0 && connection->taken > 0) {
        memmove (connection->buffer, connection->buffer + connection->taken, left);
    }
    connection->used = left;
    connection->taken = 0;
    if (connection->skipped > 0) { /* nothing of this line is wanted any more */
        skip (connection, connection->buffer, left);
        connection->used = 0;
        return true;
    }
    if (left < connection->capacity) {
        return true;
    }
    if (connection->capacity < limit) {
        size_t capacity = 2 * connection->capacity < limit ? 2 * connection->capacity : limit;
        char *buffer = realloc (connection->buffer, capacity);
        if (buffer == NULL) {
            return false;
        }
        connection->buffer = buffer;
        connection->capacity = capacity;
        return true;
    }
    memcpy (connection->sample, connection->buffer,
            left < sizeof connection->sample ? left : sizeof connection->sample);
    skip (connection, connection->buffer, left);
    connection->used = 0;
    return true;
}

/* The last line needs no newline. */
static void
finish (connection_t *connection)
{
    size_t left = connection->used - connection->taken;
    if (connection->skipped > 0) {
        skip (connection, connection->buffer + connection->taken, left);
        end_skipped (connection);
    } else if (left > 0) {
        mr_intake_record (connection->owner->intake, connection->buffer + connection->taken, left);
    }
    close_connection (connection);
}

/* One read and what comes of it. false: nothing more to do for now, or the connection is gone. */
static bool
read_once (connection_t *connection)
{
    if (!take_lines (connection) || !mr_intake_ready (connection->owner->intake)) {
        return false;
    }
    if (connection->ended) {
        finish (connection);
        return false;
    }
    if (!make_room (connection)) {
        mr_log_error ("no memory for a TCP line; the connection is closed");
        close_connection (connection);
        return false;
    }
    ssize_t bytes = read (connection->fd, connection->buffer + connection->used,
                          connection->capacity - connection->used);
    if (bytes > 0) {
        connection->used += (size_t)bytes;
        return take_lines (connection);
    }
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
        return false;
    }
    connection->ended = true;
    return true;
}

static void
on_connection (void *arg, short revents)
{
    (void)revents;
    connection_t *connection = arg;
    mr_intake_t *intake = connection->owner->intake;
    for (int i = 0; i < READS_A_TURN && read_once (connection); i++) {
    }
    mr_intake_turn_over (intake);
}

static void
add_connection (tcp_t *self, int fd)
{
    connection_t *connection = calloc (1, sizeof *connection);
    char *buffer = malloc (FIRST_BYTES);
    int id = 0;
    if (connection != NULL && buffer != NULL) {
        *connection =
            (connection_t){.owner = self, .fd = fd, .buffer = buffer, .capacity = FIRST_BYTES};
        id = mr_loop_add (self->loop, mr_loop_fd (fd), self->enabled ? ZMQ_POLLIN : 0,
                          on_connection, connection);
    }
    if (id == 0) {
        mr_log_error ("no memory for a TCP connection");
        free (connection);
        free (buffer);
        close (fd);
        return;
    }
    connection->loop_id = id;
    self->connections[self->count++] = connection;
}

static void
on_accept (void *arg, short revents)
{
    (void)revents;
    tcp_t *self = arg;
    while (self->count < MAX_CONNECTIONS) {
        int fd = accept4 (self->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        add_connection (self, fd);
    }
    if (!self->full) {
        mr_log_warn ("%d TCP connections: who comes now waits, unread, until one of them ends",
                     MAX_CONNECTIONS);
    }
    self->full = true;
    mr_loop_events (self->loop, self->loop_id, 0);
}

/* Serving a connection may close it and change the order of the others. */
static void
serve (void *arg)
{
    tcp_t *self = arg;
    connection_t *connections[MAX_CONNECTIONS];
    int count = self->count;
    memcpy (connections, self->connections, (size_t)count * sizeof *connections);
    unsigned first = self->serving++;
    for (int i = 0; i < count && self->enabled; i++) {
        on_connection (connections[(first + (unsigned)i) % (unsigned)count], 0);
    }
}

static void
enable (void *arg, bool enabled)
{
    tcp_t *self = arg;
    self->enabled = enabled;
    if (self->fd >= 0) {
        mr_loop_events (self->loop, self->loop_id,
                        enabled && self->count < MAX_CONNECTIONS ? ZMQ_POLLIN : 0);
    }
    for (int i = 0; i < self->count; i++) {
        mr_loop_events (self->loop, self->connections[i]->loop_id, enabled ? ZMQ_POLLIN : 0);
    }
}

/* Whole lines that are here are taken; the rest of the stream is lost, as README says of TCP. */
static void
stop (void *arg)
{
    tcp_t *self = arg;
    enable (self, false);
    for (int i = 0; i < self->count; i++) {
        connection_t *connection = self->connections[i];
        char *line = connection->buffer + connection->taken;
        size_t left = connection->used - connection->taken;
        for (char *end; left > 0 && (end = memchr (line, '\n', left)) != NULL;) {
            size_t bytes = (size_t)(end - line) + 1;
            bool fits = mr_intake_request_fits (self->intake, 1, bytes);
            if (fits && connection->skipped > 0) {
                skip (connection, line, bytes - 1);
                end_skipped (connection);
            } else if (fits) {
                mr_intake_record (self->intake, line, bytes);
            }
            connection->skipped = 0;
            line += bytes;
            left -= bytes;
        }
        connection->taken = connection->used;
    }
}

static void
destroy (void *arg)
{
    tcp_t *self = arg;
    while (self->count > 0) {
        self->enabled = false;
        close_connection (self->connections[self->count - 1]);
    }
    if (self->fd >= 0) {
        if (self->loop_id != 0) {
            mr_loop_remove (self->loop, self->loop_id);
        }
        close (self->fd);
    }
    free (self);
}

mr_status_t
mr_source_tcp_new (mr_stage_t *stage, mr_intake_t *intake, const mr_binding_t *binding,
                   mr_error_t *err)
{
    tcp_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "tcp");
    }
    self->intake = intake;
    self->loop = mr_stage_loop (stage);
    self->enabled = true;
    self->fd = -1;
    mr_status_t status = mr_binding_listen (binding, &self->fd, err);
    if (status == MR_OK) {
        self->loop_id =
            mr_loop_add (self->loop, mr_loop_fd (self->fd), ZMQ_POLLIN, on_accept, self);
        mr_source_t source = {
            .enable = enable, .serve = serve, .stop = stop, .destroy = destroy, .self = self};
        status = mr_intake_add_source (intake, &source);
    }
    if (status != MR_OK) {
        destroy (self);
    }
    return status;
}
