#include "stages/metrics/aggregate.h"

#include "common/record/json.h"
#include "common/record/number.h"
#include "common/record/path.h"
#include "common/wire/fields.h"
#include "stages/metrics/series.h"
#include "stages/metrics/values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct mr_aggregate {
    const mr_metric_rules_t *rules;
    mr_path_t *paths[MR_METRIC_FIELDS_MAX];
    uint32_t labels[MR_METRIC_FIELDS_MAX]; /* fields that are a label of some metric, each once */
    uint32_t label_count;
    mr_values_t values;
    mr_series_table_t *series; /* of each rule */
    mr_aggregate_faults_t *faults;
    mr_json_t *json; /* for batches without the section */
    mr_buffer_t section;
};

/* ---- life ---- */

static void
note_labels (mr_aggregate_t *self)
{
    bool seen[MR_METRIC_FIELDS_MAX] = {false};
    for (size_t i = 0; i < self->rules->count; i++) {
        const mr_metric_rule_t *rule = &self->rules->rules[i];
        for (uint32_t j = 0; j < rule->metric.label_count; j++) {
            uint32_t field = rule->label_fields[j];
            if (!seen[field]) {
                seen[field] = true;
                self->labels[self->label_count++] = field;
            }
        }
    }
}

static mr_status_t
allocate (mr_aggregate_t *self)
{
    size_t count = self->rules->count;
    self->series = calloc (count + 1, sizeof *self->series);
    self->faults = calloc (count + 1, sizeof *self->faults);
    mr_status_t status = self->series != NULL && self->faults != NULL ? MR_OK : MR_SYSTEM;
    for (size_t i = 0; status == MR_OK && i < count; i++) {
        status = mr_series_init (&self->series[i], &self->rules->rules[i].metric);
    }
    if (status == MR_OK) {
        status = mr_values_init (&self->values);
    }
    if (status == MR_OK) {
        status = mr_json_new (&self->json);
    }
    return status;
}

mr_status_t
mr_aggregate_new (const mr_metric_rules_t *rules, mr_aggregate_t **ret_self, mr_error_t *err)
{
    mr_aggregate_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "metrics");
    }
    self->rules = rules;
    mr_buffer_init (&self->section, MR_BATCH_MAX_BYTES);
    mr_status_t status = MR_OK;
    for (size_t i = 0; status == MR_OK && i < rules->fields.count; i++) {
        const char *path = rules->fields.paths[i];
        status = mr_path_new (path, strlen (path), &self->paths[i], err);
    }
    if (status == MR_OK) {
        note_labels (self);
        status = allocate (self);
    }
    if (status == MR_SYSTEM) {
        (void)mr_error_errno (err, "metrics");
    }
    if (status != MR_OK) {
        mr_aggregate_destroy (&self);
        return status;
    }
    *ret_self = self;
    return MR_OK;
}

void
mr_aggregate_destroy (mr_aggregate_t **self_p)
{
    mr_aggregate_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->rules->fields.count; i++) {
        mr_path_destroy (&self->paths[i]);
    }
    for (size_t i = 0; self->series != NULL && i < self->rules->count; i++) {
        mr_series_release (&self->series[i]);
    }
    free (self->series);
    free (self->faults);
    mr_values_release (&self->values);
    mr_json_destroy (&self->json);
    mr_buffer_release (&self->section);
    free (self);
    *self_p = NULL;
}

/* ---- one record ---- */

static void
count_missing (mr_aggregate_faults_t *faults, uint32_t record)
{
    if (faults->missing++ == 0) {
        faults->missing_at = record;
    }
}

static void
count_not_number (mr_aggregate_faults_t *faults, uint32_t record)
{
    if (faults->not_number++ == 0) {
        faults->not_number_at = record;
    }
}

/* The number to observe; counts why there is none. */
static bool
number_of (mr_field_t field, uint32_t record, mr_aggregate_faults_t *faults, double *ret_value)
{
    if (field.type == MR_JSON_NUMBER) {
        *ret_value = mr_number_to_double (mr_number_read (field.data, field.bytes));
        if (isfinite (*ret_value)) {
            return true;
        }
    }
    if (field.type == MR_FIELDS_ABSENT || field.type == MR_JSON_NULL) {
        count_missing (faults, record);
    } else {
        count_not_number (faults, record);
    }
    return false;
}

