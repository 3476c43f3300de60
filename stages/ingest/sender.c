#include "stages/ingest/sender.h"

#include "common/base/clock.h"
#include "common/base/crashpoint.h"
#include "common/base/log.h"
#include "common/delivery/rebuild.h"
#include "common/delivery/spool.h"
#include "common/delivery/window.h"
#include "common/runtime/worker.h"
#include "common/wire/crumb.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

/* A word that stays SENT so long is pushed again though nobody said that it was lost: harmless, for
 * a claim takes one copy only, and it covers every way of dying that nobody saw. */
#define RESEND_NS (30 * MR_NS_PER_S)

enum {
    NEVER_PUSHED = 0xffff, /* in pushed[]: by this process */
    OWN_SLOT = 63,         /* ingest itself, in words of batches that its journal lost */
    MAX_DEAD_SEEN = 64,
};

struct mr_sender {
    mr_sender_options_t options;
    mr_window_t *window;
    char data_dir[PATH_MAX];
    char run_dir[PATH_MAX];
    uint64_t watermark; /* everything up to it is settled */
    uint64_t top;       /* the last seq in the window */
    uint64_t next;      /* the first that this process has not pushed yet */
    uint32_t in_flight; /* seqs up to top that are not known to be settled */

    uint64_t replay_at; /* [replay_at, replay_end) is looked through again */
    uint64_t replay_end;
    bool replay_all; /* push every SENT word in it; else those whose generation changed */

    zmq_msg_t fresh;    /* the frame of fresh_seq, kept from sealing; others are read again */
    uint64_t fresh_seq; /* 0: none */

    uint16_t *pushed;  /* by seq % ring: generation when pushed, NEVER_PUSHED */
    uint8_t *known;    /* by seq % ring: known to be settled */
    uint8_t *attempts; /* by seq % ring: pushes, at most 255 */
    uint64_t replayed;
    int64_t progress_ns;               /* when the watermark last moved, or nothing was in flight */
    uint64_t dead_seen[MAX_DEAD_SEEN]; /* incarnations whose death was acted on; a ring */
    unsigned dead_count;
};

static size_t
place (uint64_t seq)
{
    return (size_t)(seq % MR_WINDOW_RING);
}

/* ---- start ---- */

static mr_status_t
open_window (mr_sender_t *self, mr_error_t *err)
{
    char path[PATH_MAX + 32];
    snprintf (path, sizeof path, "%s/%s.window", self->data_dir,
              mr_stage_worker (self->options.stage));
    mr_journal_info_t info = mr_journal_info (self->options.journal);
    mr_status_t status = mr_window_open (path, info.id, &self->window, err);
    if (status != MR_CLOSED) {
        return status;
    }
    mr_rebuild_t rebuild = {.data_dir = self->data_dir, .path = path, .info = info};
    status = mr_rebuild_window (&rebuild, &self->window, err);
    if (status == MR_OK && info.top_seq > 0) {
        mr_log_warn (
            "window rebuilt from journal and spools: %llu batches found in spools, %llu to "
            "be sent again",
            (unsigned long long)rebuild.found, (unsigned long long)rebuild.missing);
    }
    return status;
}

