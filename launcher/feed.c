#include "launcher/feed.h"

#include "common/base/clock.h"
#include "common/runtime/sockets.h"
#include "launcher/feed_link.h"
#include "launcher/feed_name.h"
#include "launcher/feed_place.h"
#include "launcher/sender.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { STEP_MS = 100, IDLE_MS = 20, PACE_MS = 5, STOP_MS = 5000, SHOWN_REFUSALS = 5 };

typedef struct feed {
    const mr_feed_options_t *options;
    mr_lines_t *lines;
    mr_feed_watcher_t watcher;
    mr_feed_counts_t *counts;
    mr_feed_link_t link;
    mr_sender_t *sender;
    mr_feed_name_t name;
    mr_feed_place_t place;
    mr_place_t *lost; /* only its last number is asked for */
    bool asking;      /* the request for `last` is under way */
    bool known;       /* its answer is here */
    uint64_t skip;    /* records of the file that are acknowledged already */
    bool connected;
    bool ended;       /* nothing more to read */
    bool stopping;    /* told to stop */
    bool overtaken;   /* said, that somebody else uses the name */
    const char *line; /* read, and not yet taken by the sender */
    size_t line_bytes;
    uint64_t paced; /* records let through since pace_ns */
    int64_t pace_ns;
    int64_t heard_ns; /* the last answer, or connection change, or having nothing due */
    int64_t ticked_ns;
    mr_feed_counts_t before;
} feed_t;

/* ---- the connection ---- */

