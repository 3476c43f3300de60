#include "launcher/logcheck.h"

#include "common/base/seglog_walk.h"
#include "common/delivery/journal.h"
#include "common/delivery/spool.h"
#include "launcher/logrow.h"
#include "launcher/logview.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct check {
    const char *dir;
    bool as_json;
    uint16_t kind;
    uint64_t id;       /* of the log */
    uint64_t last_seq; /* journal: of the frame before; 0: none */
    uint64_t total;    /* journal: received so far, through it */
    bool gap;          /* something was skipped since: numbers need not follow */
    uint64_t faults;
} check_t;

/* ---- faults ---- */

static mr_status_t
check_segment (void *arg, const mr_seglog_segment_t *segment)
{
    check_t *check = arg;
    if (segment->sound) {
        check->kind = segment->head.kind;
        check->id = segment->head.log_id;
        return MR_OK;
    }
    mr_seglog_damage_t damage = {.position = segment->start, .what = "segment header"};
    check->faults++;
    mr_logview_put (mr_logview_damage (&damage, segment->start), check->as_json);
    return MR_OK;
}

static mr_status_t
check_damage (void *arg, const mr_seglog_damage_t *damage, uint64_t segment)
{
    check_t *check = arg;
    check->gap = true;
    if (!damage->trimmed) {
        check->faults++;
        mr_logview_put (mr_logview_damage (damage, segment), check->as_json);
    }
    return MR_OK;
}

static void
wrong (check_t *check, const mr_seglog_frame_t *frame, const char *what)
{
    uint64_t start = frame->position + MR_SEGLOG_FRAME_BYTES - frame->file_offset;
    mr_seglog_damage_t damage = {
        .position = frame->position,
        .bytes = frame->next - frame->position,
        .what = what,
    };
    check->faults++;
    mr_logview_put (mr_logview_damage (&damage, start), check->as_json);
}

/* batch: NULL when the frame has none (durability = memory). */
static void
check_journal (check_t *check, const mr_seglog_frame_t *frame, const mr_batch_t *batch)
{
    const uint64_t *words = frame->words;
    uint64_t seq = words[MR_JOURNAL_WORD_SEQ];
    uint64_t total = words[MR_JOURNAL_WORD_TOTAL];
    if (batch != NULL && (batch->journal != check->id || batch->seq != seq)) {
        wrong (check, frame, "the batch in it has another identity");
    }
    if (batch != NULL && batch->received != words[MR_JOURNAL_WORD_RECEIVED]) {
        wrong (check, frame, "it counts other records than its batch has");
    }
    if (check->last_seq != 0 && seq <= check->last_seq) {
        wrong (check, frame, "its number is not above that of the frame before");
    } else if (check->last_seq != 0 && !check->gap &&
               total != check->total + words[MR_JOURNAL_WORD_RECEIVED]) {
        wrong (check, frame, "the records received so far do not follow from the frame before");
    }
    check->last_seq = seq;
    check->total = total;
    check->gap = false;
}

static void
check_spool (check_t *check, const mr_seglog_frame_t *frame, const mr_batch_t *batch)
{
    const uint64_t *words = frame->words;
    if (batch->journal != words[MR_SPOOL_WORD_JOURNAL] || batch->seq != words[MR_SPOOL_WORD_SEQ]) {
        wrong (check, frame, "the batch in it has another identity");
    }
    if (batch->count != words[MR_SPOOL_WORD_EXPORTED] ||
        batch->filtered != words[MR_SPOOL_WORD_FILTERED] ||
        batch->dead != words[MR_SPOOL_WORD_DEAD]) {
        wrong (check, frame, "exported, filtered and dead are not those of its batch");
    }
}

