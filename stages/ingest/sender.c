#include "stages/ingest/sender.h"

#include "common/base/crashpoint.h"
#include "common/base/log.h"
#include "common/delivery/rebuild.h"
#include "stages/ingest/sender_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- start ---- */

static mr_status_t
open_window (mr_sender_t *self, mr_error_t *err)
{
    char path[PATH_MAX + 32];
    snprintf (path, sizeof path, "%s/%s.window", self->data_dir,
              mr_stage_worker (self->options.stage));
    mr_rebuild_t rebuild = {
        .data_dir = self->data_dir, .slot = mr_stage_slot (self->options.stage), .path = path};
    mr_status_t status = mr_rebuild_open (&rebuild, self->options.journal, &self->window, err);
    if (status == MR_OK && rebuild.made && rebuild.info.top_seq > 0) {
        mr_log_warn (
            "window rebuilt from journal and spools: %llu batches found in spools, %llu to "
            "be sent again",
            (unsigned long long)rebuild.found, (unsigned long long)rebuild.missing);
    }
    if (status == MR_OK && rebuild.damaged > 0) {
        mr_log_error (
            "the journal's end is damaged: batches after %llu, up to %llu, are not in it; "
            "numbers go on with %llu",
            (unsigned long long)rebuild.info.top_seq, (unsigned long long)rebuild.damaged,
            (unsigned long long)rebuild.info.next_seq);
    }
    return status;
}

/* There is no stored watermark to trust: words that moved on, or say DONE, tell. */
static void
find_watermark (mr_sender_t *self)
{
    mr_journal_info_t info = mr_journal_info (self->options.journal);
    self->top = info.next_seq - 1;
    self->watermark = mr_window_settled_through (self->window, info.watermark, self->top);
    for (uint64_t seq = self->watermark + 1; seq <= self->top; seq++) {
        if (mr_window_load (self->window, seq).seq >= seq) {
            continue;
        }
        if (seq <= info.top_seq) {
            mr_window_send (self->window, seq); /* died between journal and window */
        } else {
            mr_window_mark_done (self->window, seq,
                                 MR_WINDOW_INGEST); /* a number that was skipped */
        }
    }
    self->watermark = mr_window_settled_through (self->window, self->watermark, self->top);
    self->next = self->watermark + 1;
    for (uint64_t seq = self->next; seq <= self->top; seq++) {
        bool settled = mr_window_settled (self->window, seq);
        self->known[mr_sender_place (seq)] = settled;
        self->pushed[mr_sender_place (seq)] = NEVER_PUSHED;
        self->attempts[mr_sender_place (seq)] = 1; /* an earlier life may have pushed it */
        self->in_flight += settled ? 0 : 1;
    }
}

static void
finish_losing_one (mr_sender_t *self, uint64_t seq)
{
    mr_window_word_t word = mr_window_load (self->window, seq);
    if (word.seq == seq && word.state == MR_WINDOW_CLAIMED && word.slot == OWN_SLOT) {
        mr_log_error ("batch %llu is lost: an ingest that died was giving it up",
                      (unsigned long long)seq); /* which it may not have said */
        mr_sender_lose (self, seq);
    }
}

/* What an earlier life was giving up when it died comes before any other loss: only of the last one
 * does the journal say whether it is noted. That one is first: those before it could not be noted
 * then, and hide it when they are. */
static void
finish_losing (mr_sender_t *self)
{
    finish_losing_one (self, mr_journal_info (self->options.journal).lost_seq);
    for (uint64_t seq = self->watermark + 1; seq <= self->top; seq++) {
        finish_losing_one (self, seq);
    }
    mr_sender_advance (self);
}

