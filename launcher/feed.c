#include "launcher/feed.h"

#include "common/base/clock.h"
#include "common/runtime/sockets.h"
#include "launcher/feed_name.h"
#include "launcher/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum {
    STEP_MS = 100,
    IDLE_MS = 20,
    PACE_MS = 5,
    STOP_MS = 5000,
    MAX_FRAMES = 4,
    SHOWN_REFUSALS = 5
};

typedef struct feed {
    const mr_feed_options_t *options;
    mr_lines_t *lines;
    mr_feed_watcher_t watcher;
    mr_feed_counts_t *counts;
    void *zmq;
    void *socket;
    void *watch;
    mr_sender_t *sender;
    mr_feed_name_t name;
    bool asking;   /* the request for `last` is under way */
    bool known;    /* its answer is here */
    uint64_t skip; /* records of the file that are acknowledged already */
    bool connected;
    bool ended;       /* nothing more to read */
    bool stopping;    /* told to stop */
    const char *line; /* read, and not yet taken by the sender */
    size_t line_bytes;
    uint64_t paced; /* records let through since pace_ns */
    int64_t pace_ns;
    int64_t heard_ns; /* the last answer, or connection change, or having nothing due */
    int64_t ticked_ns;
    mr_feed_counts_t before;
} feed_t;

/* ---- the socket ---- */

static mr_status_t
open_socket (feed_t *self, mr_error_t *err)
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
    if (self->watch == NULL || zmq_connect (self->socket, self->options->endpoint) != 0) {
        mr_error_set (err, "cannot connect to %s: %s", self->options->endpoint,
                      zmq_strerror (errno));
        return MR_SYSTEM;
    }
    return MR_OK;
}

static void
close_socket (feed_t *self)
{
    if (self->socket != NULL) {
        mr_socket_unwatch (self->socket, &self->watch);
        zmq_close (self->socket);
    }
    if (self->zmq != NULL) {
        zmq_ctx_term (self->zmq);
    }
}

/* One request; records may be NULL with count 0. False: no room now. */
static bool
send_request (feed_t *self, uint64_t number, const mr_frame_t *records, size_t count)
{
    char id[MR_PRODUCER_ID_MAX_BYTES + 1];
    if (mr_producer_id_format (self->name.text, number, id, NULL) != MR_OK) {
        return false;
    }
    if (zmq_send (self->socket, id, strlen (id), ZMQ_DONTWAIT | (count > 0 ? ZMQ_SNDMORE : 0)) <
        0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        /* Once the first part is in, libzmq takes the others. */
        int flags = i + 1 < count ? ZMQ_SNDMORE : 0;
        while (zmq_send (self->socket, records[i].data, records[i].bytes, flags) < 0) {
            if (errno != EINTR) {
                return false;
            }
        }
    }
    return true;
}

static void
on_connection (feed_t *self, int64_t now_ns)
{
    int event;
    while (mr_socket_next_event (self->watch, &event)) {
        self->connected = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
        self->heard_ns = now_ns;
        if (self->connected) {
            /* What was under way on the old connection will not be answered. */
            self->asking = false;
            mr_sender_resend (self->sender);
        }
    }
}

/* ---- answers ---- */

static mr_status_t
begin_after (feed_t *self, uint64_t last, mr_error_t *err)
{
    self->asking = false;
    if (self->known) {
        return MR_OK;
    }
    if (mr_feed_name_ask_on (&self->name, &last)) {
        return MR_OK;
    }
    self->known = true;
    self->skip = self->name.fresh ? 0 : last;
    mr_sender_destroy (&self->sender);
    self->sender = mr_sender_new (last);
    return self->sender != NULL ? MR_OK : mr_error_errno (err, "sender");
}

static mr_status_t
take_answer (feed_t *self, const mr_frame_t *frames, size_t count, mr_error_t *err)
{
    mr_producer_id_t id;
    mr_answer_t answer;
    if (count < 2 || mr_producer_id_parse (frames[0], &id, err) != MR_OK ||
        mr_answer_decode (frames + 1, count - 1, &answer, err) != MR_OK) {
        mr_error_prefix (err, "%s", self->options->endpoint);
        return MR_INVALID;
    }
    if (!id.numbered || id.name_bytes != strlen (self->name.text) ||
        memcmp (id.name, self->name.text, id.name_bytes) != 0) {
        return MR_OK; /* to a former name */
    }
    self->heard_ns = mr_clock_mono_ns ();
    if (id.number == 0) {
        if (answer.type == MR_ANSWER_OK) {
            return begin_after (self, answer.last, err);
        }
        if (answer.type == MR_ANSWER_ERROR) {
            mr_error_set (err, "%s: %s", self->options->endpoint, answer.why);
            return MR_INVALID;
        }
        self->asking = false; /* busy: ask again */
        return MR_OK;
    }
    switch (mr_sender_answer (self->sender, &answer, id.number, self->heard_ns)) {
    case MR_SENDER_TAKEN:
        break;
    case MR_SENDER_REFUSED:
        if (mr_sender_refused (self->sender) + self->counts->refused <= SHOWN_REFUSALS) {
            fprintf (stderr, "record %" PRIu64 " refused: %s\n", id.number, answer.why);
        }
        break;
    case MR_SENDER_FORGOTTEN:
        fprintf (stderr, "%s has forgotten what it took; going on behind what it acknowledged\n",
                 self->options->endpoint);
        mr_feed_name_renew (&self->name);
        mr_sender_rename (self->sender);
        break;
    }
    return MR_OK;
}

