#include "stages/exporter/metric_output.h"

#include "common/base/clock.h"
#include "common/base/crashpoint.h"
#include "common/base/log.h"
#include "common/base/seglog_reader.h"
#include "common/runtime/metric_rules.h"
#include "common/wire/event.h"
#include "stages/exporter/metric_checkpoint.h"
#include "stages/exporter/metric_rows.h"
#include "stages/exporter/metric_totals.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SINKS_MAX = 64,
    ROWS_LIMIT = 128 << 20,
    EVENT_ROOM = 512, /* for what stands in the event beside the metrics */
    REPEAT_TICKS = 5, /* totals that do not change are published this often */
    LEAST_SERIES = 16,
    SAVE_BYTES = 64 << 20, /* of the spool, after which even unchanged totals are saved */
};

/* One sink's rows, on its own clock. */
typedef struct outlet {
    mr_metric_output_t *output;
    uint64_t sink;
    int timer;
} outlet_t;

struct mr_metric_output {
    mr_metric_output_options_t options;
    mr_stage_t *stage;
    mr_metric_totals_t *totals;
    mr_checkpoint_place_t folded;   /* the totals hold all frames below */
    mr_checkpoint_place_t saved_at; /* the same of the checkpoint */
    outlet_t outlets[SINKS_MAX];
    int outlet_count;
    char path[PATH_MAX]; /* of the checkpoint */
    uint64_t saved;      /* totals->changes when it was saved */
    bool save_failed;    /* said once */
    uint64_t published;
    unsigned ticks; /* since they were published */
    uint32_t most;  /* series of each metric that fit into an event */
    mr_buffer_t rows;
    mr_buffer_t text;
};

/* ---- faults ---- */

static void
on_fault (void *arg, mr_errortype_id_t error_type, const char *message, uint64_t count)
{
    mr_metric_output_t *self = arg;
    const mr_stage_callbacks_t *callbacks = mr_stage_callbacks (self->stage);
    mr_failure_t failure = {.error_type = error_type, .count = count, .message = message};
    callbacks->on_error (self->stage, "export", &failure);
}

static void
on_load_fault (void *arg, mr_errortype_id_t error_type, const char *message, uint64_t count)
{
    const mr_metric_output_t *self = arg;
    mr_log_warn ("%s: %s: %s; %" PRIu64 " records", self->path, mr_errortype_name (error_type),
                 message, count);
}

/* ---- the checkpoint ---- */

/* A file that cannot be used must neither stop the worker nor be overwritten. */
static void
set_aside (const mr_metric_output_t *self, const char *why)
{
    char aside[PATH_MAX + 16];
    snprintf (aside, sizeof aside, "%s.broken", self->path);
    if (rename (self->path, aside) == 0) {
        MR_CRASH_POINT ("checkpoint.broken.aside");
        mr_log_error ("%s: %s; kept as %s, the totals start from 0", self->path, why, aside);
    } else {
        mr_log_error ("%s: %s; the totals start from 0", self->path, why);
    }
}

static mr_status_t
load (mr_metric_output_t *self, mr_error_t *err)
{
    mr_buffer_clear (&self->text);
    mr_checkpoint_place_t place = {.spool = 0};
    mr_status_t status = mr_metric_checkpoint_load (self->path, &place, &self->text, err);
    if (status == MR_OK) {
        mr_totals_faults_t faults = {on_load_fault, self};
        status =
            mr_metric_totals_load (self->totals, self->text.data, self->text.size, &faults, err);
    }
    if (status == MR_OK) {
        self->saved_at = place;
    }
    if (status == MR_INVALID) {
        set_aside (self, err->text);
        status = MR_OK;
    }
    return status == MR_CLOSED ? MR_OK : status;
}

static mr_status_t
fold (mr_metric_output_t *self, const mr_batch_t *batch)
{
    const mr_section_t *section = mr_batch_section (batch, MR_SECTION_PARTIALS);
    if (section == NULL) {
        return MR_OK;
    }
    mr_error_t err;
    mr_totals_faults_t faults = {on_fault, self};
    mr_status_t status =
        mr_metric_totals_fold (self->totals, section->data, section->bytes, &faults, &err);
    if (status == MR_INVALID) {
        mr_log_error ("batch %" PRIu64 ": %s; the metrics leave it out", batch->seq, err.text);
        on_fault (self, MR_ERR_METRIC_REFUSED, err.text, batch->count);
        status = MR_OK;
    }
    return status;
}