mr_status_t
mr_sender_new (const mr_sender_options_t *options, mr_sender_t **ret_sender, mr_error_t *err)
{
    mr_sender_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "window");
    }
    const mr_config_section_t *pipeline =
        mr_config_section (mr_stage_config (options->stage), "pipeline");
    self->options = *options;
    snprintf (self->data_dir, sizeof self->data_dir, "%s", mr_config_text (pipeline, "data_dir"));
    snprintf (self->run_dir, sizeof self->run_dir, "%s", mr_config_text (pipeline, "run_dir"));
    self->pushed = calloc (MR_WINDOW_RING, sizeof *self->pushed);
    self->known = calloc (MR_WINDOW_RING, sizeof *self->known);
    self->attempts = calloc (MR_WINDOW_RING, sizeof *self->attempts);
    self->sizes = calloc (MR_WINDOW_RING, sizeof *self->sizes);
    mr_status_t status = MR_OK;
    if (self->pushed == NULL || self->known == NULL || self->attempts == NULL ||
        self->sizes == NULL || mr_sender_frames_init (self) != MR_OK) {
        status = mr_error_errno (err, "window");
    }
    if (status == MR_OK) {
        status = open_window (self, err);
    }
    if (status != MR_OK) {
        mr_sender_destroy (&self);
        return status;
    }
    find_watermark (self);
    finish_losing (self);
    if (options->durability != MR_DURABILITY_FSYNC) { /* else the first sync tells */
        mr_sender_noted (self, mr_journal_info (options->journal).watermark);
    }
    self->progress_ns = mr_clock_mono_ns ();
    if (self->in_flight > 0) {
        mr_log_info ("%u batches of an earlier life are not settled; sending them again",
                     self->in_flight);
    }
    *ret_sender = self;
    return MR_OK;
}

static void
drop_fresh (mr_sender_t *self)
{
    if (self->fresh_seq != 0) {
        zmq_msg_close (&self->fresh);
        self->fresh_seq = 0;
    }
}

void
mr_sender_destroy (mr_sender_t **self_p)
{
    mr_sender_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    drop_fresh (self);
    mr_sender_frames_release (self);
    mr_window_close (&self->window);
    free (self->pushed);
    free (self->known);
    free (self->attempts);
    free (self->sizes);
    free (self);
    *self_p = NULL;
}

/* ---- state ---- */

uint32_t
mr_sender_in_flight (const mr_sender_t *self)
{
    return self->in_flight;
}

static bool
waits_for_disk (const mr_sender_t *self)
{
    return self->options.durability == MR_DURABILITY_FSYNC;
}

bool
mr_sender_ready (const mr_sender_t *self)
{
    /* A batch that does not get on (its record hangs a processor) takes one place and not all:
     * others go on behind it, as far as the journal that this keeps is of a bearable size. */
    uint64_t span = self->top - self->watermark;
    return self->in_flight < self->options.limit && span < MR_WINDOW_MAX_LIMIT &&
           (span < self->options.limit || self->span_bytes < MAX_SPAN_BYTES) &&
           (waits_for_disk (self) || self->next > self->top);
}

bool
mr_sender_idle (const mr_sender_t *self)
{
    return self->watermark == self->top;
}

uint64_t
mr_sender_watermark (const mr_sender_t *self)
{
    return self->watermark;
}

void
mr_sender_noted (mr_sender_t *self, uint64_t watermark)
{
    mr_window_note_watermark (self->window, watermark);
}

uint64_t
mr_sender_replayed (const mr_sender_t *self)
{
    return self->replayed;
}

/* ---- settled batches ---- */

void
mr_sender_learn (mr_sender_t *self, uint64_t seq)
{
    if (self->known[mr_sender_place (seq)] == 0 && mr_window_settled (self->window, seq)) {
        self->known[mr_sender_place (seq)] = 1;
        self->in_flight--;
        mr_sender_let_go (self, seq);
    }
}

void
mr_sender_advance (mr_sender_t *self)
{
    uint64_t before = self->watermark;
    while (self->watermark < self->top && mr_window_settled (self->window, self->watermark + 1)) {
        mr_sender_learn (self, self->watermark + 1);
        self->watermark++;
        self->span_bytes -= self->sizes[mr_sender_place (self->watermark)];
    }
    if (self->watermark != before || self->in_flight == 0) {
        self->progress_ns = mr_clock_mono_ns ();
    }
    if (self->next <= self->watermark) {
        self->next = self->watermark + 1; /* settled by copies of an earlier life */
    }
}

void
mr_sender_done (mr_sender_t *self, uint64_t seq)
{
    if (seq > self->watermark && seq <= self->top) {
        mr_sender_learn (self, seq);
        mr_sender_advance (self);
    }
}

/* ---- pushing ---- */

typedef enum outcome { PUSHED, SKIPPED, NO_ROOM } outcome_t;

