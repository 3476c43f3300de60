/* The spools' side: what became of it. */
#include "common/delivery/deep_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

typedef unsigned long long ull;

mr_spool_sum_t *
mr_deep_sum (mr_deep_sums_t *self, uint64_t journal)
{
    const uint32_t most = sizeof self->rows / sizeof *self->rows;
    uint32_t i = 0;
    while (i < self->count && self->rows[i].journal != journal) {
        i++;
    }
    if (i == most) {
        return &self->rows[most - 1];
    }
    if (i == self->count) {
        self->rows[self->count++] = (mr_spool_sum_t){.journal = journal};
    }
    return &self->rows[i];
}

static const char *
name_of (const mr_deep_exporter_t *self, char name[32])
{
    snprintf (name, 32, "exporter.%d.spool", self->slot);
    return name;
}

/* ---- cumulative totals ---- */

static bool
same_sums (const mr_spool_sum_t *a, const mr_spool_sum_t *b)
{
    return a->max_seq == b->max_seq && a->batches == b->batches && a->exported == b->exported &&
           a->filtered == b->filtered && a->dead == b->dead;
}

/* What the frames do not account for belongs to frames that we have not seen. */
static void
take_over (mr_deep_exporter_t *self, const mr_spool_sum_t *told)
{
    mr_spool_sum_t *run = mr_deep_sum (&self->run, told->journal);
    mr_spool_sum_t *base = mr_deep_sum (&self->base, told->journal);
    base->batches += told->batches - run->batches;
    base->exported += told->exported - run->exported;
    base->filtered += told->filtered - run->filtered;
    base->dead += told->dead - run->dead;
    if ((!self->begun || self->trimmed) && told->max_seq > base->max_seq) {
        base->max_seq = told->max_seq;
    }
    *run = *told;
}

/* Whether none was forgotten, to stand together with others. */
static bool
is_complete (const mr_spool_sum_t *sums, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (sums[i].journal == 0) {
            return false;
        }
    }
    return true;
}

static void
compare_sums (mr_deep_exporter_t *self, const mr_seglog_segment_t *segment,
              const mr_spool_sum_t *sums, uint32_t count)
{
    char name[32];
    bool expected = self->begun && !self->damaged && !self->trimmed && is_complete (sums, count);
    for (uint32_t i = 0; i < count; i++) {
        const mr_spool_sum_t *run = mr_deep_sum (&self->run, sums[i].journal);
        mr_deep_place_t place = {
            .log = name_of (self, name),
            .segment = segment->start,
            .position = segment->start,
            .journal = sums[i].journal,
        };
        if (expected && !same_sums (run, &sums[i])) {
            mr_deep_tell (
                self->deep, &place,
                "the segment begins with %llu batches, exported %llu, filtered %llu, dead "
                "%llu; the frames before it make %llu, %llu, %llu, %llu",
                (ull)sums[i].batches, (ull)sums[i].exported, (ull)sums[i].filtered,
                (ull)sums[i].dead, (ull)run->batches, (ull)run->exported, (ull)run->filtered,
                (ull)run->dead);
            *mr_deep_sum (&self->run, sums[i].journal) = sums[i]; /* told of once */
        } else if (!expected) {
            take_over (self, &sums[i]);
        }
    }
    if (expected && self->run.count != count) {
        mr_deep_place_t place = {
            .log = name_of (self, name), .segment = segment->start, .position = segment->start};
        mr_deep_tell (
            self->deep, &place,
            "the segment begins with the sums of %u journals; the frames before it are of "
            "%u",
            count, self->run.count);
    }
}

static mr_status_t
on_segment (void *arg, const mr_seglog_segment_t *segment)
{
    mr_deep_exporter_t *self = arg;
    if (self->begun && segment->start <= self->segment) {
        return MR_OK;
    }
    self->segment = segment->start;
    self->seen.segments++;
    if (!segment->sound) {
        return MR_OK; /* it is told of as damage */
    }
    mr_spool_sum_t sums[MR_SPOOL_SUMS_MAX];
    uint32_t count = 0;
    char name[32];
    if (mr_spool_sums_decode (segment->snapshot, segment->head.snapshot_bytes, sums, &count,
                              NULL) != MR_OK) {
        mr_deep_place_t place = {
            .log = name_of (self, name), .segment = segment->start, .position = segment->start};
        mr_deep_tell (self->deep, &place, "what the segment begins with is broken");
        return MR_OK;
    }
    compare_sums (self, segment, sums, count);
    if (!self->begun || self->damaged || self->trimmed) {
        self->ordinal = segment->head.ordinal;
    }
    self->begun = true;
    self->damaged = false;
    self->trimmed = false;
    return MR_OK;
}

/* ---- frames ---- */