static mr_status_t
fold_frame (mr_metric_output_t *self, const mr_seglog_frame_t *frame)
{
    mr_batch_t batch;
    mr_error_t err;
    if (frame->type != MR_SEGLOG_DATA) {
        return MR_OK;
    }
    if (mr_batch_decode (frame->payload, frame->payload_bytes, &batch, &err) != MR_OK) {
        mr_log_error ("the frame at %" PRIu64 " of the spool: %s; the metrics leave it out",
                      frame->position, err.text);
        return MR_OK;
    }
    return fold (self, &batch);
}

static mr_status_t
catch_up_with (void *arg, const mr_seglog_frame_t *frame)
{
    mr_metric_output_t *self = arg;
    mr_status_t status = fold_frame (self, frame);
    self->folded.position = frame->next;
    return status;
}

/* Fold what is in the spool behind the checkpoint: what came in between the last save and the end
 * of the last life, whatever that was. */
static mr_status_t
catch_up (mr_metric_output_t *self, mr_error_t *err)
{
    mr_seglog_t *log = mr_spool_log (self->options.spool);
    bool same = self->saved_at.spool == mr_seglog_id (log);
    self->folded.spool = mr_seglog_id (log);
    mr_seglog_reader_options_t options = {
        .dir = mr_spool_dir (self->options.spool),
        .position = same ? self->saved_at.position : mr_seglog_first (log),
    };
    self->folded.position = options.position;
    return mr_seglog_each (&options, catch_up_with, self, err);
}

static bool
worth_saving (const mr_metric_output_t *self)
{
    return self->saved != self->totals->changes || self->saved_at.spool != self->folded.spool ||
           self->folded.position - self->saved_at.position > SAVE_BYTES;
}

static void
save (mr_metric_output_t *self)
{
    if (!worth_saving (self)) {
        return;
    }
    mr_error_t err;
    mr_error_set (&err, "no memory");
    mr_buffer_clear (&self->text);
    mr_status_t status = mr_metric_totals_save (self->totals, &self->text);
    if (status == MR_OK) {
        status = mr_metric_checkpoint_save (self->path, &self->folded, &self->text,
                                            self->options.fsync, &err);
    }
    if (status == MR_OK) {
        self->saved = self->totals->changes;
        self->saved_at = self->folded;
        self->save_failed = false;
        return;
    }
    if (!self->save_failed) {
        mr_log_error ("the totals of the metrics are not saved: %s; trying again", err.text);
    }
    self->save_failed = true;
    on_fault (self, MR_ERR_TOTALS_WRITE, err.text, 0);
}

/* ---- life ---- */

static mr_status_t
make_path (mr_metric_output_t *self, mr_error_t *err)
{
    const char *data_dir =
        mr_config_text (mr_config_section (mr_stage_config (self->stage), "pipeline"), "data_dir");
    int bytes = snprintf (self->path, sizeof self->path, "%s/%s.totals", data_dir,
                          mr_stage_worker (self->stage));
    if (bytes < 0 || bytes >= (int)sizeof self->path) {
        mr_error_set (err, "data_dir is too long");
        return MR_CONFIG;
    }
    return MR_OK;
}

static mr_status_t
make_totals (mr_metric_output_t *self, mr_error_t *err)
{
    mr_metric_rules_t *rules;
    mr_status_t status = mr_metric_rules_new (mr_stage_config (self->stage), &rules, err);
    if (status != MR_OK) {
        return status;
    }
    status = mr_metric_totals_new (rules, &self->totals);
    mr_metric_rules_destroy (&rules);
    return status == MR_OK ? MR_OK : mr_error_errno (err, "metrics");
}

mr_status_t
mr_metric_output_new (const mr_metric_output_options_t *options, mr_metric_output_t **ret_output,
                      mr_error_t *err)
{
    mr_metric_output_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "metrics");
    }
    self->options = *options;
    self->stage = options->stage;
    self->most = UINT32_MAX;
    mr_buffer_init (&self->rows, ROWS_LIMIT);
    mr_buffer_init (&self->text, MR_CHECKPOINT_MAX_BYTES);
    mr_status_t status = make_path (self, err);
    if (status == MR_OK) {
        status = make_totals (self, err);
    }
    if (status == MR_OK) {
        status = load (self, err);
    }
    self->saved = status == MR_OK ? self->totals->changes : 0;
    if (status == MR_OK) {
        status = catch_up (self, err);
    }
    if (status != MR_OK) {
        mr_metric_output_destroy (&self);
        return status;
    }
    self->published = UINT64_MAX;
    *ret_output = self;
    return MR_OK;
}

void
mr_metric_output_destroy (mr_metric_output_t **self_p)
{
    mr_metric_output_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (int i = 0; i < self->outlet_count; i++) {
        mr_loop_timer_remove (mr_stage_loop (self->stage), self->outlets[i].timer);
    }
    mr_metric_totals_destroy (&self->totals);
    mr_buffer_release (&self->rows);
    mr_buffer_release (&self->text);
    free (self);
    *self_p = NULL;
}

