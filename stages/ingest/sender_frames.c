/* Where the frames of batches in flight come from when they are sent again: the journal, or, with
 * durability = memory, this process; and what is done when they come from nowhere. */
#include "common/base/crashpoint.h"
#include "common/base/log.h"
#include "stages/ingest/sender.h"
#include "stages/ingest/sender_private.h"

#include <stdlib.h>
#include <string.h>

/* What frames[] says of a place. */
enum { ELSEWHERE = 0, KEPT = 1, ORPHAN = 2 };

/* ---- kept in memory ---- */

mr_status_t
mr_sender_frames_init (mr_sender_t *self)
{
    self->frames = calloc (MR_WINDOW_RING, sizeof *self->frames);
    bool ok = self->frames != NULL;
    if (ok && self->options.durability == MR_DURABILITY_MEMORY) {
        self->kept = calloc (MR_WINDOW_RING, sizeof *self->kept);
        ok = self->kept != NULL;
    }
    return ok ? MR_OK : MR_SYSTEM;
}

void
mr_sender_frames_release (mr_sender_t *self)
{
    for (size_t i = 0; self->kept != NULL && i < MR_WINDOW_RING; i++) {
        if (self->frames[i] == KEPT) {
            zmq_msg_close (&self->kept[i]);
        }
    }
    free (self->kept);
    free (self->frames);
}

void
mr_sender_keep (mr_sender_t *self, uint64_t seq, zmq_msg_t *msg)
{
    size_t place = mr_sender_place (seq);
    self->frames[place] = ELSEWHERE;
    if (self->kept != NULL) {
        zmq_msg_init (&self->kept[place]);
        zmq_msg_copy (&self->kept[place], msg); /* the same bytes, counted twice */
        self->frames[place] = KEPT;
    }
}

void
mr_sender_let_go (mr_sender_t *self, uint64_t seq)
{
    size_t place = mr_sender_place (seq);
    if (self->frames[place] == KEPT) {
        zmq_msg_close (&self->kept[place]);
    }
    self->frames[place] = ELSEWHERE;
}

/* ---- lost ---- */

void
mr_sender_lose (mr_sender_t *self, uint64_t seq)
{
    mr_error_t err;
    bool noted = mr_journal_info (self->options.journal).lost_seq == seq; /* by an earlier life */
    if (!noted && mr_journal_lose (self->options.journal, seq, &err) != MR_OK) {
        mr_log_warn ("the loss of batch %llu cannot be noted yet: %s", (unsigned long long)seq,
                     err.text);
        return; /* the claim stays; the next tick tries again */
    }
    mr_window_done (self->window, seq, OWN_SLOT);
    MR_CRASH_POINT ("ingest.lose.done");
}

/* Nothing can give it back: counted and said, not tried for ever. */
static void
give_up (mr_sender_t *self, uint64_t seq, uint8_t generation, const mr_failure_t *failure)
{
    if (mr_window_claim (self->window, seq, generation, OWN_SLOT)) {
        MR_CRASH_POINT ("ingest.lose.claimed");
        mr_log_error ("batch %llu is lost: %s", (unsigned long long)seq, failure->message);
        const mr_stage_callbacks_t *callbacks = mr_stage_callbacks (self->options.stage);
        callbacks->on_error (self->options.stage, "replay", failure);
        mr_sender_lose (self, seq);
    }
}

/* Its frame was in the memory of an ingest that died. A copy may still be on its way: whoever
 * claims the word first decides. */
static void
found_orphan (mr_sender_t *self, uint64_t seq)
{
    if (self->orphan_end <= self->watermark) {
        self->orphan_count = 0;
        mr_log_warn ("batches were in the memory of an ingest that died; those of which no copy "
                     "arrives are lost");
    }
    self->orphan_end = seq > self->orphan_end ? seq : self->orphan_end;
    self->frames[mr_sender_place (seq)] = ORPHAN;
}

static bool
is_orphan (const mr_sender_t *self, uint64_t seq)
{
    return self->frames[mr_sender_place (seq)] == ORPHAN && !mr_window_settled (self->window, seq);
}

void
mr_sender_look_after_orphans (mr_sender_t *self, int64_t mono_ns)
{
    static const mr_failure_t failure = {
        .error_type = MR_ERR_MEMORY_LOST,
        .count = 1,
        .message = "it was in the memory of an ingest that died ([ingest] durability = memory)"};
    uint64_t count = 0;
    for (uint64_t seq = self->watermark + 1; seq <= self->orphan_end; seq++) {
        count += is_orphan (self, seq) ? 1 : 0;
    }
    if (count != self->orphan_count) { /* they still arrive, or more were found */
        self->orphan_count = count;
        self->orphan_ns = mono_ns;
    }
    if (count == 0 || mono_ns - self->orphan_ns < ORPHAN_NS) {
        return;
    }
    for (uint64_t seq = self->watermark + 1; seq <= self->orphan_end; seq++) {
        mr_window_word_t word = mr_window_load (self->window, seq);
        if (is_orphan (self, seq) && word.state == MR_WINDOW_SENT) {
            give_up (self, seq, word.generation, &failure);
        }
    }
    mr_sender_advance (self);
}

/* ---- sending again ---- */

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

/* The frame as it was appended; valid until the journal is used again. */
static mr_status_t
find_frame (mr_sender_t *self, uint64_t seq, const void **ret_frame, size_t *ret_bytes,
            mr_error_t *err)
{
    size_t place = mr_sender_place (seq);
    if (self->frames[place] == KEPT) {
        *ret_frame = zmq_msg_data (&self->kept[place]);
        *ret_bytes = zmq_msg_size (&self->kept[place]);
        return MR_OK;
    }
    return mr_journal_read (self->options.journal, seq, ret_frame, ret_bytes, err);
}

bool
mr_sender_load (mr_sender_t *self, uint64_t seq, uint8_t generation, zmq_msg_t *msg)
{
    const void *frame;
    size_t bytes;
    mr_error_t err;
    mr_status_t status = find_frame (self, seq, &frame, &bytes, &err);
    if (status == MR_INVALID) {
        mr_failure_t failure = {
            .error_type = MR_ERR_JOURNAL_DAMAGED, .count = 1, .message = err.text};
        give_up (self, seq, generation, &failure);
    }
    if (status == MR_CLOSED) {
        found_orphan (self, seq);
    }
    if (status != MR_OK || zmq_msg_init_size (msg, bytes) != 0) {
        return false;
    }
    memcpy (zmq_msg_data (msg), frame, bytes);
    uint16_t attempt = (uint16_t)(self->attempts[mr_sender_place (seq)] + 1);
    if (attempt > 1 || generation > 0) {
        mr_batch_restamp (zmq_msg_data (msg), bytes, attempt, generation);
    }
    mr_mark_t marks[MR_STRIKES_MARKS_MAX];
    uint32_t count = mr_strikes_marks (self->options.strikes, seq, marks);
    return count == 0 || add_marks (msg, marks, count);
}