/* Receive one message. MR_CLOSED: none is waiting. */
static mr_status_t
receive (feed_t *self, mr_error_t *err)
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
    mr_status_t status = count == 0 ? MR_CLOSED : take_answer (self, frames, count, err);
    for (size_t i = 0; i < count; i++) {
        zmq_msg_close (&parts[i]);
    }
    return status;
}

/* ---- reading ---- */

/* How many more records the rate lets through now. */
static bool
may_read (feed_t *self, int64_t now_ns)
{
    if (self->options->rate <= 0) {
        return true;
    }
    double due = self->options->rate * (double)(now_ns - self->pace_ns) / (double)MR_NS_PER_S;
    return (double)self->paced < due;
}

static bool
take_line (feed_t *self, mr_error_t *err, mr_status_t *ret_status)
{
    if (self->line == NULL) {
        *ret_status = mr_lines_next (self->lines, &self->line, &self->line_bytes, err);
        if (*ret_status != MR_OK) {
            self->line = NULL;
            return false;
        }
        if (self->line_bytes > 0 && self->line[self->line_bytes - 1] == '\r') {
            self->line_bytes--;
        }
    }
    bool blank = mr_producer_blank (self->line, self->line_bytes);
    bool too_long = self->options->max_record > 0 && self->line_bytes > self->options->max_record;
    if (blank) {
        self->line = NULL;
        return true;
    }
    if (too_long) {
        /* It gets no number: the next run comes to the same numbers. */
        fprintf (stderr, "a record of %zu bytes is refused: max_record is %" PRIu64 "\n",
                 self->line_bytes, self->options->max_record);
        self->counts->sent++;
        self->before.refused++;
        self->line = NULL;
        return true;
    }
    if (self->skip > 0) {
        self->skip--;
        self->counts->skipped++;
        self->line = NULL;
        return true;
    }
    *ret_status = mr_sender_add (self->sender, self->line, self->line_bytes);
    if (*ret_status != MR_OK) {
        return false;
    }
    self->counts->sent++;
    self->paced++;
    self->line = NULL;
    return true;
}

/* Read while there is room. */
static mr_status_t
read_lines (feed_t *self, int64_t now_ns, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    while (!self->ended && mr_sender_room (self->sender) && may_read (self, now_ns) &&
           take_line (self, err, &status)) {
    }
    if (status == MR_CLOSED) {
        if (self->options->loop && mr_lines_offset (self->lines) > 0) {
            mr_lines_rewind (self->lines);
        } else {
            self->ended = true;
        }
        status = MR_OK;
    }
    return status == MR_AGAIN ? MR_OK : status;
}

/* ---- one step ---- */

static void
send_all (feed_t *self, int64_t now_ns)
{
    mr_sender_request_t request;
    /* Reading has gone as far as it can, so that a request that is not full need not wait. */
    while (mr_sender_next (self->sender, true, now_ns, &request) &&
           send_request (self, request.number, request.records, request.count)) {
        mr_sender_sent (self->sender);
    }
}

static bool
is_late (const feed_t *self, int64_t now_ns, mr_error_t *err)
{
    int64_t quiet_ms = (now_ns - self->heard_ns) / MR_NS_PER_MS;
    const mr_feed_options_t *options = self->options;
    if (options->timeout_ms > 0 && quiet_ms >= options->timeout_ms) {
        mr_error_set (err, "%s has not answered for %.1f s", options->endpoint,
                      (double)options->timeout_ms / 1000);
        return true;
    }
    if (!self->connected && options->connect_ms > 0 && quiet_ms >= options->connect_ms) {
        mr_error_set (err, "nobody listens at %s; is the chain up?", options->endpoint);
        return true;
    }
    if (self->stopping && quiet_ms >= STOP_MS) {
        mr_error_set (err, "stopped before everything was acknowledged");
        return true;
    }
    return false;
}

