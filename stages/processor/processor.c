#include "stages/processor/processor.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/runtime/metric_fields.h"
#include "common/wire/crumb.h"
#include "common/wire/dead.h"
#include "stages/processor/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_MARKS = 64, MAX_TYPES = 16, DEAD_LIMIT = 64 << 20, MESSAGE_BYTES = 512 };

/* Of a frame, for all but its records and dead letters: header, offsets, the INDEX section. */
enum { FRAME_RESERVE = 1 << 20 };

typedef struct processor {
    mr_stage_t *stage;
    mr_steps_t *steps;
    size_t watched; /* fields of the metric rules */
    uint64_t config_hash;
    mr_buffer_t dead;  /* DEAD section under construction */
    mr_buffer_t index; /* INDEX section under construction */
    size_t spare;      /* what the frame has room for beside the rows of dead letters */
} processor_t;

/* The steps of the configuration. One that is wrong becomes a fault of it and is left out. */
static mr_status_t
compile (mr_config_t *faults, const mr_config_t *config, mr_steps_t **ret_steps, mr_error_t *err)
{
    const mr_config_section_t *section = mr_config_section (config, "processor");
    mr_steps_t *steps = NULL;
    mr_status_t status =
        mr_steps_new ((mr_parse_t)mr_config_number (section, "parse"), &steps, err);
    const mr_config_entry_t *entry = NULL;
    while (status == MR_OK && (entry = mr_config_next (section, NULL, entry)) != NULL) {
        if (entry->faulty || (entry->option->flags & MR_OPTION_ORDERED) == 0) {
            continue;
        }
        mr_error_t why;
        status = mr_steps_add (steps, entry->option->key, entry->value.text, &why);
        if (status == MR_CONFIG && faults != NULL) {
            mr_config_reject_entry (faults, entry, "%s", why.text);
            status = MR_OK;
        } else if (status != MR_OK) {
            *err = why;
        }
    }
    if (status != MR_OK) {
        mr_steps_destroy (&steps);
        return status;
    }
    *ret_steps = steps;
    return MR_OK;
}

static mr_status_t
check (mr_config_t *config, bool dry, mr_error_t *err)
{
    (void)dry;
    mr_steps_t *steps = NULL;
    mr_status_t status = compile (config, config, &steps, err);
    mr_steps_destroy (&steps);
    return status;
}

/* Have the fields told that the metrics read. */
static mr_status_t
watch (processor_t *self, const mr_config_t *config, mr_error_t *err)
{
    mr_metric_fields_t fields = {0};
    mr_metric_fields_collect (config, &fields);
    mr_status_t status = MR_OK;
    for (size_t i = 0; status == MR_OK && i < fields.count; i++) {
        status = mr_steps_watch (self->steps, fields.paths[i], err);
        if (status == MR_CONFIG) {
            mr_error_prefix (err, "%s: [metric]: field \"%s\"", mr_config_path (config),
                             fields.paths[i]);
        }
    }
    self->watched = fields.count;
    return status;
}

static void
destroy (void **self_p)
{
    processor_t *self = *self_p;
    mr_steps_destroy (&self->steps);
    mr_buffer_release (&self->dead);
    mr_buffer_release (&self->index);
    free (self);
    *self_p = NULL;
}

static mr_status_t
create (mr_stage_t *stage, void **ret_self, mr_error_t *err)
{
    processor_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "processor");
    }
    self->stage = stage;
    self->config_hash = mr_config_hash (mr_stage_config (stage));
    mr_buffer_init (&self->dead, DEAD_LIMIT);
    mr_buffer_init (&self->index, 4 * (size_t)MR_BATCH_MAX_RECORDS);
    const mr_config_t *config = mr_stage_config (stage);
    mr_status_t status = compile (NULL, config, &self->steps, err);
    if (status == MR_OK) {
        status = watch (self, config, err);
    }
    if (status != MR_OK) {
        void *failed = self;
        destroy (&failed);
        return status;
    }
    *ret_self = self;
    return MR_OK;
}

/* A text of a row, cut between two characters where it is long. */
static mr_dead_text_t
row_text (const char *text)
{
    mr_dead_text_t cut = mr_dead_text (text);
    if (cut.bytes > MR_STEPS_TEXT_BYTES) {
        cut.bytes = MR_STEPS_TEXT_BYTES;
        while (cut.bytes > 0 && ((unsigned char)text[cut.bytes] & 0xc0) == 0x80) {
            cut.bytes--;
        }
    }
    return cut;
}

