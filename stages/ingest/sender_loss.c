#include "stages/ingest/sender.h"

#include "common/base/log.h"
#include "common/base/slots.h"
#include "common/delivery/spool.h"
#include "common/runtime/worker.h"
#include "common/wire/crumb.h"
#include "stages/ingest/sender_private.h"

/* Give free what dead exporters have claimed: asking for a lock that is held costs little. */
static void
settle_for_dead (mr_sender_t *self)
{
    bool asked[MR_SLOTS_MAX + 1] = {false};
    for (uint64_t seq = self->watermark + 1; seq <= self->top; seq++) {
        mr_window_word_t word = mr_window_load (self->window, seq);
        if (word.seq != seq || word.state != MR_WINDOW_CLAIMED) {
            continue;
        }
        if (word.slot == OWN_SLOT) {
            mr_sender_lose (self, seq); /* an earlier life died there, or the disk was full */
            continue;
        }
        if (asked[word.slot]) {
            continue;
        }
        asked[word.slot] = true;
        unsigned freed = 0;
        mr_error_t err;
        mr_spool_options_t spool = {.data_dir = self->data_dir,
                                    .slot = word.slot,
                                    .fsync = self->options.durability == MR_DURABILITY_FSYNC};
        mr_status_t status = mr_spool_settle_dead (&spool, self->window, &freed, &err);
        if (status == MR_OK) {
            mr_log_info (
                "exporter.%u is dead: %u batches that it had begun to write are sent again",
                word.slot, freed);
        } else if (status != MR_AGAIN) {
            mr_log_error ("exporter.%u is dead, and what it has written cannot be read: %s",
                          word.slot, err.text);
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
        mr_log_warn ("a worker's death at a record cannot be noted in the journal: %s", err.text);
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
    mr_sender_advance (self);
    mr_strikes_forget (self->options.strikes, self->watermark);
    settle_for_dead (self);
    mr_sender_look_after_orphans (self, mono_ns);
    dead_search_t search = {.sender = self};
    mr_error_t err;
    bool scanned = mr_worker_each (self->run_dir, look_for_dead, &search, &err) == MR_OK;
    if (!scanned && !self->unscanned) {
        mr_log_warn ("%s", err.text);
    }
    self->unscanned = !scanned;
    for (uint64_t seq = self->watermark + 1; seq <= self->top; seq++) {
        mr_sender_learn (self, seq);
    }
    bool stale = self->in_flight > 0 && mono_ns - self->progress_ns >= RESEND_NS;
    if (stale) {
        self->progress_ns = mono_ns;
    }
    mr_sender_replay_from_watermark (self, search.found || stale);
    self->options.room (self->options.arg);
}
