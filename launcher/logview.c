#include "launcher/logview.h"

#include "common/base/seglog_walk.h"
#include "common/delivery/journal.h"
#include "common/delivery/journal_format.h"
#include "common/delivery/spool.h"
#include "common/wire/dead.h"
#include "common/wire/jsontext.h"
#include "common/wire/jsonwriter.h"
#include "launcher/logrow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_LIMIT = 256 << 20 };

void
mr_logview_put (json_t *row, bool as_json)
{
    if (as_json) {
        json_dumpf (row, stdout, JSON_COMPACT);
    }
    const char *key;
    json_t *value;
    const char *gap = "";
    json_object_foreach (row, key, value)
    {
        if (!as_json && json_is_string (value)) {
            printf ("%s%s %s", gap, key, json_string_value (value));
        } else if (!as_json) {
            printf ("%s%s %" JSON_INTEGER_FORMAT, gap, key, json_integer_value (value));
        }
        gap = "  ";
    }
    putchar ('\n');
    json_decref (row);
}

/* ---- ls ---- */

typedef struct listing {
    bool as_json;
    uint16_t kind;
    mr_buffer_t snapshot; /* of the newest journal segment so far */
} listing_t;

static mr_status_t
list_segment (void *arg, const mr_seglog_segment_t *segment)
{
    listing_t *listing = arg;
    mr_logview_put (mr_logrow_segment (segment), listing->as_json);
    if (!segment->sound) {
        return MR_OK;
    }
    listing->kind = segment->head.kind;
    mr_buffer_clear (&listing->snapshot);
    return mr_buffer_append (&listing->snapshot, segment->snapshot, segment->head.snapshot_bytes);
}

static mr_status_t
list_frame (void *arg, const mr_seglog_frame_t *frame)
{
    const listing_t *listing = arg;
    json_t *row = mr_logrow_frame (listing->kind, frame);
    json_object_set_new (row, "checksum", json_string ("ok"));
    mr_logview_put (row, listing->as_json);
    return MR_OK;
}

json_t *
mr_logview_damage (const mr_seglog_damage_t *damage, uint64_t segment)
{
    char file[MR_SEGLOG_NAME_BYTES];
    mr_seglog_name (file, segment, ".seg");
    return json_pack ("{s:I,s:s,s:I,s:I,s:s}", "damaged", (json_int_t)damage->position, "file",
                      file, "offset", (json_int_t)(damage->position - segment), "bytes",
                      (json_int_t)damage->bytes, "what", damage->what);
}

static mr_status_t
list_damage (void *arg, const mr_seglog_damage_t *damage, uint64_t segment)
{
    const listing_t *listing = arg;
    if (!damage->trimmed) {
        mr_logview_put (mr_logview_damage (damage, segment), listing->as_json);
    }
    return MR_OK;
}

static void
list_producers (const listing_t *listing)
{
    mr_journal_snapshot_t snapshot;
    mr_journal_memory_t memory;
    if (listing->kind != MR_JOURNAL_KIND ||
        mr_journal_snapshot_decode (listing->snapshot.data, listing->snapshot.size, &snapshot) !=
            MR_OK ||
        mr_journal_memory_decode (snapshot.memory, snapshot.memory_bytes, &memory) != MR_OK) {
        return;
    }
    size_t position = 0;
    mr_journal_producer_t producer;
    while (mr_journal_producer_next (memory.producers, memory.producers_bytes, &position,
                                     &producer) == MR_OK) {
        json_t *row = json_object ();
        json_object_set_new (row, "producer", json_stringn (producer.name, producer.name_bytes));
        json_object_set_new (row, "last", json_integer ((json_int_t)producer.last));
        mr_logview_put (row, listing->as_json);
    }
}

mr_status_t
mr_logview_list (const char *dir, bool as_json, mr_error_t *err)
{
    listing_t listing = {.as_json = as_json};
    mr_buffer_init (&listing.snapshot, MR_SEGLOG_SNAPSHOT_MAX);
    mr_seglog_walk_options_t walk = {
        .dir = dir,
        .visitor = {list_segment, list_frame, list_damage, &listing},
    };
    mr_seglog_walked_t walked;
    mr_status_t status = mr_seglog_walk (&walk, &walked, err);
    if (status == MR_OK) {
        list_producers (&listing);
    }
    mr_buffer_release (&listing.snapshot);
    return status;
}

/* ---- show ---- */

mr_status_t
mr_logview_parse_batch (const char *text, mr_logview_batch_t *ret_batch)
{
    const char *dash = strchr (text, '-');
    const char *digits = dash != NULL ? dash + 1 : text;
    size_t bytes = strlen (digits);
    mr_logview_batch_t batch = {0};
    if (dash != NULL) {
        bool is_hex = dash - text == 16 && strspn (text, "0123456789abcdef") == 16;
        batch.journal = is_hex ? strtoull (text, NULL, 16) : 0;
        if (batch.journal == 0) {
            return MR_INVALID;
        }
    }
    if (bytes == 0 || bytes > 19 || strspn (digits, "0123456789") != bytes) {
        return MR_INVALID;
    }
    batch.seq = strtoull (digits, NULL, 10);
    *ret_batch = batch;
    return MR_OK;
}

