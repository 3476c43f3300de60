#include "stages/exporter/exporter.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/runtime/worker.h"
#include "stages/exporter/claims.h"
#include "stages/exporter/latency.h"
#include "stages/exporter/metric_output.h"
#include "stages/exporter/rows.h"
#include "stages/exporter/sink.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_OUTPUTS = 64, RETRY_MS = 200 };

/* A sink and what it is given. */
typedef struct output {
    char operation[MR_WORKER_NAME_BYTES]; /* "export.<sink>" */
    mr_rows_t rows;
    mr_sink_t sink;
} output_t;

typedef struct exporter {
    mr_stage_t *stage;
    output_t outputs[MAX_OUTPUTS];
    int output_count;
    mr_metric_output_t *metrics;
    mr_latency_t latency;
    mr_claims_t *claims;
    uint64_t refused; /* stale copies */
} exporter_t;

static mr_rows_input_t
input_of (const mr_config_section_t *section)
{
    return (mr_rows_input_t)mr_config_number (section, "input");
}

static bool
is_file (const mr_config_section_t *section)
{
    return strcmp (mr_config_text (section, "type"), "file") == 0;
}

static mr_status_t
init_rows (const mr_config_t *config, const mr_config_section_t *section, mr_rows_t *rows,
           mr_error_t *err)
{
    mr_error_t why;
    mr_status_t status = mr_rows_init (rows, input_of (section), mr_config_text (section, "match"),
                                       mr_config_number (section, "envelope") != 0, &why);
    if (status == MR_CONFIG) {
        return mr_config_fault (config, mr_config_next (section, "match", NULL), err, "%s",
                                why.text);
    }
    if (status != MR_OK) {
        return mr_error_errno (err, "sink");
    }
    return MR_OK;
}

static mr_status_t
check (const mr_config_t *config, mr_error_t *err)
{
    const mr_config_section_t *section = NULL;
    while ((section = mr_config_next_section (config, "sink", section)) != NULL) {
        mr_rows_t rows;
        mr_status_t status = init_rows (config, section, &rows, err);
        if (status != MR_OK) {
            return status;
        }
        mr_rows_release (&rows);
        mr_error_t why;
        if (is_file (section) &&
            mr_sink_path_check (mr_config_text (section, "path"), &why) != MR_OK) {
            return mr_config_fault (config, mr_config_next (section, "path", NULL), err, "%s",
                                    why.text);
        }
    }
    return MR_OK;
}

static void
destroy (void **self_p)
{
    exporter_t *self = *self_p;
    mr_metric_output_destroy (&self->metrics);
    for (int i = 0; i < self->output_count; i++) {
        self->outputs[i].sink.destroy (self->outputs[i].sink.self);
        mr_rows_release (&self->outputs[i].rows);
    }
    mr_claims_destroy (&self->claims);
    free (self);
    *self_p = NULL;
}

static mr_status_t
open_sink (exporter_t *self, const mr_config_section_t *section, mr_sink_t *sink, mr_error_t *err)
{
    if (!is_file (section)) {
        return mr_sink_stdout_new (sink, err);
    }
    char path[PATH_MAX];
    mr_status_t status =
        mr_sink_path (mr_config_text (section, "path"), mr_stage_slot (self->stage), path, err);
    return status == MR_OK ? mr_sink_file_new (path, sink, err) : status;
}

/* Rows of metrics are not made from single batches, but of the totals. */
static mr_status_t
add_metric_rows (exporter_t *self, const mr_config_section_t *section, output_t *output)
{
    if (output->rows.input != MR_ROWS_METRICS) {
        return MR_OK;
    }
    mr_metric_sink_t sink = {
        .operation = output->operation,
        .rows = &output->rows,
        .sink = &output->sink,
        .interval_ms = mr_config_number (section, "interval"),
    };
    return mr_metric_output_add (self->metrics, &sink);
}

static mr_status_t
add_sinks (exporter_t *self, mr_error_t *err)
{
    const mr_config_t *config = mr_stage_config (self->stage);
    const mr_config_section_t *section = NULL;
    while ((section = mr_config_next_section (config, "sink", section)) != NULL) {
        if (self->output_count == MAX_OUTPUTS - 1) {
            mr_error_set (err, "%s:%d: more than %d sinks", mr_config_file (config),
                          mr_config_section_line (section), MAX_OUTPUTS - 1);
            return MR_CONFIG;
        }
        output_t *output = &self->outputs[self->output_count];
        mr_status_t status = init_rows (config, section, &output->rows, err);
        if (status != MR_OK) {
            return status;
        }
        status = open_sink (self, section, &output->sink, err);
        if (status != MR_OK) {
            mr_rows_release (&output->rows);
            return status;
        }
        snprintf (output->operation, sizeof output->operation, "export.%s",
                  mr_config_section_name (section));
        self->output_count++;
        status = add_metric_rows (self, section, output);
        if (status != MR_OK) {
            return mr_error_errno (err, "sink");
        }
    }
    return MR_OK;
}

/* Dead letters are always kept, whatever the sinks are. */
static mr_status_t
add_dead_store (exporter_t *self, mr_error_t *err)
{
    output_t *output = &self->outputs[self->output_count];
    char path[PATH_MAX];
    const char *data_dir =
        mr_config_text (mr_config_section (mr_stage_config (self->stage), "pipeline"), "data_dir");
    int bytes =
        snprintf (path, sizeof path, "%s/dead/%s.jsonl", data_dir, mr_stage_worker (self->stage));
    if (bytes < 0 || bytes >= (int)sizeof path) {
        mr_error_set (err, "data_dir is too long");
        return MR_CONFIG;
    }
    mr_status_t status = mr_rows_init (&output->rows, MR_ROWS_DEAD, NULL, false, err);
    if (status == MR_OK) {
        status = mr_sink_file_new (path, &output->sink, err);
    }
    if (status == MR_OK) {
        snprintf (output->operation, sizeof output->operation, "dead");
        self->output_count++;
    }
    return status;
}