static outcome_t
push (mr_sender_t *self, uint64_t seq)
{
    mr_window_word_t word = mr_window_load (self->window, seq);
    if (word.seq != seq || word.state != MR_WINDOW_SENT) {
        return SKIPPED;
    }
    zmq_msg_t msg;
    if (seq == self->fresh_seq && word.generation == 0) {
        if (mr_stage_send (self->options.stage, &self->fresh) != MR_OK) {
            return NO_ROOM;
        }
        drop_fresh (self);
    } else {
        if (!mr_stage_room (self->options.stage)) {
            return NO_ROOM;
        }
        if (!mr_sender_load (self, seq, word.generation, &msg)) {
            return SKIPPED;
        }
        mr_status_t status = mr_stage_send (self->options.stage, &msg);
        zmq_msg_close (&msg);
        if (status != MR_OK) {
            return NO_ROOM;
        }
    }
    MR_CRASH_POINT ("ingest.push.sent");
    self->pushed[mr_sender_place (seq)] = word.generation;
    if (self->attempts[mr_sender_place (seq)] > 0) {
        self->replayed++;
        mr_window_count_replayed (self->window);
    }
    if (self->attempts[mr_sender_place (seq)] < UINT8_MAX) {
        self->attempts[mr_sender_place (seq)]++;
    }
    return PUSHED;
}

static bool
wanted (const mr_sender_t *self, uint64_t seq)
{
    mr_window_word_t word = mr_window_load (self->window, seq);
    return word.seq == seq && word.state == MR_WINDOW_SENT &&
           (self->replay_all || self->pushed[mr_sender_place (seq)] != word.generation);
}

/* One pass over what was pushed before. false: no room. */
static bool
replay (mr_sender_t *self)
{
    if (self->replay_at <= self->watermark) {
        self->replay_at = self->watermark + 1;
    }
    for (; self->replay_at < self->replay_end; self->replay_at++) {
        if (wanted (self, self->replay_at) && push (self, self->replay_at) == NO_ROOM) {
            return false;
        }
    }
    self->replay_all = false;
    return true;
}

static void
on_room (void *arg)
{
    mr_sender_t *self = arg;
    mr_sender_pump (self);
    self->options.room (self->options.arg);
}

void
mr_sender_pump (mr_sender_t *self)
{
    bool room = replay (self);
    bool waits = waits_for_disk (self);
    uint64_t end = waits ? mr_journal_synced_seq (self->options.journal) : self->top;
    if (waits && end < self->watermark) {
        end = self->watermark;
    }
    while (room && self->next <= end && self->next <= self->top) {
        room = push (self, self->next) != NO_ROOM;
        self->next += room ? 1 : 0;
    }
    if (!room) {
        mr_stage_when_room (self->options.stage, on_room, self);
    }
}

void
mr_sender_add (mr_sender_t *self, uint64_t seq, void *msg)
{
    MR_ASSERT (seq > self->top && mr_sender_ready (self));
    mr_window_send (self->window, seq);
    MR_CRASH_POINT ("ingest.window.sent");
    self->top = seq;
    self->in_flight++;
    self->pushed[mr_sender_place (seq)] = NEVER_PUSHED;
    self->known[mr_sender_place (seq)] = 0;
    self->attempts[mr_sender_place (seq)] = 0;
    self->sizes[mr_sender_place (seq)] = (uint32_t)zmq_msg_size (msg);
    self->span_bytes += self->sizes[mr_sender_place (seq)];
    mr_sender_keep (self, seq, msg);
    if (self->fresh_seq == 0) {
        zmq_msg_init (&self->fresh);
        zmq_msg_move (&self->fresh, msg);
        self->fresh_seq = seq;
    }
    zmq_msg_close (msg);
}

void
mr_sender_replay_from_watermark (mr_sender_t *self, bool all)
{
    bool running = self->replay_at < self->replay_end;
    self->replay_at = self->watermark + 1;
    self->replay_end = self->next;
    self->replay_all = all || (running && self->replay_all);
    mr_sender_pump (self);
}

void
mr_sender_notice (mr_sender_t *self)
{
    mr_sender_advance (self);
    mr_sender_replay_from_watermark (self, true);
}