typedef struct showing {
    mr_logview_batch_t batch;
    bool as_json;
    uint16_t kind;
    uint64_t id; /* of the log */
    unsigned found;
} showing_t;

static mr_status_t
show_segment (void *arg, const mr_seglog_segment_t *segment)
{
    showing_t *showing = arg;
    if (segment->sound) {
        showing->kind = segment->head.kind;
        showing->id = segment->head.log_id;
    }
    return MR_OK;
}

static bool
is_wanted (const showing_t *showing, const mr_seglog_frame_t *frame)
{
    bool spool = showing->kind == MR_SPOOL_KIND;
    uint64_t journal = spool ? frame->words[MR_SPOOL_WORD_JOURNAL] : showing->id;
    uint64_t seq = frame->words[spool ? MR_SPOOL_WORD_SEQ : MR_JOURNAL_WORD_SEQ];
    return frame->type == MR_SEGLOG_DATA && seq == showing->batch.seq &&
           (showing->batch.journal == 0 || showing->batch.journal == journal);
}

static void
put_record (const mr_batch_t *batch, uint32_t i, bool as_json)
{
    const char *record = batch->records + batch->offsets[i];
    size_t bytes = batch->offsets[i + 1] - batch->offsets[i] - 1;
    if (!as_json) {
        fwrite (record, 1, bytes + 1, stdout);
        return;
    }
    mr_buffer_t line;
    mr_buffer_init (&line, ROW_LIMIT);
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, &line);
    mr_jsonwriter_open (&json, NULL, '{');
    mr_jsonwriter_u64 (&json, "index", mr_batch_original_index (batch, i));
    if (mr_utf8_valid (record, bytes)) {
        mr_jsonwriter_string (&json, "record", record, bytes);
    } else {
        mr_jsonwriter_base64 (&json, "record_base64", record, bytes);
    }
    mr_jsonwriter_close (&json, '}');
    if (mr_jsonwriter_finish (&json) == MR_OK) {
        fwrite (line.data, 1, line.size, stdout);
        putchar ('\n');
    }
    mr_buffer_release (&line);
}

static void
put_dead (const mr_batch_t *batch)
{
    const mr_section_t *section = mr_batch_section (batch, MR_SECTION_DEAD);
    size_t position = 0;
    mr_dead_t dead;
    mr_buffer_t line;
    mr_buffer_init (&line, ROW_LIMIT);
    while (section != NULL &&
           mr_dead_next (section->data, section->bytes, &position, &dead, NULL) == MR_OK) {
        mr_buffer_clear (&line);
        if (mr_dead_format (&dead, batch->journal, batch->seq, &line) == MR_OK) {
            fwrite (line.data, 1, line.size, stdout);
        }
    }
    mr_buffer_release (&line);
}

static mr_status_t
show_frame (void *arg, const mr_seglog_frame_t *frame)
{
    showing_t *showing = arg;
    if (!is_wanted (showing, frame)) {
        return MR_OK;
    }
    showing->found++;
    mr_logview_put (mr_logrow_frame (showing->kind, frame), showing->as_json);
    uint64_t bytes = showing->kind == MR_JOURNAL_KIND ? frame->words[MR_JOURNAL_WORD_FRAME_BYTES]
                                                      : frame->payload_bytes;
    if (bytes == 0) { /* durability = memory */
        mr_logview_put (json_pack ("{s:s}", "records", "not in the journal (durability = memory)"),
                        showing->as_json);
        return MR_OK;
    }
    mr_batch_t batch;
    mr_error_t why;
    if (bytes > frame->payload_bytes ||
        mr_batch_decode (frame->payload, bytes, &batch, &why) != MR_OK) {
        mr_logview_put (json_pack ("{s:s}", "broken", "it is not a batch"), showing->as_json);
        return MR_OK;
    }
    for (uint32_t i = 0; i < batch.count; i++) {
        put_record (&batch, i, showing->as_json);
    }
    put_dead (&batch);
    return MR_OK;
}

mr_status_t
mr_logview_show (const char *dir, const mr_logview_batch_t *batch, bool as_json,
                 unsigned *ret_found, mr_error_t *err)
{
    showing_t showing = {.batch = *batch, .as_json = as_json};
    mr_seglog_walk_options_t walk = {
        .dir = dir,
        .visitor = {.segment = show_segment, .frame = show_frame, .arg = &showing},
    };
    mr_seglog_walked_t walked;
    mr_status_t status = mr_seglog_walk (&walk, &walked, err);
    *ret_found = showing.found;
    return status;
}