/* ---- rows ---- */

/* They are cumulative: rows that the spool does not take now are made up for by the next ones. */
static void
append_rows (outlet_t *outlet)
{
    mr_metric_output_t *self = outlet->output;
    mr_buffer_clear (&self->rows);
    if (mr_metric_rows (self->totals, mr_stage_worker (self->stage), mr_clock_wall_ns (),
                        &self->rows) != MR_OK) {
        mr_log_error ("the rows of the metrics are too many, or there is no memory");
        return;
    }
    mr_spool_metrics_t rows = {
        .sink = outlet->sink, .rows = self->rows.data, .bytes = self->rows.size};
    for (size_t i = 0; i < self->rows.size; i++) {
        rows.count += self->rows.data[i] == '\n';
    }
    if (rows.count > 0) {
        self->options.append (self->options.arg, &rows);
    }
}

static void
on_interval (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    append_rows (arg);
}

mr_status_t
mr_metric_output_add (mr_metric_output_t *self, uint64_t sink, int64_t interval_ms)
{
    MR_ASSERT (self->outlet_count < SINKS_MAX);
    outlet_t *outlet = &self->outlets[self->outlet_count];
    *outlet = (outlet_t){.output = self, .sink = sink};
    outlet->timer =
        mr_loop_timer (mr_stage_loop (self->stage), (int)interval_ms, on_interval, outlet);
    if (outlet->timer == 0) {
        return MR_SYSTEM;
    }
    self->outlet_count++;
    return MR_OK;
}

/* ---- the bus ---- */

static mr_status_t
format_event (mr_metric_output_t *self)
{
    mr_buffer_clear (&self->text);
    mr_status_t status = mr_buffer_append (&self->text, "{", 1);
    if (status == MR_OK) {
        status = mr_metric_rows_event (self->totals, self->most, &self->text);
    }
    return status == MR_OK ? mr_buffer_append (&self->text, ",", 1) : status;
}

/* Series that make the event longer than it may be are added up in `other` there. */
static void
publish (mr_metric_output_t *self)
{
    if (self->totals->count == 0) {
        return;
    }
    mr_status_t status = format_event (self);
    while (status == MR_OK && self->text.size > MR_EVENT_MAX_BYTES - EVENT_ROOM &&
           self->most > LEAST_SERIES) {
        uint32_t most = 0;
        for (size_t i = 0; i < self->totals->count; i++) {
            uint32_t count = self->totals->metrics[i]->count;
            most = count > most ? count : most;
        }
        self->most = (most < self->most ? most : self->most) / 2;
        mr_log_warn ("the totals of the metrics are too long for one event: the monitor is told "
                     "%u series of each, and the rest as \"other\"",
                     self->most);
        status = format_event (self);
    }
    if (status == MR_OK) {
        status = mr_stage_stamp (self->stage, &self->text);
    }
    if (status == MR_OK) {
        status = mr_buffer_append (&self->text, "}", 1);
    }
    if (status != MR_OK) {
        mr_log_error ("the totals of the metrics cannot be published: no memory");
        return;
    }
    char topic[MR_EVENT_TOPIC_BYTES];
    snprintf (topic, sizeof topic, "totals.%s", mr_stage_worker (self->stage));
    mr_stage_publish (self->stage, topic, &self->text);
    self->published = self->totals->changes;
    self->ticks = 0;
}

/* ---- what happens ---- */

mr_status_t
mr_metric_output_batch (mr_metric_output_t *self, const mr_batch_t *batch, uint64_t position)
{
    mr_status_t status = fold (self, batch);
    self->folded.position = position;
    return status;
}

uint64_t
mr_metric_output_position (const mr_metric_output_t *self)
{
    bool saved = self->saved == self->totals->changes && self->saved_at.spool == self->folded.spool;
    return saved                                        ? self->folded.position
           : self->saved_at.spool == self->folded.spool ? self->saved_at.position
                                                        : 0;
}

void
mr_metric_output_tick (mr_metric_output_t *self)
{
    self->ticks++;
    if (self->published != self->totals->changes || self->ticks >= REPEAT_TICKS) {
        publish (self);
    }
    save (self);
}

void
mr_metric_output_last_rows (mr_metric_output_t *self)
{
    for (int i = 0; i < self->outlet_count; i++) {
        append_rows (&self->outlets[i]);
    }
}

void
mr_metric_output_finish (mr_metric_output_t *self)
{
    save (self);
    publish (self);
}