/* fields: of the record, in the order of rules->fields. */
static mr_status_t
add_record (mr_aggregate_t *self, uint32_t record, const mr_field_t *fields)
{
    uint32_t values[MR_METRIC_FIELDS_MAX];
    mr_status_t status = MR_OK;
    for (uint32_t i = 0; status == MR_OK && i < self->label_count; i++) {
        uint32_t field = self->labels[i];
        status = mr_values_intern (&self->values, fields[field], &values[field]);
    }
    for (size_t i = 0; status == MR_OK && i < self->rules->count; i++) {
        const mr_metric_rule_t *rule = &self->rules->rules[i];
        mr_series_table_t *series = &self->series[i];
        uint32_t labels[MR_PARTIAL_MAX_LABELS];
        uint32_t index;
        double value = 0;
        bool observes = rule->metric.kind == MR_PARTIAL_HISTOGRAM;
        if (observes && !number_of (fields[rule->field], record, &self->faults[i], &value)) {
            continue;
        }
        for (uint32_t j = 0; j < rule->metric.label_count; j++) {
            labels[j] = values[rule->label_fields[j]];
        }
        status = mr_series_find (series, labels, &index);
        if (status == MR_OK && observes) {
            mr_series_observe (series, index, value);
        } else if (status == MR_OK) {
            series->series[index].count++;
        }
    }
    return status;
}

/* ---- one batch ---- */

static mr_status_t
run_noted (mr_aggregate_t *self, const mr_batch_t *batch, const mr_fields_view_t *view)
{
    mr_field_t fields[MR_METRIC_FIELDS_MAX];
    mr_status_t status = MR_OK;
    for (uint32_t i = 0; status == MR_OK && i < batch->count; i++) {
        for (uint32_t f = 0; f < view->fields; f++) {
            fields[f] = mr_fields_get (view, i, f);
        }
        status = add_record (self, i, fields);
    }
    return status;
}

static mr_status_t
run_parsed (mr_aggregate_t *self, const mr_batch_t *batch)
{
    mr_records_t records = {
        .data = batch->records, .offsets = batch->offsets, .count = batch->count};
    mr_field_t fields[MR_METRIC_FIELDS_MAX];
    mr_json_record_t record;
    mr_status_t status;
    mr_json_open (self->json, &records);
    for (uint32_t i = 0; (status = mr_json_next (self->json, 0, &record)) == MR_OK; i++) {
        for (size_t f = 0; f < self->rules->fields.count; f++) {
            mr_json_value_t value;
            fields[f] = (mr_field_t){.type = MR_FIELDS_ABSENT};
            if (record.error == MR_JSON_OK &&
                mr_path_find (self->paths[f], record.fields, record.field_count, &value)) {
                fields[f] = (mr_field_t){value.text, value.bytes, value.type};
            }
        }
        status = add_record (self, i, fields);
        if (status != MR_OK) {
            return status;
        }
    }
    return status == MR_CLOSED ? MR_OK : status;
}

mr_status_t
mr_aggregate_run (mr_aggregate_t *self, const mr_batch_t *batch, bool use_fields)
{
    bool forget = mr_values_trim (&self->values);
    for (size_t i = 0; i < self->rules->count; i++) {
        mr_series_open (&self->series[i], forget);
        self->faults[i] = (mr_aggregate_faults_t){0};
    }
    mr_fields_view_t view = {.batch = batch};
    if (self->rules->fields.count == 0) { /* nothing to look at in the records */
        return run_noted (self, batch, &view);
    }
    if (use_fields && mr_fields_open (batch, (uint32_t)self->rules->fields.count, &view)) {
        return run_noted (self, batch, &view);
    }
    return run_parsed (self, batch);
}

mr_status_t
mr_aggregate_section (mr_aggregate_t *self, bool folded, const mr_buffer_t **ret_section)
{
    mr_buffer_clear (&self->section);
    mr_status_t status = MR_OK;
    for (size_t i = 0; status == MR_OK && i < self->rules->count; i++) {
        status = mr_series_append (&self->series[i], &self->values, folded, &self->section);
    }
    *ret_section = &self->section;
    return status;
}

const mr_aggregate_faults_t *
mr_aggregate_faults (const mr_aggregate_t *self, size_t i)
{
    return &self->faults[i];
}

uint64_t
mr_aggregate_records (const mr_aggregate_t *self, size_t i)
{
    return mr_series_records (&self->series[i]);
}
