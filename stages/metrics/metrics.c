#include "stages/metrics/metrics.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/record/path.h"
#include "common/runtime/metric_rules.h"
#include "stages/metrics/aggregate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BYTES = 512 };

typedef struct metrics {
    mr_metric_rules_t *rules;
    mr_aggregate_t *aggregate; /* NULL: there are no metrics */
    uint64_t config_hash;
} metrics_t;

static void
destroy (void **self_p)
{
    metrics_t *self = *self_p;
    mr_aggregate_destroy (&self->aggregate);
    mr_metric_rules_destroy (&self->rules);
    free (self);
    *self_p = NULL;
}

static mr_status_t
compile (const mr_config_t *config, metrics_t *self, mr_error_t *err)
{
    mr_status_t status = mr_metric_rules_new (config, &self->rules, err);
    if (status != MR_OK || self->rules->count == 0) {
        return status;
    }
    return mr_aggregate_new (self->rules, &self->aggregate, err);
}

static mr_status_t
make (const mr_config_t *config, metrics_t **ret_self, mr_error_t *err)
{
    metrics_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "metrics");
    }
    self->config_hash = mr_config_hash (config);
    mr_status_t status = compile (config, self, err);
    if (status != MR_OK) {
        void *failed = self;
        destroy (&failed);
        return status;
    }
    *ret_self = self;
    return MR_OK;
}

typedef struct path_check {
    mr_config_t *config;
    const mr_config_section_t *metric;
    const char *key;
    bool out_of_memory;
} path_check_t;

static void
check_path (const char *text, void *arg)
{
    path_check_t *check = arg;
    mr_error_t why;
    mr_path_t *path = NULL;
    mr_status_t status = mr_path_new (text, strlen (text), &path, &why);
    if (status == MR_CONFIG) {
        mr_config_reject_key (check->config, check->metric, check->key, "\"%.80s\" is no field: %s",
                              text, why.text);
    }
    check->out_of_memory = check->out_of_memory || status == MR_SYSTEM;
    mr_path_destroy (&path);
}

static mr_status_t
check (mr_config_t *config, bool dry, mr_error_t *err)
{
    (void)dry;
    path_check_t check = {.config = config};
    while ((check.metric = mr_config_next_section (config, "metric", check.metric)) != NULL) {
        const char *field = mr_config_text (check.metric, "field");
        const char *by = mr_config_text (check.metric, "by");
        check.key = "field";
        if (field != NULL) {
            check_path (field, &check);
        }
        check.key = "by";
        if (by != NULL) {
            mr_config_words (by, check_path, &check);
        }
    }
    return check.out_of_memory ? mr_error_errno (err, "metrics") : MR_OK;
}

static mr_status_t
create (mr_stage_t *stage, void **ret_self, mr_error_t *err)
{
    metrics_t *self;
    mr_status_t status = make (mr_stage_config (stage), &self, err);
    if (status == MR_OK) {
        *ret_self = self;
    }
    return status;
}

/* ---- one batch ---- */

/* Records that had to be folded into `other`, or could not even so travel with the batch. */
typedef struct squeeze {
    bool folded;
    bool dropped;
} squeeze_t;

/* Put the section into the batch; where the frame has no room for it, the series as one. */
static mr_status_t
attach (metrics_t *self, mr_batch_t *result, squeeze_t *squeeze)
{
    *squeeze = (squeeze_t){0};
    for (;;) {
        const mr_buffer_t *section;
        mr_status_t status = mr_aggregate_section (self->aggregate, squeeze->folded, &section);
        if (status == MR_OK) {
            mr_batch_remove_section (result, MR_SECTION_PARTIALS);
            if (section->size == 0) {
                return MR_OK;
            }
            status = mr_batch_set_section (result, MR_SECTION_PARTIALS, section->data,
                                           (uint32_t)section->size);
        }
        if (status == MR_SYSTEM || (status == MR_OK && mr_batch_encoded_bytes (result) > 0)) {
            return status;
        }
        if (squeeze->folded) {
            mr_batch_remove_section (result, MR_SECTION_PARTIALS);
            squeeze->dropped = true;
            return MR_OK;
        }
        squeeze->folded = true;
    }
}

