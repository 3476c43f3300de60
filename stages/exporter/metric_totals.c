#include "stages/exporter/metric_totals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS_MAX = 1024, MESSAGE_BYTES = 512, WHAT_BYTES = 96 };

static mr_status_t
add_metric (mr_metric_totals_t *self, const mr_partial_metric_t *metric, const char *help,
            mr_metric_total_t **ret_total)
{
    mr_metric_total_t **metrics =
        realloc (self->metrics, (self->count + 1) * sizeof (*self->metrics));
    if (metrics == NULL) {
        return MR_SYSTEM;
    }
    self->metrics = metrics;
    mr_status_t status = mr_metric_total_new (metric, help, ret_total);
    if (status == MR_OK) {
        self->metrics[self->count++] = *ret_total;
    }
    return status;
}

/* ---- life ---- */

mr_status_t
mr_metric_totals_new (const mr_metric_rules_t *rules, mr_metric_totals_t **ret_totals)
{
    mr_metric_totals_t *self = calloc (1, sizeof *self);
    mr_status_t status = self != NULL ? MR_OK : MR_SYSTEM;
    for (size_t i = 0; status == MR_OK && i < rules->count; i++) {
        mr_metric_total_t *total;
        status = add_metric (self, &rules->rules[i].metric, rules->rules[i].help, &total);
    }
    if (status != MR_OK) {
        mr_metric_totals_destroy (&self);
        return status;
    }
    *ret_totals = self;
    return MR_OK;
}

void
mr_metric_totals_destroy (mr_metric_totals_t **self_p)
{
    mr_metric_totals_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        mr_metric_total_destroy (&self->metrics[i]);
    }
    free (self->metrics);
    free (self);
    *self_p = NULL;
}

/* ---- adding ---- */

static uint64_t
records_of (const mr_partial_metric_t *metric)
{
    uint64_t records = 0;
    size_t at = 0;
    mr_partial_series_t series;
    while (mr_partial_series_next (metric, &at, &series)) {
        records += series.count;
    }
    return records;
}

static void
tell (const mr_totals_faults_t *faults, mr_errortype_id_t error_type,
      const mr_partial_metric_t *metric, const char *what, uint64_t count)
{
    char message[MESSAGE_BYTES];
    snprintf (message, sizeof message, "metric %.*s: %.400s", (int)metric->name.bytes,
              metric->name.data, what);
    faults->fn (faults->arg, error_type, message, count);
}

static mr_status_t
fold_metric (mr_metric_total_t *total, const mr_partial_metric_t *metric,
             const mr_totals_faults_t *faults)
{
    mr_status_t status = MR_OK;
    uint64_t folded = 0;
    size_t at = 0;
    mr_partial_series_t series;
    while (status == MR_OK && mr_partial_series_next (metric, &at, &series)) {
        bool full = false;
        status = mr_metric_total_add (total, &series, &full);
        folded += full ? series.count : 0;
    }
    if (folded > 0) {
        char what[WHAT_BYTES];
        snprintf (what, sizeof what, "it has %u series, the rest is counted as \"other\"",
                  total->metric.max_series);
        tell (faults, MR_ERR_METRIC_SERIES_FULL, metric, what, folded);
    }
    return status;
}

/* The metric of that name, NULL when there is none. */
static mr_metric_total_t *
find_metric (const mr_metric_totals_t *self, mr_partial_text_t name)
{
    for (size_t i = 0; i < self->count; i++) {
        mr_partial_text_t own = self->metrics[i]->metric.name;
        if (own.bytes == name.bytes && memcmp (own.data, name.data, name.bytes) == 0) {
            return self->metrics[i];
        }
    }
    return NULL;
}

static mr_status_t
check_all (const void *section, size_t bytes, mr_error_t *err)
{
    size_t position = 0;
    mr_partial_metric_t metric;
    mr_status_t status;
    while ((status = mr_partial_next (section, bytes, &position, &metric, err)) == MR_OK) {
    }
    return status == MR_CLOSED ? MR_OK : status;
}

/* What is folded. */
typedef struct span {
    const void *data;
    size_t bytes;
} span_t;

static mr_status_t
fold_all (mr_metric_totals_t *self, const span_t *section, bool known_only,
          const mr_totals_faults_t *faults, mr_error_t *err)
{
    mr_status_t status = check_all (section->data, section->bytes, err);
    size_t position = 0;
    mr_partial_metric_t metric;
    while (status == MR_OK) {
        status = mr_partial_next (section->data, section->bytes, &position, &metric, err);
        if (status != MR_OK) {
            break;
        }
        mr_metric_total_t *total = find_metric (self, metric.name);
        if (total != NULL && !mr_partial_same_metric (&total->metric, &metric)) {
            tell (faults, MR_ERR_METRIC_REFUSED, &metric, "it is defined differently here",
                  records_of (&metric));
            continue;
        }
        if (total == NULL && (known_only || self->count >= METRICS_MAX)) {
            tell (faults, MR_ERR_METRIC_REFUSED, &metric, "there is no such metric here",
                  records_of (&metric));
            continue;
        }
        if (total == NULL) {
            status = add_metric (self, &metric, "", &total);
        }
        if (status == MR_OK) {
            status = fold_metric (total, &metric, faults);
            self->changes++;
        }
    }
    return status == MR_CLOSED ? MR_OK : status;
}

mr_status_t
mr_metric_totals_fold (mr_metric_totals_t *self, const void *section, size_t bytes,
                       const mr_totals_faults_t *faults, mr_error_t *err)
{
    span_t span = {section, bytes};
    return fold_all (self, &span, false, faults, err);
}

mr_status_t
mr_metric_totals_load (mr_metric_totals_t *self, const void *saved, size_t bytes,
                       const mr_totals_faults_t *faults, mr_error_t *err)
{
    span_t span = {saved, bytes};
    return fold_all (self, &span, true, faults, err);
}

mr_status_t
mr_metric_totals_save (const mr_metric_totals_t *self, mr_buffer_t *out)
{
    mr_status_t status = MR_OK;
    for (size_t i = 0; status == MR_OK && i < self->count; i++) {
        const mr_metric_total_t *total = self->metrics[i];
        mr_partial_writer_t writer;
        mr_partial_begin (&writer, out, &total->metric);
        for (uint32_t j = 0; j < total->count; j++) {
            mr_partial_series_t series;
            mr_metric_total_get (total, j, &series);
            if (series.count > 0) {
                mr_partial_add (&writer, &series);
            }
        }
        status = mr_partial_end (&writer);
    }
    return status;
}
