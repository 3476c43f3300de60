#include "launcher/logrow.h"

#include "common/base/clock.h"
#include "common/delivery/journal.h"
#include "common/delivery/journal_format.h"
#include "common/delivery/spool.h"

#include <inttypes.h>
#include <stdio.h>

static json_t *
number (uint64_t value)
{
    return json_integer ((json_int_t)value);
}

static json_t *
hex (uint64_t value)
{
    char text[17];
    snprintf (text, sizeof text, "%016" PRIx64, value);
    return json_string (text);
}

static json_t *
moment (int64_t wall_ns)
{
    char text[MR_RFC3339_BYTES];
    mr_clock_format (wall_ns, text);
    return json_string (text);
}

const char *
mr_logrow_kind (uint16_t kind)
{
    return kind == MR_JOURNAL_KIND ? "journal" : kind == MR_SPOOL_KIND ? "spool" : "log";
}

/* ---- segments ---- */

static uint64_t
count_producers (const mr_journal_memory_t *memory)
{
    uint64_t count = 0;
    size_t position = 0;
    mr_journal_producer_t producer;
    while (mr_journal_producer_next (memory->producers, memory->producers_bytes, &position,
                                     &producer) == MR_OK) {
        count++;
    }
    return count;
}

static void
add_journal (json_t *row, const mr_seglog_segment_t *segment)
{
    mr_journal_snapshot_t snapshot;
    mr_journal_memory_t memory;
    if (mr_journal_snapshot_decode (segment->snapshot, segment->head.snapshot_bytes, &snapshot) !=
            MR_OK ||
        mr_journal_memory_decode (snapshot.memory, snapshot.memory_bytes, &memory) != MR_OK) {
        json_object_set_new (row, "damaged", json_string ("snapshot"));
        return;
    }
    json_object_set_new (row, "next_seq", number (snapshot.next_seq));
    json_object_set_new (row, "received", number (snapshot.received));
    json_object_set_new (row, "watermark", number (snapshot.watermark));
    json_object_set_new (row, "lost", number (snapshot.lost));
    json_object_set_new (row, "producers", number (count_producers (&memory)));
    json_object_set_new (row, "strikes", number (memory.strikes_bytes / MR_JOURNAL_STRIKE_BYTES));
}

static void
add_spool (json_t *row, const mr_seglog_segment_t *segment)
{
    static mr_spool_sum_t sums[MR_SPOOL_SUMS_MAX];
    uint32_t count = 0;
    if (mr_spool_sums_decode (segment->snapshot, segment->head.snapshot_bytes, sums, &count,
                              NULL) != MR_OK) {
        json_object_set_new (row, "damaged", json_string ("snapshot"));
        return;
    }
    mr_spool_sum_t all = {0};
    for (uint32_t i = 0; i < count; i++) {
        mr_spool_sum_add (&all, &sums[i]);
    }
    json_object_set_new (row, "journals", number (count));
    json_object_set_new (row, "batches", number (all.batches));
    json_object_set_new (row, "exported", number (all.exported));
    json_object_set_new (row, "filtered", number (all.filtered));
    json_object_set_new (row, "dead", number (all.dead));
}

json_t *
mr_logrow_segment (const mr_seglog_segment_t *segment)
{
    json_t *row = json_object ();
    json_object_set_new (row, "segment", number (segment->start));
    json_object_set_new (row, "file_bytes", number (segment->file_bytes));
    if (!segment->sound) {
        json_object_set_new (row, "damaged", json_string ("header"));
        return row;
    }
    json_object_set_new (row, "number", number (segment->head.number));
    json_object_set_new (row, "created", moment (segment->head.created_ns));
    if (segment->head.kind == MR_JOURNAL_KIND) {
        add_journal (row, segment);
    } else if (segment->head.kind == MR_SPOOL_KIND) {
        add_spool (row, segment);
    }
    return row;
}

/* ---- frames ---- */

