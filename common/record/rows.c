#include "common/record/rows.h"

#include "common/base/clock.h"
#include "common/wire/dead.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* As JSON, a byte of a dead letter may take six. Room beyond KEPT is given back. */
#define OUT_LIMIT ((size_t)8 * MR_BATCH_MAX_BYTES)
enum { KEPT_BYTES = 16 << 20 };

static mr_status_t
need_json (mr_rows_t *self, mr_error_t *err)
{
    if (self->json == NULL && mr_json_new (&self->json) != MR_OK) {
        mr_error_set (err, "rows: out of memory");
        return MR_SYSTEM;
    }
    return MR_OK;
}

mr_status_t
mr_rows_init (mr_rows_t *self, mr_rows_input_t input, const char *match_text, bool envelope,
              mr_error_t *err)
{
    *self = (mr_rows_t){.input = input, .envelope = envelope};
    mr_buffer_init (&self->out, OUT_LIMIT);
    mr_status_t status = MR_OK;
    if (match_text != NULL) {
        status = mr_expr_new (match_text, &self->match, err);
    }
    if (status == MR_OK && (match_text != NULL || envelope)) {
        status = need_json (self, err);
    }
    if (status != MR_OK) {
        mr_rows_release (self);
    }
    return status;
}

void
mr_rows_release (mr_rows_t *self)
{
    mr_expr_destroy (&self->match);
    for (size_t i = 0; i < self->other_count; i++) {
        mr_expr_destroy (&self->others[i]);
    }
    free (self->others);
    self->others = NULL;
    self->other_count = 0;
    mr_json_destroy (&self->json);
    mr_buffer_release (&self->out);
}

mr_status_t
mr_rows_except (mr_rows_t *self, const char *match_text, mr_error_t *err)
{
    mr_expr_t **bigger = realloc (self->others, (self->other_count + 1) * sizeof (mr_expr_t *));
    if (bigger == NULL) {
        mr_error_set (err, "rows: out of memory");
        return MR_SYSTEM;
    }
    self->others = bigger;
    mr_status_t status = mr_expr_new (match_text, &self->others[self->other_count], err);
    if (status == MR_OK) {
        self->other_count++;
        status = need_json (self, err);
    }
    return status;
}

static bool
is_taken (const mr_rows_t *self, const mr_json_record_t *record)
{
    bool taken =
        self->match == NULL || mr_expr_eval (self->match, record->fields, record->field_count);
    for (size_t i = 0; taken && i < self->other_count; i++) {
        taken = !mr_expr_eval (self->others[i], record->fields, record->field_count);
    }
    return taken;
}

static void
clear (mr_rows_t *self)
{
    if (self->out.capacity > KEPT_BYTES) {
        mr_buffer_release (&self->out);
        mr_buffer_init (&self->out, OUT_LIMIT);
    }
    mr_buffer_clear (&self->out);
}

/* The line of a dead letter or a metric, which is a record like any other, at `start` of out: it
 * stays if it matches. */
static mr_status_t
keep_if_matching (mr_rows_t *self, size_t start, uint32_t *count)
{
    if (self->match != NULL) {
        const uint32_t offsets[2] = {0, (uint32_t)(self->out.size - start)};
        const mr_records_t row = {.data = self->out.data + start, .offsets = offsets, .count = 1};
        mr_json_record_t record;
        mr_json_open (self->json, &row);
        mr_status_t status = mr_json_next (self->json, 0, &record);
        if (status != MR_OK) {
            return status;
        }
        if (record.error != MR_JSON_OK ||
            !mr_expr_eval (self->match, record.fields, record.field_count)) {
            self->out.size = start;
            return MR_OK;
        }
    }
    (*count)++;
    return MR_OK;
}