/* The record is cut where even its own bytes have no room in the frame. */
static mr_dead_t
dead_row (const processor_t *self, const mr_batch_t *batch, const mr_steps_dead_t *dead,
          const char *message)
{
    uint32_t start = batch->offsets[dead->index];
    uint32_t bytes = batch->offsets[dead->index + 1] - start - 1;
    return (mr_dead_t){
        .index = mr_batch_original_index (batch, dead->index),
        .attempts = batch->attempt,
        .ts_ns = mr_clock_wall_ns (),
        .stage = mr_dead_text ("processor"),
        .worker = mr_dead_text (mr_stage_worker (self->stage)),
        .error_type = mr_dead_text (mr_errortype_name (dead->error_type)),
        .rule = row_text (dead->rule),
        .message = row_text (message),
        .record = batch->records + start,
        .record_bytes = bytes < self->spare ? bytes : (uint32_t)self->spare,
        .original_bytes = bytes,
    };
}

static mr_status_t
append_row (processor_t *self, const mr_dead_t *row)
{
    self->spare -= row->record_bytes;
    return mr_dead_append (&self->dead, row);
}

typedef struct tally {
    mr_failure_t failures[MAX_TYPES];
    char messages[MAX_TYPES][MESSAGE_BYTES];
    int count;
} tally_t;

/* One error event for each type, with the first record as the sample. */
static void
count_failure (tally_t *tally, const mr_dead_t *row, mr_errortype_id_t error_type,
               const char *message)
{
    int i = 0;
    while (i < tally->count && tally->failures[i].error_type != error_type) {
        i++;
    }
    if (i == MAX_TYPES) {
        i--;
    }
    if (i == tally->count) {
        tally->count++;
        snprintf (tally->messages[i], MESSAGE_BYTES, "%s", message);
        tally->failures[i] = (mr_failure_t){.error_type = error_type,
                                            .message = tally->messages[i],
                                            .sample = row->record,
                                            .sample_bytes = row->record_bytes};
    }
    tally->failures[i].count++;
}

/* The rows that came in, and behind them ours. */
static mr_status_t
collect_dead (processor_t *self, const mr_batch_t *batch, const mr_steps_output_t *output,
              tally_t *tally)
{
    const mr_section_t *before = mr_batch_section (batch, MR_SECTION_DEAD);
    mr_status_t status = MR_OK;
    mr_buffer_clear (&self->dead);
    if (before != NULL) {
        status = mr_buffer_append (&self->dead, before->data, before->bytes);
    }
    for (uint32_t i = 0; status == MR_OK && i < output->dead_count; i++) {
        const mr_steps_dead_t *dead = &output->dead[i];
        char message[MESSAGE_BYTES];
        mr_steps_dead_message (dead, message, sizeof message);
        mr_dead_t row = dead_row (self, batch, dead, message);
        status = append_row (self, &row);
        count_failure (tally, &row, dead->error_type, message);
    }
    return status;
}

/* Indices of the records that workers died of, rising. */
static uint32_t
read_marks (const mr_batch_t *batch, uint32_t skip[MAX_MARKS])
{
    const mr_section_t *section = mr_batch_section (batch, MR_SECTION_MARKS);
    uint32_t count = 0;
    for (uint32_t i = 0; section != NULL && i < section->bytes / 8 && count < MAX_MARKS; i++) {
        uint32_t index;
        memcpy (&index, (const char *)section->data + (size_t)i * 8, sizeof index);
        if (index < batch->count && (count == 0 || index > skip[count - 1])) {
            skip[count++] = index;
        }
    }
    return count;
}

static bool
is_hang (const mr_batch_t *batch, uint32_t index)
{
    const mr_section_t *section = mr_batch_section (batch, MR_SECTION_MARKS);
    for (uint32_t i = 0; i < section->bytes / 8; i++) {
        uint32_t words[2];
        memcpy (words, (const char *)section->data + (size_t)i * 8, sizeof words);
        if (words[0] == index) {
            return words[1] == MR_EVIDENCE_HANG;
        }
    }
    return false;
}

/* A record that killed workers becomes a dead letter without being looked at. */
static mr_status_t
collect_marked (processor_t *self, const mr_batch_t *batch, const mr_steps_input_t *input,
                tally_t *tally)
{
    mr_status_t status = MR_OK;
    for (uint32_t i = 0; status == MR_OK && i < input->skip_count; i++) {
        bool hang = is_hang (batch, input->skip[i]);
        mr_steps_dead_t dead = {
            .index = input->skip[i],
            .error_type = hang ? MR_ERR_WORKER_HANG : MR_ERR_WORKER_CRASH,
            .rule = "",
        };
        const char *message =
            hang ? "processors made no progress on this record" : "processors died of this record";
        mr_dead_t row = dead_row (self, batch, &dead, message);
        status = append_row (self, &row);
        count_failure (tally, &row, dead.error_type, message);
    }
    return status;
}