static void
poll_once (const feed_t *self)
{
    int fd = mr_lines_fd (self->lines);
    bool reading = !self->ended && self->known && mr_sender_room (self->sender);
    zmq_pollitem_t items[3] = {
        {.socket = self->socket, .events = ZMQ_POLLIN},
        {.socket = self->watch, .events = ZMQ_POLLIN},
        {.fd = fd, .events = ZMQ_POLLIN},
    };
    /* All that could be read and sent has been; time alone matters for pacing and pauses. */
    int timeout_ms = self->options->rate > 0 ? PACE_MS : IDLE_MS;
    (void)zmq_poll (items, fd >= 0 && reading ? 3 : 2, timeout_ms);
}

static void
update_counts (feed_t *self, int64_t now_ns)
{
    self->counts->acknowledged = self->before.acknowledged + mr_sender_acknowledged (self->sender);
    self->counts->refused = self->before.refused + mr_sender_refused (self->sender);
    if (now_ns - self->ticked_ns >= STEP_MS * MR_NS_PER_MS) {
        self->ticked_ns = now_ns;
        mr_lines_look (self->lines);
        if (!self->watcher.tick (self->watcher.arg, self->counts, self->lines)) {
            self->stopping = true;
            self->ended = true;
        }
    }
}

/* Everything that can be done now. */
static mr_status_t
step (feed_t *self, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    int64_t now_ns = mr_clock_mono_ns ();
    on_connection (self, now_ns);
    while (status == MR_OK) {
        status = receive (self, err);
    }
    if (status != MR_CLOSED) {
        return status;
    }
    if (!self->known) {
        if (!self->asking && self->connected) {
            self->asking = send_request (self, 0, NULL, 0);
        }
        return MR_OK;
    }
    status = read_lines (self, now_ns, err);
    if (status == MR_OK && self->connected) {
        send_all (self, now_ns);
    }
    if (mr_sender_idle (self->sender) && self->connected) {
        self->heard_ns = now_ns; /* nothing is due */
    }
    return status;
}

/* Followed, and it has fewer lines than were acknowledged of it: it was truncated while nobody
 * looked, and what is there now was not sent. */
static bool
is_shorter (feed_t *self)
{
    if (!self->options->follow || self->skip == 0 || self->options->producer != NULL ||
        mr_lines_offset (self->lines) < mr_lines_size (self->lines)) {
        return false;
    }
    fprintf (stderr, "it has %" PRIu64 " lines fewer than were acknowledged: it was truncated\n",
             self->skip);
    mr_lines_rewind (self->lines);
    return true;
}

/* Until all of the present file is acknowledged. */
static mr_status_t
run (feed_t *self, mr_error_t *err)
{
    self->pace_ns = self->heard_ns = mr_clock_mono_ns ();
    for (;;) {
        mr_status_t status = step (self, err);
        if (status != MR_OK) {
            return status;
        }
        int64_t now_ns = mr_clock_mono_ns ();
        update_counts (self, now_ns);
        bool idle = self->known && mr_sender_idle (self->sender);
        if ((self->ended && idle) || (self->stopping && !self->known)) {
            return MR_OK;
        }
        if (idle && self->line == NULL &&
            (mr_lines_change (self->lines) != MR_LINES_SAME || is_shorter (self))) {
            return MR_CLOSED;
        }
        if (is_late (self, now_ns, err)) {
            return MR_AGAIN;
        }
        poll_once (self);
    }
}

/* Wait until the file has a name (follow: its first line). */
static mr_status_t
wait_for_name (feed_t *self, mr_error_t *err)
{
    mr_status_t status;
    while ((status = mr_feed_name_take (&self->name, self->lines, self->options->producer, err)) ==
           MR_AGAIN) {
        if (!self->watcher.tick (self->watcher.arg, self->counts, self->lines)) {
            return MR_CLOSED;
        }
        (void)mr_lines_change (self->lines);
        (void)zmq_poll (NULL, 0, STEP_MS);
    }
    return status;
}

mr_status_t
mr_feed (const mr_feed_options_t *options, mr_lines_t *lines, mr_feed_watcher_t watcher,
         mr_feed_counts_t *counts, mr_error_t *err)
{
    feed_t self = {
        .options = options,
        .lines = lines,
        .watcher = watcher,
        .counts = counts,
        .before = *counts,
    };
    mr_status_t status = open_socket (&self, err);
    bool more = true;
    while (status == MR_OK && more) {
        status = wait_for_name (&self, err);
        if (status == MR_CLOSED) {
            status = MR_OK;
            break;
        }
        mr_sender_destroy (&self.sender);
        self.sender = mr_sender_new (0);
        self.known = self.asking = false;
        self.before.acknowledged = counts->acknowledged;
        self.before.refused = counts->refused;
        if (status == MR_OK && self.sender == NULL) {
            status = mr_error_errno (err, "sender");
        }
        if (status == MR_OK) {
            status = run (&self, err);
            more = status == MR_CLOSED; /* another file is there under its name */
            status = more ? MR_OK : status;
        }
    }
    close_socket (&self);
    mr_sender_destroy (&self.sender);
    return status;
}