/* There is no stored watermark to trust: words that moved on, or say DONE, tell (rule 2). */
static void
find_watermark (mr_sender_t *self)
{
    mr_journal_info_t info = mr_journal_info (self->options.journal);
    self->top = info.next_seq - 1;
    uint64_t start = mr_window_base (self->window);
    if (info.watermark > start) {
        start = info.watermark;
    }
    if (self->top > start + MR_WINDOW_RING / 2) {
        uint64_t oldest = self->top - MR_WINDOW_RING / 2;
        start = oldest > start ? oldest : start;
    }
    self->watermark = start;
    for (uint64_t seq = start + 1; seq <= self->top; seq++) {
        mr_window_word_t word = mr_window_load (self->window, seq);
        if (word.seq < seq) {
            mr_window_send (self->window, seq); /* died between journal and window */
        }
    }
    while (self->watermark < self->top && mr_window_settled (self->window, self->watermark + 1)) {
        self->watermark++;
    }
    self->next = self->watermark + 1;
    for (uint64_t seq = self->next; seq <= self->top; seq++) {
        bool settled = mr_window_settled (self->window, seq);
        self->known[place (seq)] = settled;
        self->pushed[place (seq)] = NEVER_PUSHED;
        self->attempts[place (seq)] = 1; /* an earlier life may have pushed it */
        self->in_flight += settled ? 0 : 1;
    }
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
    mr_status_t status = MR_OK;
    if (self->pushed == NULL || self->known == NULL || self->attempts == NULL) {
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
    mr_window_close (&self->window);
    free (self->pushed);
    free (self->known);
    free (self->attempts);
    free (self);
    *self_p = NULL;
}

/* ---- state ---- */

uint32_t
mr_sender_in_flight (const mr_sender_t *self)
{
    return self->in_flight;
}

bool
mr_sender_ready (const mr_sender_t *self)
{
    return self->top - self->watermark < self->options.limit &&
           (self->options.fsync || self->next > self->top);
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

static void
learn (mr_sender_t *self, uint64_t seq)
{
    if (self->known[place (seq)] == 0 && mr_window_settled (self->window, seq)) {
        self->known[place (seq)] = 1;
        self->in_flight--;
    }
}

static void
advance (mr_sender_t *self)
{
    uint64_t before = self->watermark;
    while (self->watermark < self->top && mr_window_settled (self->window, self->watermark + 1)) {
        learn (self, self->watermark + 1);
        self->watermark++;
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
        learn (self, seq);
        advance (self);
    }
}

/* ---- pushing ---- */

/* The journal cannot give it back: counted and said, not tried for ever (rule 12). */
static void
give_up (mr_sender_t *self, uint64_t seq, uint8_t generation, const char *why)
{
    if (mr_window_claim (self->window, seq, generation, OWN_SLOT)) {
        mr_window_done (self->window, seq, OWN_SLOT);
        mr_log_error ("batch %llu is lost: %s", (unsigned long long)seq, why);
        mr_failure_t failure = {.error_type = "journal_damaged", .count = 1, .message = why};
        const mr_stage_callbacks_t *callbacks = mr_stage_callbacks (self->options.stage);
        callbacks->on_error (self->options.stage, "replay", &failure);
    }
}

/* The same batch with a MARKS section: the processor leaves those records alone. */
static bool
add_marks (zmq_msg_t *msg, const mr_mark_t *marks, uint32_t count)
{
    mr_batch_t batch;
    mr_error_t err;
    zmq_msg_t marked;
    if (mr_batch_decode (zmq_msg_data (msg), zmq_msg_size (msg), &batch, &err) != MR_OK ||
        mr_batch_set_section (&batch, MR_SECTION_MARKS, marks, count * (uint32_t)sizeof *marks) !=
            MR_OK ||
        zmq_msg_init_size (&marked, mr_batch_encoded_bytes (&batch)) != 0) {
        return true; /* as it is: no worse than before */
    }
    mr_batch_encode (&batch, zmq_msg_data (&marked));
    zmq_msg_move (msg, &marked);
    zmq_msg_close (&marked);
    return true;
}

static bool
load_frame (mr_sender_t *self, uint64_t seq, uint8_t generation, zmq_msg_t *msg)
{
    const void *frame;
    size_t bytes;
    mr_error_t err;
    mr_status_t status = mr_journal_read (self->options.journal, seq, &frame, &bytes, &err);
    if (status == MR_INVALID) {
        give_up (self, seq, generation, err.text);
    }
    if (status != MR_OK || zmq_msg_init_size (msg, bytes) != 0) {
        return false;
    }
    memcpy (zmq_msg_data (msg), frame, bytes);
    uint16_t attempt = (uint16_t)(self->attempts[place (seq)] + 1);
    if (attempt > 1 || generation > 0) {
        mr_batch_restamp (zmq_msg_data (msg), bytes, attempt, generation);
    }
    mr_mark_t marks[MR_STRIKES_MARKS_MAX];
    uint32_t count = mr_strikes_marks (self->options.strikes, seq, marks);
    return count == 0 || add_marks (msg, marks, count);
}

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
        if (!load_frame (self, seq, word.generation, &msg)) {
            return SKIPPED;
        }
        mr_status_t status = mr_stage_send (self->options.stage, &msg);
        zmq_msg_close (&msg);
        if (status != MR_OK) {
            return NO_ROOM;
        }
    }
    MR_CRASH_POINT ("ingest.push.sent");
    self->pushed[place (seq)] = word.generation;
    if (self->attempts[place (seq)] > 0) {
        self->replayed++;
    }
    if (self->attempts[place (seq)] < UINT8_MAX) {
        self->attempts[place (seq)]++;
    }
    return PUSHED;
}

static bool
wanted (const mr_sender_t *self, uint64_t seq)
{
    mr_window_word_t word = mr_window_load (self->window, seq);
    return word.seq == seq && word.state == MR_WINDOW_SENT &&
           (self->replay_all || self->pushed[place (seq)] != word.generation);
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
    uint64_t end = self->options.fsync ? mr_journal_synced_seq (self->options.journal) : self->top;
    if (self->options.fsync && end < self->watermark) {
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
    self->pushed[place (seq)] = NEVER_PUSHED;
    self->known[place (seq)] = 0;
    self->attempts[place (seq)] = 0;
    if (self->fresh_seq == 0) {
        zmq_msg_init (&self->fresh);
        zmq_msg_move (&self->fresh, msg);
        self->fresh_seq = seq;
    }
    zmq_msg_close (msg);
}

/* ---- loss ---- */

static void
start_replay (mr_sender_t *self, bool all)
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
    advance (self);
    start_replay (self, true);
}