static mr_status_t
collect_index (processor_t *self, const mr_batch_t *batch, const mr_steps_output_t *output)
{
    mr_status_t status = MR_OK;
    mr_buffer_clear (&self->index);
    for (uint32_t i = 0; status == MR_OK && i < output->records.count; i++) {
        uint32_t original = mr_batch_original_index (batch, output->origins[i]);
        status = mr_buffer_append (&self->index, &original, sizeof original);
    }
    return status;
}

/* What goes on: the batch with the steps' output in place of its records. */
static mr_status_t
compose (processor_t *self, const mr_batch_t *batch, const mr_steps_input_t *input,
         const mr_steps_output_t *output, mr_batch_t *ret_result)
{
    mr_batch_t result = *batch;
    result.records = output->records.data;
    result.records_bytes = output->records.offsets[output->records.count];
    result.offsets = output->records.offsets;
    result.count = output->records.count;
    result.filtered = batch->filtered + output->filtered;
    result.dead = batch->dead + output->dead_count + input->skip_count;
    result.config_hash = self->config_hash;
    mr_status_t status = MR_OK;
    mr_batch_remove_section (&result, MR_SECTION_MARKS);
    if (output->dead_count + input->skip_count > 0) {
        status = mr_batch_set_section (&result, MR_SECTION_DEAD, self->dead.data,
                                       (uint32_t)self->dead.size);
    }
    if (status == MR_OK && result.count < result.received) {
        status = collect_index (self, batch, output);
        if (status == MR_OK) {
            status = mr_batch_set_section (&result, MR_SECTION_INDEX, self->index.data,
                                           (uint32_t)self->index.size);
        }
    }
    if (status == MR_OK && self->watched > 0) {
        status = mr_batch_set_section (&result, MR_SECTION_FIELDS, output->watched,
                                       (uint32_t)(8 * (size_t)result.count * self->watched));
    }
    if (status == MR_OK && mr_batch_encoded_bytes (&result) == 0) {
        mr_batch_remove_section (&result, MR_SECTION_FIELDS); /* the metrics stage can do without */
    }
    if (status == MR_OK) {
        *ret_result = result;
    }
    return status;
}

/* What a frame has left for records and dead letters beside what the batch brings along. */
static size_t
frame_room (const mr_batch_t *batch)
{
    size_t room = MR_BATCH_MAX_BYTES - FRAME_RESERVE;
    for (uint32_t i = 0; i < batch->section_count; i++) {
        room -= batch->sections[i].bytes < room ? batch->sections[i].bytes : room;
    }
    return room;
}

/* What is left of it for the bytes of the records that failed. */
static size_t
spare_room (const mr_steps_input_t *input, const mr_steps_output_t *output)
{
    size_t rows = (size_t)MR_STEPS_ROW_BYTES * (output->dead_count + input->skip_count);
    size_t used = rows + output->records.offsets[output->records.count];
    return used < input->room ? input->room - used : 0;
}

static void
handle (void *arg, mr_batch_t *batch, const mr_stage_callbacks_t *callbacks)
{
    processor_t *self = arg;
    int64_t began_ns = mr_clock_mono_ns ();
    mr_records_t records = {
        .data = batch->records, .offsets = batch->offsets, .count = batch->count};
    uint32_t skip[MAX_MARKS];
    mr_steps_input_t input = {
        .records = &records,
        .skip = skip,
        .skip_count = read_marks (batch, skip),
        .room = frame_room (batch),
        .crumb = mr_stage_crumb (self->stage),
        .crumb_base = mr_crumb_base (batch->origin, batch->seq),
    };
    mr_steps_output_t output;
    tally_t tally;
    tally.count = 0;
    mr_batch_t result;
    mr_status_t status = mr_steps_run (self->steps, &input, &output);
    self->spare = status == MR_OK ? spare_room (&input, &output) : 0;
    if (status != MR_OK || collect_dead (self, batch, &output, &tally) != MR_OK ||
        collect_marked (self, batch, &input, &tally) != MR_OK ||
        compose (self, batch, &input, &output, &result) != MR_OK) {
        mr_log_error ("batch %llu: no memory", (unsigned long long)batch->seq);
        abort (); /* it is not lost: ingest still has it */
    }
    double ms = (double)(mr_clock_mono_ns () - began_ns) / 1e6;
    callbacks->on_success (callbacks->stage, "handle", ms, batch->count);
    for (int i = 0; i < tally.count; i++) {
        callbacks->on_error (callbacks->stage, "handle", &tally.failures[i]);
    }
    callbacks->on_handled (callbacks->stage, &result);
}

const mr_stage_ops_t mr_processor_ops = {
    .name = "processor",
    .help = "Parses and changes records: parse, keep, drop, set, rename, remove.",
    .check = check,
    .create = create,
    .handle = handle,
    .destroy = destroy,
};