static void
report (const mr_stage_callbacks_t *callbacks, const mr_batch_t *batch, mr_failure_t failure,
        uint32_t sample)
{
    if (failure.count == 0) {
        return;
    }
    failure.sample = batch->records + batch->offsets[sample];
    failure.sample_bytes = batch->offsets[sample + 1] - batch->offsets[sample] - 1;
    callbacks->on_error (callbacks->stage, "handle", &failure);
}

static void
report_faults (const metrics_t *self, const mr_batch_t *batch,
               const mr_stage_callbacks_t *callbacks)
{
    for (size_t i = 0; i < self->rules->count; i++) {
        const mr_metric_rule_t *rule = &self->rules->rules[i];
        const mr_aggregate_faults_t *faults = mr_aggregate_faults (self->aggregate, i);
        if (rule->metric.kind != MR_PARTIAL_HISTOGRAM) {
            continue;
        }
        const char *field = self->rules->fields.paths[rule->field];
        char message[MESSAGE_BYTES];
        snprintf (message, sizeof message, "metric %s: %s is missing", rule->metric.name.data,
                  field);
        report (callbacks, batch,
                (mr_failure_t){.error_type = MR_ERR_METRIC_FIELD_MISSING,
                               .count = faults->missing,
                               .message = message},
                faults->missing_at);
        snprintf (message, sizeof message, "metric %s: %s is not a number", rule->metric.name.data,
                  field);
        report (callbacks, batch,
                (mr_failure_t){.error_type = MR_ERR_METRIC_FIELD_NOT_NUMBER,
                               .count = faults->not_number,
                               .message = message},
                faults->not_number_at);
    }
}

static void
report_squeeze (const metrics_t *self, const squeeze_t *squeeze,
                const mr_stage_callbacks_t *callbacks)
{
    for (size_t i = 0; squeeze->folded && i < self->rules->count; i++) {
        char message[MESSAGE_BYTES];
        snprintf (message, sizeof message, "metric %s: the batch has no room for its %s",
                  self->rules->rules[i].metric.name.data,
                  squeeze->dropped ? "counts, which are left out" : "series");
        mr_failure_t failure = {
            .error_type = squeeze->dropped ? MR_ERR_METRIC_NO_ROOM : MR_ERR_METRIC_SERIES_FULL,
            .count = mr_aggregate_records (self->aggregate, i),
            .message = message,
        };
        if (failure.count > 0) {
            callbacks->on_error (callbacks->stage, "handle", &failure);
        }
    }
}

static void
handle (void *arg, mr_batch_t *batch, const mr_stage_callbacks_t *callbacks)
{
    metrics_t *self = arg;
    int64_t began_ns = mr_clock_mono_ns ();
    mr_batch_t result = *batch;
    squeeze_t squeeze = {0};
    if (self->aggregate != NULL) {
        bool ours = batch->config_hash == self->config_hash;
        mr_batch_remove_section (&result, MR_SECTION_FIELDS);
        result.config_hash = self->config_hash;
        if (mr_aggregate_run (self->aggregate, batch, ours) != MR_OK ||
            attach (self, &result, &squeeze) != MR_OK) {
            mr_log_error ("batch %llu: no memory", (unsigned long long)batch->seq);
            abort (); /* it is not lost: ingest still has it */
        }
    }
    double ms = (double)(mr_clock_mono_ns () - began_ns) / 1e6;
    callbacks->on_success (callbacks->stage, "handle", ms, batch->count);
    if (self->aggregate != NULL) {
        report_faults (self, batch, callbacks);
        report_squeeze (self, &squeeze, callbacks);
    }
    callbacks->on_handled (callbacks->stage, &result);
}

const mr_stage_ops_t mr_metrics_ops = {
    .name = "metrics",
    .help = "Counts records and measures fields by the [metric NAME] sections.",
    .check = check,
    .create = create,
    .handle = handle,
    .destroy = destroy,
};
