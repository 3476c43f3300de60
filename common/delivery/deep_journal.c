/* The journals' side: what was taken in. */
#include "common/delivery/deep_private.h"
#include "common/delivery/journal.h"
#include "common/delivery/journal_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

typedef unsigned long long ull;

static const char *
name_of (const mr_deep_ingest_t *self, char name[32])
{
    snprintf (name, 32, "ingest.%d.journal", self->slot);
    return name;
}

static mr_deep_place_t
place_of (const mr_deep_ingest_t *self, char name[32], uint64_t position, uint64_t seq)
{
    return (mr_deep_place_t){
        .log = name_of (self, name),
        .segment = self->segment,
        .position = position,
        .journal = self->id,
        .seq = seq,
    };
}

static mr_status_t
add_taken (mr_deep_ingest_t *self, const mr_deep_taken_t *taken)
{
    mr_deep_taken_t *row = mr_deep_list_add (&self->taken, sizeof *row);
    if (row == NULL) {
        return MR_SYSTEM;
    }
    *row = *taken;
    return MR_OK;
}

/* The first hole without an end ends before this seq. */
static void
end_holes (mr_deep_ingest_t *self, uint64_t seq)
{
    mr_deep_hole_t *holes = self->holes.rows;
    for (size_t i = self->holes.count; i > 0 && holes[i - 1].before == UINT64_MAX; i--) {
        holes[i - 1].before = seq;
    }
}

/* What was skipped is taken from the segment's start. */
static mr_status_t
take_over (mr_deep_ingest_t *self, const mr_journal_snapshot_t *snapshot)
{
    self->lost_before += snapshot->lost - self->lost_total;
    self->lost_total = snapshot->lost;
    self->last_seq = snapshot->top_seq;
    self->total = snapshot->received;
    mr_deep_taken_t row = {.seq = snapshot->top_seq, .total = snapshot->received};
    return add_taken (self, &row);
}

static mr_status_t
on_segment (void *arg, const mr_seglog_segment_t *segment)
{
    mr_deep_ingest_t *self = arg;
    if (self->begun && segment->start <= self->segment) {
        return MR_OK;
    }
    self->segment = segment->start;
    mr_journal_snapshot_t snapshot;
    char name[32];
    if (!segment->sound) {
        return MR_OK; /* it is told of as damage */
    }
    self->id = segment->head.log_id;
    mr_deep_place_t place = place_of (self, name, segment->start, 0);
    if (mr_journal_snapshot_decode (segment->snapshot, segment->head.snapshot_bytes, &snapshot) !=
        MR_OK) {
        mr_deep_tell (self->deep, &place, "what the segment begins with is broken");
        return MR_OK;
    }
    mr_status_t status = MR_OK;
    if (self->begun && !self->skipped &&
        (snapshot.received != self->total || snapshot.top_seq != self->last_seq ||
         snapshot.lost != self->lost_total)) {
        mr_deep_tell (self->deep, &place,
                      "the segment begins with batch %llu, received %llu, lost %llu; the frames "
                      "before it make batch %llu, received %llu, lost %llu",
                      (ull)snapshot.top_seq, (ull)snapshot.received, (ull)snapshot.lost,
                      (ull)self->last_seq, (ull)self->total, (ull)self->lost_total);
    }
    if (!self->begun || self->skipped) {
        status = take_over (self, &snapshot);
    }
    self->begun = true;
    self->skipped = false;
    return status;
}

static void
check_batch (mr_deep_ingest_t *self, const mr_seglog_frame_t *frame)
{
    const uint64_t *words = frame->words;
    uint64_t bytes = words[MR_JOURNAL_WORD_FRAME_BYTES];
    char name[32];
    mr_deep_place_t place = place_of (self, name, frame->position, words[MR_JOURNAL_WORD_SEQ]);
    mr_batch_t batch;
    mr_error_t why;
    if (bytes == 0) {
        return; /* durability = memory */
    }
    if (bytes > frame->payload_bytes ||
        mr_batch_decode (frame->payload, (size_t)bytes, &batch, &why) != MR_OK) {
        mr_deep_tell (self->deep, &place, "the frame holds no batch: %s",
                      bytes > frame->payload_bytes ? "it says more bytes than it has" : why.text);
    } else if (batch.journal != self->id || batch.seq != words[MR_JOURNAL_WORD_SEQ] ||
               batch.received != words[MR_JOURNAL_WORD_RECEIVED]) {
        mr_deep_tell (self->deep, &place,
                      "the frame says batch %llu with %llu records, the batch in it says %llu of "
                      "journal %016llx with %u",
                      (ull)words[MR_JOURNAL_WORD_SEQ], (ull)words[MR_JOURNAL_WORD_RECEIVED],
                      (ull)batch.seq, (ull)batch.journal, batch.received);
    }
}

