#include "common/wire/dead.h"

#include "common/wire/jsontext.h"
#include "common/wire/jsonwriter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The start of a row; the texts follow in this order, then the record, then zeros up to a multiple
 * of 8. PROTOCOL.md names each byte. */
typedef struct row {
    uint32_t row_bytes; /* all of it, with the zeros */
    uint32_t index;
    uint16_t attempts;
    uint16_t stage_bytes;
    uint16_t worker_bytes;
    uint16_t error_type_bytes;
    uint16_t rule_bytes;
    uint16_t message_bytes;
    uint32_t record_bytes;
    uint32_t original_bytes;
    uint32_t reserved;
    int64_t ts_ns;
} row_t;

enum { ROW_BYTES = 40 };
_Static_assert(sizeof (row_t) == ROW_BYTES, "row layout");

mr_dead_text_t
mr_dead_text (const char *text)
{
    size_t bytes = strlen (text);
    return (mr_dead_text_t){text, (uint16_t)(bytes < UINT16_MAX ? bytes : UINT16_MAX)};
}

static uint64_t
whole_bytes (const row_t *row)
{
    uint64_t bytes = ROW_BYTES + (uint64_t)row->stage_bytes + row->worker_bytes +
                     row->error_type_bytes + row->rule_bytes + row->message_bytes +
                     row->record_bytes;
    return (bytes + 7) & ~UINT64_C (7);
}

static char *
put (char *to, const char *data, size_t bytes)
{
    if (bytes > 0) {
        memcpy (to, data, bytes);
    }
    return to + bytes;
}

mr_status_t
mr_dead_append (mr_buffer_t *section, const mr_dead_t *dead)
{
    MR_ASSERT (dead->attempts >= 1 && dead->original_bytes >= dead->record_bytes);
    MR_ASSERT (section->size % 8 == 0);
    row_t row = {
        .index = dead->index,
        .attempts = dead->attempts,
        .stage_bytes = dead->stage.bytes,
        .worker_bytes = dead->worker.bytes,
        .error_type_bytes = dead->error_type.bytes,
        .rule_bytes = dead->rule.bytes,
        .message_bytes = dead->message.bytes,
        .record_bytes = dead->record_bytes,
        .original_bytes = dead->original_bytes,
        .ts_ns = dead->ts_ns,
    };
    uint64_t bytes = whole_bytes (&row);
    if (bytes > UINT32_MAX) {
        return MR_INVALID;
    }
    mr_status_t status = mr_buffer_reserve (section, bytes);
    if (status != MR_OK) {
        return status;
    }
    row.row_bytes = (uint32_t)bytes;
    char *start = section->data + section->size;
    char *to = put (start, (const char *)&row, sizeof row);
    to = put (to, dead->stage.data, dead->stage.bytes);
    to = put (to, dead->worker.data, dead->worker.bytes);
    to = put (to, dead->error_type.data, dead->error_type.bytes);
    to = put (to, dead->rule.data, dead->rule.bytes);
    to = put (to, dead->message.data, dead->message.bytes);
    to = put (to, dead->record, dead->record_bytes);
    memset (to, 0, (size_t)(start + bytes - to));
    section->size += bytes;
    return MR_OK;
}

static mr_dead_text_t
take (const char **at, uint16_t bytes)
{
    mr_dead_text_t text = {*at, bytes};
    *at += bytes;
    return text;
}

static mr_status_t
invalid (mr_error_t *err, const char *field, size_t position)
{
    mr_error_set (err, "dead letters: bad %s in the row at byte %zu", field, position);
    return MR_INVALID;
}

mr_status_t
mr_dead_next (const void *section, size_t bytes, size_t *position, mr_dead_t *ret_dead,
              mr_error_t *err)
{
    MR_ASSERT (*position <= bytes);
    size_t rest = bytes - *position;
    if (rest == 0) {
        return MR_CLOSED;
    }
    row_t row;
    if (rest < sizeof row) {
        return invalid (err, "size", *position);
    }
    const char *at = (const char *)section + *position;
    memcpy (&row, at, sizeof row);
    if (row.row_bytes > rest || row.row_bytes != whole_bytes (&row)) {
        return invalid (err, "row_bytes", *position);
    }
    if (row.attempts == 0) {
        return invalid (err, "attempts", *position);
    }
    if (row.original_bytes < row.record_bytes) {
        return invalid (err, "original_bytes", *position);
    }
    at += sizeof row;
    mr_dead_t dead = {
        .index = row.index,
        .attempts = row.attempts,
        .ts_ns = row.ts_ns,
        .record_bytes = row.record_bytes,
        .original_bytes = row.original_bytes,
    };
    dead.stage = take (&at, row.stage_bytes);
    dead.worker = take (&at, row.worker_bytes);
    dead.error_type = take (&at, row.error_type_bytes);
    dead.rule = take (&at, row.rule_bytes);
    dead.message = take (&at, row.message_bytes);
    dead.record = at;
    *ret_dead = dead;
    *position += row.row_bytes;
    return MR_OK;
}

static void
write_text (mr_jsonwriter_t *json, const char *key, mr_dead_text_t text)
{
    mr_jsonwriter_string (json, key, text.data, text.bytes);
}

mr_status_t
mr_dead_format (const mr_dead_t *dead, uint64_t journal, uint64_t seq, mr_buffer_t *out)
{
    char id[64];
    snprintf (id, sizeof id, "%016" PRIx64 "-%" PRIu64 "-%" PRIu32, journal, seq, dead->index);
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, out);
    mr_jsonwriter_open (&json, NULL, '{');
    mr_jsonwriter_text (&json, "id", id);
    write_text (&json, "stage", dead->stage);
    write_text (&json, "worker", dead->worker);
    write_text (&json, "error_type", dead->error_type);
    write_text (&json, "message", dead->message);
    write_text (&json, "rule", dead->rule);
    mr_jsonwriter_u64 (&json, "attempts", dead->attempts);
    mr_jsonwriter_time (&json, "ts", dead->ts_ns);
    if (mr_utf8_valid (dead->record, dead->record_bytes)) {
        mr_jsonwriter_string (&json, "record", dead->record, dead->record_bytes);
    } else {
        mr_jsonwriter_base64 (&json, "record_base64", dead->record, dead->record_bytes);
    }
    if (dead->original_bytes > dead->record_bytes) {
        mr_jsonwriter_u64 (&json, "original_bytes", dead->original_bytes);
    }
    mr_jsonwriter_close (&json, '}');
    json.comma = false;
    mr_jsonwriter_raw (&json, NULL, "\n", 1);
    return mr_jsonwriter_finish (&json);
}