static void
check_batch (mr_deep_exporter_t *self, const mr_seglog_frame_t *frame)
{
    const uint64_t *words = frame->words;
    char name[32];
    mr_deep_place_t place = {
        .log = name_of (self, name),
        .segment = self->segment,
        .position = frame->position,
        .journal = words[MR_SPOOL_WORD_JOURNAL],
        .seq = words[MR_SPOOL_WORD_SEQ],
    };
    mr_batch_t batch;
    mr_error_t why;
    if (mr_batch_decode (frame->payload, frame->payload_bytes, &batch, &why) != MR_OK) {
        mr_deep_tell (self->deep, &place, "the frame holds no batch: %s", why.text);
        return;
    }
    if (batch.journal != place.journal || batch.seq != place.seq) {
        mr_deep_tell (self->deep, &place, "the batch in the frame says %016llx-%llu",
                      (ull)batch.journal, (ull)batch.seq);
    }
    if (batch.count != words[MR_SPOOL_WORD_EXPORTED] ||
        batch.filtered != words[MR_SPOOL_WORD_FILTERED] ||
        batch.dead != words[MR_SPOOL_WORD_DEAD]) {
        mr_deep_tell (self->deep, &place,
                      "the frame says exported %llu, filtered %llu, dead %llu; the batch in it has "
                      "%u, %u, %u",
                      (ull)words[MR_SPOOL_WORD_EXPORTED], (ull)words[MR_SPOOL_WORD_FILTERED],
                      (ull)words[MR_SPOOL_WORD_DEAD], batch.count, batch.filtered, batch.dead);
    }
}

static mr_status_t
add_spooled (mr_deep_exporter_t *self, const mr_seglog_frame_t *frame)
{
    const uint64_t *words = frame->words;
    mr_deep_spooled_t *row = mr_deep_list_add (&self->deep->spooled, sizeof *row);
    if (row == NULL) {
        return MR_SYSTEM;
    }
    *row = (mr_deep_spooled_t){
        .journal = words[MR_SPOOL_WORD_JOURNAL],
        .seq = words[MR_SPOOL_WORD_SEQ],
        .segment = self->segment,
        .position = frame->position,
        .exported = (uint32_t)words[MR_SPOOL_WORD_EXPORTED],
        .filtered = (uint32_t)words[MR_SPOOL_WORD_FILTERED],
        .dead = (uint32_t)words[MR_SPOOL_WORD_DEAD],
        .slot = (uint32_t)self->slot,
    };
    mr_spool_sum_add_frame (mr_deep_sum (&self->run, row->journal), words);
    return MR_OK;
}

static mr_status_t
on_frame (void *arg, const mr_seglog_frame_t *frame)
{
    mr_deep_exporter_t *self = arg;
    if (self->begun && !self->damaged && !self->trimmed && frame->ordinal > self->ordinal) {
        char name[32];
        mr_deep_place_t place = {
            .log = name_of (self, name), .segment = self->segment, .position = frame->position};
        mr_deep_tell (self->deep, &place, "%llu frame%s missing before this one",
                      (ull)(frame->ordinal - self->ordinal),
                      frame->ordinal - self->ordinal == 1 ? " is" : "s are");
    }
    self->ordinal = frame->ordinal + 1;
    if (frame->type != MR_SEGLOG_DATA) {
        return MR_OK;
    }
    self->seen.batches++;
    self->seen.bytes += frame->payload_bytes;
    check_batch (self, frame);
    return add_spooled (self, frame);
}

static mr_status_t
on_damage (void *arg, const mr_seglog_damage_t *damage, uint64_t segment)
{
    mr_deep_exporter_t *self = arg;
    if (damage->trimmed) {
        self->trimmed = true;
        return MR_OK;
    }
    self->damaged = true;
    char name[32];
    mr_deep_place_t place = {
        .log = name_of (self, name), .segment = segment, .position = damage->position};
    mr_deep_tell (self->deep, &place, "%llu bytes cannot be read: %s", (ull)damage->bytes,
                  damage->what);
    return MR_OK;
}

mr_status_t
mr_deep_read_spool (mr_deep_exporter_t *exporter, mr_error_t *err)
{
    char dir[PATH_MAX];
    mr_spool_path (exporter->deep->data_dir, exporter->slot, dir);
    if (access (dir, F_OK) != 0) {
        return MR_OK;
    }
    mr_seglog_walk_options_t walk = {
        .dir = dir,
        .position = exporter->read_to,
        .visitor = {on_segment, on_frame, on_damage, exporter},
    };
    mr_seglog_walked_t walked;
    mr_status_t status = mr_seglog_walk (&walk, &walked, err);
    if (status == MR_CLOSED) {
        return MR_OK; /* it is just being made */
    }
    if (status == MR_OK) {
        exporter->there = true;
        exporter->read_to = walked.end;
    }
    return status;
}