/* Give free what dead exporters have claimed: asking for a lock that is held costs little. */
static void
settle_for_dead (mr_sender_t *self)
{
    bool asked[MR_WORKER_MAX_SLOTS + 1] = {false};
    for (uint64_t seq = self->watermark + 1; seq <= self->top; seq++) {
        mr_window_word_t word = mr_window_load (self->window, seq);
        if (word.seq != seq || word.state != MR_WINDOW_CLAIMED || asked[word.slot]) {
            continue;
        }
        asked[word.slot] = true;
        if (word.slot == OWN_SLOT) {
            mr_window_done (self->window, seq, OWN_SLOT); /* an earlier life died in give_up */
            continue;
        }
        unsigned freed = 0;
        mr_error_t err;
        mr_status_t status =
            mr_spool_settle_dead (self->data_dir, word.slot, self->window, &freed, &err);
        if (status == MR_OK) {
            mr_log_info ("settled for exporter.%u, which is dead: %u batches free again", word.slot,
                         freed);
        } else if (status != MR_AGAIN) {
            mr_log_error ("cannot settle for exporter.%u: %s", word.slot, err.text);
        }
    }
}

/* Only while the batch is on its way; one death counts once, however often it is told. */
void
mr_sender_strike (mr_sender_t *self, const mr_strike_t *strike)
{
    mr_strike_t full = *strike;
    uint64_t mask = (UINT64_C (1) << MR_CRUMB_SEQ_BITS) - 1;
    full.seq = (self->top & ~mask) | (strike->seq & mask);
    if (full.seq > self->top || full.seq <= self->watermark ||
        mr_window_load (self->window, full.seq).state != MR_WINDOW_SENT ||
        mr_strikes_known (self->options.strikes, &full)) {
        return;
    }
    uint64_t words[MR_JOURNAL_NOTE_WORDS] = {full.seq, full.index, full.incarnation, full.evidence};
    mr_error_t err;
    if (mr_journal_note (self->options.journal, words, &err) != MR_OK) {
        mr_log_warn ("a strike is not durable: %s", err.text);
    }
    mr_log_warn ("a worker %s at record %u of batch %llu",
                 full.evidence == MR_EVIDENCE_CRASH  ? "crashed"
                 : full.evidence == MR_EVIDENCE_HANG ? "hung"
                                                     : "was killed",
                 full.index, (unsigned long long)full.seq);
    if (mr_strikes_add (self->options.strikes, &full)) {
        mr_log_error ("record %u of batch %llu goes to the dead letters untouched", full.index,
                      (unsigned long long)full.seq);
    }
}

typedef struct dead_search {
    mr_sender_t *sender;
    bool found;
} dead_search_t;

static void
look_for_dead (const mr_worker_info_t *info, void *arg)
{
    dead_search_t *search = arg;
    mr_sender_t *self = search->sender;
    if (info->alive || info->slot < 0) {
        return;
    }
    for (unsigned i = 0; i < MAX_DEAD_SEEN; i++) {
        if (self->dead_seen[i] == info->incarnation) {
            return;
        }
    }
    self->dead_seen[self->dead_count++ % MAX_DEAD_SEEN] = info->incarnation;
    mr_log_info ("%s died; what it held is sent again", info->name);
    mr_crumb_t crumb;
    if (mr_crumb_unpack (info->traces.crumb, &crumb) &&
        (int)crumb.origin == mr_stage_slot (self->options.stage)) {
        mr_strike_t strike = {.seq = crumb.seq,
                              .index = crumb.index,
                              .incarnation = info->incarnation,
                              .evidence = (uint32_t)info->traces.evidence};
        mr_sender_strike (self, &strike);
    }
    search->found = true;
}

void
mr_sender_tick (mr_sender_t *self, int64_t mono_ns)
{
    advance (self);
    mr_strikes_forget (self->options.strikes, self->watermark);
    settle_for_dead (self);
    dead_search_t search = {.sender = self};
    mr_error_t err;
    if (mr_worker_each (self->run_dir, look_for_dead, &search, &err) != MR_OK) {
        mr_log_warn ("%s", err.text);
    }
    for (uint64_t seq = self->watermark + 1; seq <= self->top; seq++) {
        learn (self, seq);
    }
    bool stale = self->in_flight > 0 && mono_ns - self->progress_ns >= RESEND_NS;
    if (stale) {
        self->progress_ns = mono_ns;
    }
    start_replay (self, search.found || stale);
    self->options.room (self->options.arg);
}