static mr_status_t
append_dead (mr_rows_t *self, const mr_batch_t *batch, uint32_t *count)
{
    const mr_section_t *section = mr_batch_section (batch, MR_SECTION_DEAD);
    size_t position = 0;
    mr_dead_t dead;
    mr_status_t status = section == NULL ? MR_CLOSED : MR_OK;
    while (status == MR_OK) {
        status = mr_dead_next (section->data, section->bytes, &position, &dead, NULL);
        size_t start = self->out.size;
        if (status == MR_OK) {
            status = mr_dead_format (&dead, batch->journal, batch->seq, &self->out);
        }
        if (status == MR_OK) {
            status = keep_if_matching (self, start, count);
        }
    }
    return status == MR_CLOSED ? MR_OK : status;
}

/* The records that match, with an envelope where envelope_of is given. */
static mr_status_t
filter (mr_rows_t *self, const mr_records_t *rows, const mr_batch_t *envelope_of, mr_buffer_t *out,
        uint32_t *count)
{
    mr_json_open (self->json, rows);
    mr_json_record_t record;
    mr_status_t status;
    uint32_t i = 0;
    while ((status = mr_json_next (self->json, 0, &record)) == MR_OK) {
        uint32_t row = i++;
        if (record.error != MR_JSON_OK || !is_taken (self, &record)) {
            continue;
        }
        (*count)++;
        if (envelope_of == NULL) {
            status = mr_buffer_append (out, record.text, record.bytes);
        } else {
            char ingested[MR_RFC3339_BYTES];
            mr_clock_format (envelope_of->created_ns, ingested);
            status = mr_buffer_append (out, record.text, record.end - 1);
            if (status == MR_OK) {
                status = mr_buffer_printf (
                    out,
                    "%s\"_id\":\"%016" PRIx64 "-%" PRIu64 "-%" PRIu32 "\",\"_ingested\":\"%s\"}",
                    record.field_count > 0 ? "," : "", envelope_of->journal, envelope_of->seq,
                    mr_batch_original_index (envelope_of, row), ingested);
            }
        }
        if (status == MR_OK) {
            status = mr_buffer_append (out, "\n", 1);
        }
        if (status != MR_OK) {
            return status;
        }
    }
    return status == MR_CLOSED ? MR_OK : status;
}

static mr_status_t
make_records (mr_rows_t *self, const mr_batch_t *batch, const char **ret_lines, size_t *ret_bytes,
              uint32_t *ret_count)
{
    if (self->json == NULL) {
        *ret_lines = batch->records;
        *ret_bytes = batch->records_bytes;
        *ret_count = batch->count;
        return MR_OK;
    }
    mr_records_t rows = {.data = batch->records, .offsets = batch->offsets, .count = batch->count};
    mr_status_t status = filter (self, &rows, self->envelope ? batch : NULL, &self->out, ret_count);
    *ret_lines = self->out.data;
    *ret_bytes = self->out.size;
    return status;
}

mr_status_t
mr_rows_make (mr_rows_t *self, const mr_batch_t *batch, const char **ret_lines, size_t *ret_bytes,
              uint32_t *ret_count)
{
    clear (self);
    *ret_count = 0;
    *ret_bytes = 0;
    *ret_lines = NULL;
    if (self->input == MR_ROWS_RECORDS) {
        return make_records (self, batch, ret_lines, ret_bytes, ret_count);
    }
    if (self->input == MR_ROWS_METRICS) {
        return MR_OK;
    }
    mr_status_t status = append_dead (self, batch, ret_count);
    *ret_lines = self->out.data;
    *ret_bytes = self->out.size;
    return status;
}

mr_status_t
mr_rows_select (mr_rows_t *self, const mr_buffer_t *lines, const char **ret_lines,
                size_t *ret_bytes, uint32_t *ret_count)
{
    clear (self);
    *ret_count = 0;
    mr_status_t status = MR_OK;
    for (size_t at = 0; status == MR_OK && at < lines->size;) {
        const char *line = lines->data + at;
        const char *end = memchr (line, '\n', lines->size - at);
        MR_ASSERT (end != NULL);
        size_t start = self->out.size;
        status = mr_buffer_append (&self->out, line, (size_t)(end + 1 - line));
        if (status == MR_OK) {
            status = keep_if_matching (self, start, ret_count);
        }
        at += (size_t)(end + 1 - line);
    }
    *ret_lines = self->out.data;
    *ret_bytes = self->out.size;
    return status;
}