static mr_status_t
on_data (mr_deep_ingest_t *self, const mr_seglog_frame_t *frame)
{
    const uint64_t *words = frame->words;
    mr_deep_taken_t row = {
        .seq = words[MR_JOURNAL_WORD_SEQ],
        .received = words[MR_JOURNAL_WORD_RECEIVED],
        .total = words[MR_JOURNAL_WORD_TOTAL],
        .segment = self->segment,
        .position = frame->position,
    };
    char name[32];
    mr_deep_place_t place = place_of (self, name, frame->position, row.seq);
    check_batch (self, frame);
    if (row.seq <= self->last_seq) {
        mr_deep_tell (self->deep, &place, "its number does not rise: batch %llu stands before it",
                      (ull)self->last_seq);
        return MR_OK;
    }
    if (!self->skipped && row.total != self->total + row.received) {
        mr_deep_tell (self->deep, &place,
                      "the frame says %llu records received so far; it has %llu, and those before "
                      "it make %llu",
                      (ull)row.total, (ull)row.received, (ull)self->total);
    }
    end_holes (self, row.seq);
    self->skipped = false;
    self->last_seq = row.seq;
    self->total = row.total;
    return add_taken (self, &row);
}

static mr_status_t
on_lost (mr_deep_ingest_t *self, const mr_seglog_frame_t *frame)
{
    const uint64_t *words = frame->words;
    char name[32];
    mr_deep_place_t place = place_of (self, name, frame->position, words[MR_JOURNAL_LOST_SEQ]);
    uint64_t total = self->lost_total + words[MR_JOURNAL_LOST_RECORDS];
    if (!self->skipped && total != words[MR_JOURNAL_LOST_TOTAL]) {
        mr_deep_tell (self->deep, &place,
                      "the frame says %llu records lost so far; there were %llu",
                      (ull)words[MR_JOURNAL_LOST_TOTAL], (ull)total);
    }
    mr_deep_lost_t *row = mr_deep_list_add (&self->lost, sizeof *row);
    if (row == NULL) {
        return MR_SYSTEM;
    }
    self->lost_before += words[MR_JOURNAL_LOST_TOTAL] - total;
    self->lost_total = words[MR_JOURNAL_LOST_TOTAL];
    *row = (mr_deep_lost_t){words[MR_JOURNAL_LOST_SEQ], words[MR_JOURNAL_LOST_RECORDS]};
    return MR_OK;
}

static mr_status_t
on_frame (void *arg, const mr_seglog_frame_t *frame)
{
    mr_deep_ingest_t *self = arg;
    if (frame->type == MR_SEGLOG_DATA) {
        return on_data (self, frame);
    }
    return frame->flags == MR_JOURNAL_LOST ? on_lost (self, frame) : MR_OK;
}

static mr_status_t
on_damage (void *arg, const mr_seglog_damage_t *damage, uint64_t segment)
{
    mr_deep_ingest_t *self = arg;
    self->skipped = true;
    if (damage->trimmed) {
        return MR_OK;
    }
    mr_deep_hole_t *hole = mr_deep_list_add (&self->holes, sizeof *hole);
    if (hole == NULL) {
        return MR_SYSTEM;
    }
    char name[32];
    mr_deep_place_t place = place_of (self, name, damage->position, 0);
    place.segment = segment;
    mr_deep_fault_at (&hole->fault, &place, "%llu bytes cannot be read: %s", (ull)damage->bytes,
                      damage->what);
    hole->after = self->last_seq;
    hole->before = UINT64_MAX;
    return MR_OK;
}

mr_status_t
mr_deep_read_journal (mr_deep_ingest_t *ingest, mr_error_t *err)
{
    char dir[PATH_MAX];
    mr_journal_path (ingest->deep->data_dir, ingest->slot, dir);
    if (access (dir, F_OK) != 0) {
        return MR_OK;
    }
    mr_seglog_walk_options_t walk = {
        .dir = dir,
        .position = ingest->read_to,
        .visitor = {on_segment, on_frame, on_damage, ingest},
    };
    mr_seglog_walked_t walked;
    mr_status_t status = mr_seglog_walk (&walk, &walked, err);
    if (status == MR_CLOSED) {
        return MR_OK; /* it is just being made */
    }
    if (status == MR_OK) {
        ingest->read_to = walked.end;
    }
    return status;
}