static void
on_connection (feed_t *self, int64_t now_ns)
{
    int event;
    while (mr_socket_next_event (self->link.watch, &event)) {
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
    if (self->lost != NULL) {
        mr_feed_place_tell_lost (self->lost, last);
        return MR_OK;
    }
    mr_status_t status = mr_feed_place_go (&self->place, self->lines, &self->name, last, err);
    self->skip = self->place.skip;
    self->counts->skipped += self->place.passed;
    mr_sender_destroy (&self->sender);
    self->sender = mr_sender_new (last);
    return status != MR_OK || self->sender != NULL ? status : mr_error_errno (err, "sender");
}

/* Its journal is gone, or older than what it acknowledged. */
static void
go_on_under_another_name (feed_t *self)
{
    uint64_t last = mr_sender_last (self->sender);
    fprintf (stderr, "%s has forgotten what it took; going on behind what it acknowledged\n",
             self->options->endpoint);
    mr_feed_name_renew (&self->name);
    mr_feed_place_renew (&self->place, self->lines, &self->name, last);
    mr_sender_rename (self->sender);
}

static void
tell_overtaken (feed_t *self)
{
    if (!self->overtaken) {
        self->overtaken = true;
        fprintf (stderr,
                 "another send numbers records under the name %s, or did a moment ago: what it has "
                 "sent is not sent again, which is right if it is of the same file\n",
                 self->name.text);
    }
}

static mr_status_t
take_answer (void *arg, const mr_frame_t *frames, size_t count, mr_error_t *err)
{
    feed_t *self = arg;
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
        mr_feed_place_refused (&self->place, mr_sender_last (self->sender));
        break;
    case MR_SENDER_FORGOTTEN:
        go_on_under_another_name (self);
        break;
    case MR_SENDER_OVERTAKEN:
        tell_overtaken (self);
        break;
    }
    return MR_OK;
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

/* It gets no number: the next run comes to the same numbers. */
static bool
refuse_line (feed_t *self)
{
    self->counts->sent++;
    self->before.refused++;
    self->line = NULL;
    return true;
}

static bool
take_line (feed_t *self, mr_error_t *err, mr_status_t *ret_status)
{
    if (self->line == NULL) {
        *ret_status = mr_lines_next (self->lines, &self->line, &self->line_bytes, err);
        if (*ret_status == MR_INVALID) {
            fprintf (stderr, "%s\n", err->text);
            *ret_status = MR_OK;
            return refuse_line (self);
        }
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
        fprintf (stderr, "a record of %zu bytes is refused: max_record is %" PRIu64 "\n",
                 self->line_bytes, self->options->max_record);
        return refuse_line (self);
    }
    if (self->skip > 0) {
        self->skip--;
        self->counts->skipped++;
        self->line = NULL;
        return true;
    }
    *ret_status = mr_sender_add_at (self->sender, self->line, self->line_bytes,
                                    (uint64_t)mr_lines_offset (self->lines));
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
    while (mr_sender_next (self->sender, true, now_ns, &request)) {
        /* First, so that its place is known, whichever of us dies before the answer is here. */
        mr_feed_place_note (&self->place, self->lines, request.number, request.end);
        if (mr_feed_link_send (&self->link, self->name.text, request.number, request.records,
                               request.count) != MR_OK) {
            return;
        }
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
    int next_fd = mr_lines_next_fd (self->lines);
    zmq_pollitem_t items[3] = {
        {.socket = self->link.socket, .events = ZMQ_POLLIN},
        {.socket = self->link.watch, .events = ZMQ_POLLIN},
        {.fd = next_fd >= 0 ? next_fd : fd, .events = ZMQ_POLLIN}, /* a file, or a stream */
    };
    /* All that could be read and sent has been; time alone matters for pacing and pauses. */
    int timeout_ms = self->options->rate > 0 ? PACE_MS : IDLE_MS;
    (void)zmq_poll (items, next_fd >= 0 || (fd >= 0 && reading) ? 3 : 2, timeout_ms);
    if (next_fd >= 0 && items[2].revents != 0) {
        mr_lines_look (self->lines);
    }
}

static void
update_counts (feed_t *self, int64_t now_ns)
{
    self->counts->acknowledged = self->before.acknowledged + mr_sender_acknowledged (self->sender);
    self->counts->refused = self->before.refused + mr_sender_refused (self->sender);
    if (now_ns - self->ticked_ns >= STEP_MS * MR_NS_PER_MS) {
        self->ticked_ns = now_ns;
        mr_lines_look (self->lines);
        mr_feed_place_look (&self->place, self->lines);
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
        status = mr_feed_link_receive (&self->link, take_answer, self, err);
    }
    if (status != MR_CLOSED) {
        return status;
    }
    if (!self->known) {
        if (!self->asking && self->connected) {
            self->asking = mr_feed_link_send (&self->link, self->name.text, 0, NULL, 0) == MR_OK;
        }
        return MR_OK;
    }
    if (self->lost != NULL) {
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

/* Whether something else than what was read is open now. */
static bool
has_changed (feed_t *self)
{
    mr_lines_change_t change = mr_lines_change (self->lines);
    if (change == MR_LINES_TRUNCATED) {
        fprintf (stderr, "%s was truncated or written anew: it is read from its beginning\n",
                 mr_lines_path (self->lines));
    }
    return change != MR_LINES_SAME || is_shorter (self);
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
        if (self->lost != NULL && idle) {
            return MR_CLOSED;
        }
        if ((self->ended && idle) || (self->stopping && !self->known)) {
            return MR_OK;
        }
        if (idle && self->line == NULL && has_changed (self)) {
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

/* A new name: what ingest has of it is to be asked for. */
static mr_status_t
begin (feed_t *self, mr_error_t *err)
{
    mr_sender_destroy (&self->sender);
    self->sender = mr_sender_new (0);
    self->known = self->asking = false;
    self->before.acknowledged = self->counts->acknowledged;
    self->before.refused = self->counts->refused;
    return self->sender != NULL ? MR_OK : mr_error_errno (err, "sender");
}

/* Of files that are not to be found: how far they were taken. MR_CLOSED: told to stop. */
static mr_status_t
ask_for_lost (feed_t *self, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    while (status == MR_OK && self->options->resume != NULL &&
           (self->lost = mr_resume_lost (self->options->resume)) != NULL) {
        const mr_place_facts_t *facts = mr_place_facts (self->lost);
        mr_feed_name_set (&self->name, facts->text, facts->generation, facts->renewed, false);
        status = begin (self, err);
        if (status == MR_OK) {
            status = run (self, err);
            status = status == MR_CLOSED ? MR_OK : status == MR_OK ? MR_CLOSED : status;
        }
        mr_place_close (&self->lost);
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
        .place = {.dir = options->places, .follow = options->follow},
    };
    if (options->producer != NULL) {
        mr_lines_keep_order (lines);
    }
    mr_status_t status = mr_feed_link_open (&self.link, options->endpoint, err);
    if (status == MR_OK) {
        status = ask_for_lost (&self, err);
    }
    for (bool more = status == MR_OK; more;) {
        status = wait_for_name (&self, err);
        if (status == MR_OK) {
            mr_feed_place_begin (&self.place, lines, &self.name);
            status = begin (&self, err);
        }
        if (status == MR_OK) {
            status = run (&self, err);
            more = status == MR_CLOSED; /* another file is there under its name */
        } else {
            more = false;
        }
    }
    mr_feed_link_close (&self.link);
    mr_feed_place_release (&self.place);
    mr_sender_destroy (&self.sender);
    return status == MR_CLOSED ? MR_OK : status;
}