static json_t *
journal_data (const mr_seglog_frame_t *frame)
{
    const uint64_t *words = frame->words;
    json_t *row = json_object ();
    json_object_set_new (row, "batch", number (words[MR_JOURNAL_WORD_SEQ]));
    json_object_set_new (row, "position", number (frame->position));
    json_object_set_new (row, "received", number (words[MR_JOURNAL_WORD_RECEIVED]));
    json_object_set_new (row, "total", number (words[MR_JOURNAL_WORD_TOTAL]));
    json_object_set_new (row, "created", moment ((int64_t)words[MR_JOURNAL_WORD_CREATED]));
    return row;
}

static json_t *
journal_control (const mr_seglog_frame_t *frame)
{
    json_t *row = json_object ();
    if (frame->flags == MR_JOURNAL_WATERMARK) {
        json_object_set_new (row, "watermark", number (frame->words[0]));
    } else if (frame->flags == MR_JOURNAL_NOTE) {
        json_object_set_new (row, "strike", number (frame->words[0]));
        json_object_set_new (row, "index", number (frame->words[1]));
        json_object_set_new (row, "incarnation", hex (frame->words[2]));
        json_object_set_new (row, "evidence", number (frame->words[3]));
    } else if (frame->flags == MR_JOURNAL_LOST) {
        json_object_set_new (row, "lost", number (frame->words[MR_JOURNAL_LOST_SEQ]));
        json_object_set_new (row, "records", number (frame->words[MR_JOURNAL_LOST_RECORDS]));
        json_object_set_new (row, "total", number (frame->words[MR_JOURNAL_LOST_TOTAL]));
    } else if (frame->flags == MR_JOURNAL_GONE) {
        json_object_set_new (row, "gone", number (frame->words[MR_JOURNAL_GONE_SEQ]));
        json_object_set_new (row, "batches", number (frame->words[MR_JOURNAL_GONE_BATCHES]));
        json_object_set_new (row, "total", number (frame->words[MR_JOURNAL_GONE_UNKNOWN]));
    } else {
        json_object_set_new (row, "control", number (frame->flags));
    }
    json_object_set_new (row, "position", number (frame->position));
    return row;
}

static json_t *
spool_data (const mr_seglog_frame_t *frame)
{
    const uint64_t *words = frame->words;
    json_t *row = json_object ();
    json_object_set_new (row, "batch", number (words[MR_SPOOL_WORD_SEQ]));
    json_object_set_new (row, "journal", hex (words[MR_SPOOL_WORD_JOURNAL]));
    json_object_set_new (row, "position", number (frame->position));
    json_object_set_new (row, "exported", number (words[MR_SPOOL_WORD_EXPORTED]));
    json_object_set_new (row, "filtered", number (words[MR_SPOOL_WORD_FILTERED]));
    json_object_set_new (row, "dead", number (words[MR_SPOOL_WORD_DEAD]));
    json_object_set_new (row, "attempt", number (words[MR_SPOOL_WORD_ATTEMPT]));
    json_object_set_new (row, "config", hex (words[MR_SPOOL_WORD_CONFIG]));
    json_object_set_new (row, "created", moment ((int64_t)words[MR_SPOOL_WORD_CREATED]));
    return row;
}

static json_t *
spool_control (const mr_seglog_frame_t *frame)
{
    json_t *row = json_object ();
    json_object_set_new (row, "metrics", number (frame->words[MR_SPOOL_WORD_ROWS]));
    json_object_set_new (row, "position", number (frame->position));
    json_object_set_new (row, "sink", hex (frame->words[MR_SPOOL_WORD_SINK]));
    return row;
}

static json_t *
other (const mr_seglog_frame_t *frame)
{
    json_t *row = json_object ();
    json_object_set_new (row, "frame", number (frame->ordinal));
    json_object_set_new (row, "position", number (frame->position));
    return row;
}

json_t *
mr_logrow_frame (uint16_t kind, const mr_seglog_frame_t *frame)
{
    bool data = frame->type == MR_SEGLOG_DATA;
    json_t *row = NULL;
    if (kind == MR_JOURNAL_KIND) {
        row = data ? journal_data (frame) : journal_control (frame);
    } else if (kind == MR_SPOOL_KIND) {
        row = data ? spool_data (frame) : spool_control (frame);
    } else {
        row = other (frame);
    }
    json_object_set_new (row, "bytes", number (frame->payload_bytes));
    return row;
}