static mr_status_t
create (mr_stage_t *stage, void **ret_self, mr_error_t *err)
{
    exporter_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "exporter");
    }
    self->stage = stage;
    mr_status_t status = mr_metric_output_new (stage, &self->metrics, err);
    if (status == MR_OK) {
        status = mr_claims_new (
            mr_config_text (mr_config_section (mr_stage_config (stage), "pipeline"), "data_dir"),
            &self->claims);
    }
    if (status == MR_OK) {
        status = add_sinks (self, err);
    }
    if (status == MR_OK) {
        status = add_dead_store (self, err);
    }
    if (status != MR_OK) {
        void *failed = self;
        destroy (&failed);
        return status;
    }
    *ret_self = self;
    return MR_OK;
}

/* Offer the lines until the sink has them: behind us the pipeline fills up and producers wait. */
static void
deliver (exporter_t *self, output_t *output, const char *lines, size_t bytes)
{
    const mr_stage_callbacks_t *callbacks = mr_stage_callbacks (self->stage);
    mr_error_t err;
    for (int tries = 0; output->sink.write (output->sink.self, lines, bytes, &err) != MR_OK;
         tries++) {
        if (tries == 0) {
            mr_log_error ("%s: %s; trying again until it works", output->operation, err.text);
        }
        mr_failure_t failure = {.error_type = "sink_write", .message = err.text};
        callbacks->on_error (self->stage, output->operation, &failure);
        nanosleep (&(struct timespec){.tv_nsec = RETRY_MS * MR_NS_PER_MS}, NULL);
    }
}

static void
export_to (exporter_t *self, output_t *output, const mr_batch_t *batch)
{
    int64_t began_ns = mr_clock_mono_ns ();
    const char *lines;
    size_t bytes;
    uint32_t count;
    mr_status_t status = mr_rows_make (&output->rows, batch, &lines, &bytes, &count);
    if (status != MR_OK) {
        mr_log_error ("%s: batch %llu: %s", output->operation, (unsigned long long)batch->seq,
                      status == MR_INVALID ? "a section is broken" : "no memory");
        abort (); /* it is not lost: ingest still has it */
    }
    if (bytes == 0) {
        return;
    }
    deliver (self, output, lines, bytes);
    const mr_stage_callbacks_t *callbacks = mr_stage_callbacks (self->stage);
    callbacks->on_success (self->stage, output->operation,
                           (double)(mr_clock_mono_ns () - began_ns) / 1e6, count);
}

/* false: a stale copy of a batch that is exported, or will be, from another one. */
static bool
claim (exporter_t *self, const mr_batch_t *batch, mr_window_t **ret_window)
{
    mr_error_t err;
    mr_status_t status = mr_claims_window (self->claims, batch, ret_window, &err);
    if (status != MR_OK && status != MR_CLOSED) {
        mr_log_error ("batch %llu: %s", (unsigned long long)batch->seq, err.text);
        abort (); /* it is not lost: ingest still has it */
    }
    return status == MR_OK && mr_window_claim (*ret_window, batch->seq, batch->generation,
                                               (uint8_t)mr_stage_slot (self->stage));
}

static void
handle (void *arg, mr_batch_t *batch, const mr_stage_callbacks_t *callbacks)
{
    exporter_t *self = arg;
    mr_window_t *window = NULL;
    if (!claim (self, batch, &window)) {
        self->refused++;
        callbacks->on_refused (callbacks->stage, batch);
        return;
    }
    int64_t began_ns = mr_clock_mono_ns ();
    for (int i = 0; i < self->output_count; i++) {
        export_to (self, &self->outputs[i], batch);
    }
    if (mr_metric_output_batch (self->metrics, batch) != MR_OK) {
        mr_log_error ("batch %llu: no memory for metrics", (unsigned long long)batch->seq);
        abort (); /* it is not lost: ingest still has it */
    }
    double ms = (double)(mr_clock_mono_ns () - began_ns) / 1e6;
    callbacks->on_success (callbacks->stage, "export", ms, batch->count);
    mr_latency_add (&self->latency, (double)(mr_clock_wall_ns () - batch->created_ns) / 1e6);
    mr_window_done (window, batch->seq, (uint8_t)mr_stage_slot (self->stage));
    callbacks->on_handled (callbacks->stage, batch);
}

static void
tick (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    exporter_t *self = arg;
    for (int i = 0; i < self->output_count; i++) {
        if (self->outputs[i].sink.tick != NULL) {
            self->outputs[i].sink.tick (self->outputs[i].sink.self);
        }
    }
    mr_metric_output_tick (self->metrics);
}

static void
finish (void *arg)
{
    exporter_t *self = arg;
    mr_metric_output_finish (self->metrics);
}

static void
reopen (void *arg)
{
    exporter_t *self = arg;
    for (int i = 0; i < self->output_count; i++) {
        if (self->outputs[i].sink.reopen != NULL) {
            self->outputs[i].sink.reopen (self->outputs[i].sink.self);
        }
    }
}

static mr_status_t
counters (void *arg, mr_buffer_t *json)
{
    const exporter_t *self = arg;
    return mr_latency_append (&self->latency, json);
}

const mr_stage_ops_t mr_exporter_ops = {
    .name = "exporter",
    .help = "Writes records, metrics and dead letters to the sinks.",
    .check = check,
    .create = create,
    .handle = handle,
    .tick = tick,
    .counters = counters,
    .reopen = reopen,
    .finish = finish,
    .destroy = destroy,
};