static mr_status_t
check_frame (void *arg, const mr_seglog_frame_t *frame)
{
    check_t *check = arg;
    bool journal = check->kind == MR_JOURNAL_KIND;
    if (frame->type != MR_SEGLOG_DATA || (!journal && check->kind != MR_SPOOL_KIND)) {
        return MR_OK;
    }
    uint64_t bytes = journal ? frame->words[MR_JOURNAL_WORD_FRAME_BYTES] : frame->payload_bytes;
    mr_batch_t batch;
    mr_error_t why;
    if (journal && bytes == 0) {
        check_journal (check, frame, NULL);
        return MR_OK;
    }
    if (bytes > frame->payload_bytes ||
        mr_batch_decode (frame->payload, (size_t)bytes, &batch, &why) != MR_OK) {
        wrong (check, frame, "what it holds is not a batch");
        check->gap = true;
    } else if (journal) {
        check_journal (check, frame, &batch);
    } else {
        check_spool (check, frame, &batch);
    }
    return MR_OK;
}

mr_status_t
mr_logcheck (const char *dir, bool as_json, uint64_t *ret_faults, mr_error_t *err)
{
    check_t check = {.dir = dir, .as_json = as_json};
    mr_seglog_walk_options_t walk = {
        .dir = dir,
        .visitor = {check_segment, check_frame, check_damage, &check},
    };
    mr_seglog_walked_t walked;
    mr_status_t status = mr_seglog_walk (&walk, &walked, err);
    if (status == MR_OK) {
        mr_logview_put (json_pack ("{s:s,s:s,s:I,s:I,s:I,s:I}", mr_logrow_kind (walked.kind), dir,
                                   "state", check.faults == 0 ? "whole" : "damaged", "segments",
                                   (json_int_t)walked.segments, "frames", (json_int_t)walked.frames,
                                   "bytes", (json_int_t)walked.payload_bytes, "faults",
                                   (json_int_t)check.faults),
                        as_json);
        *ret_faults = check.faults;
    }
    return status;
}

/* ---- what a cut would take ---- */

typedef struct behind {
    uint64_t position;
    mr_logcheck_rest_t rest;
    bool exact; /* something begins there */
} behind_t;

static mr_status_t
behind_segment (void *arg, const mr_seglog_segment_t *segment)
{
    behind_t *behind = arg;
    behind->exact = behind->exact || segment->start == behind->position;
    if (segment->sound) {
        behind->rest.kind = segment->head.kind;
        behind->rest.journal = segment->head.kind == MR_JOURNAL_KIND ? segment->head.log_id : 0;
    }
    return MR_OK;
}

static mr_status_t
behind_frame (void *arg, const mr_seglog_frame_t *frame)
{
    behind_t *behind = arg;
    mr_logcheck_rest_t *rest = &behind->rest;
    const uint64_t *words = frame->words;
    behind->exact = behind->exact || frame->position == behind->position;
    if (frame->position < behind->position) {
        return MR_OK;
    }
    if (frame->type != MR_SEGLOG_DATA) {
        rest->others++;
        return MR_OK;
    }
    rest->batches++;
    if (rest->kind == MR_JOURNAL_KIND) {
        rest->records += words[MR_JOURNAL_WORD_RECEIVED];
        rest->last_seq = words[MR_JOURNAL_WORD_SEQ];
    } else {
        rest->records += words[MR_SPOOL_WORD_EXPORTED] + words[MR_SPOOL_WORD_FILTERED] +
                         words[MR_SPOOL_WORD_DEAD];
        rest->last_seq = words[MR_SPOOL_WORD_SEQ];
    }
    return MR_OK;
}

mr_status_t
mr_logcheck_behind (const char *dir, uint64_t position, mr_logcheck_rest_t *ret_rest,
                    mr_error_t *err)
{
    behind_t behind = {.position = position};
    mr_seglog_walk_options_t walk = {
        .dir = dir,
        .headers_only = true,
        .visitor = {.segment = behind_segment, .frame = behind_frame, .arg = &behind},
    };
    mr_seglog_walked_t walked;
    mr_status_t status = mr_seglog_walk (&walk, &walked, err);
    if (status != MR_OK) {
        return status;
    }
    if (!behind.exact && position != walked.end) {
        mr_error_set (err,
                      "%s: nothing begins at %" PRIu64
                      "; `millrace log ls` shows the positions of its frames",
                      dir, position);
        return MR_INVALID;
    }
    behind.rest.position = position;
    behind.rest.bytes = walked.end - position;
    *ret_rest = behind.rest;
    return MR_OK;
}
