/* metric_output: what one exporter does with the user's metrics: folds the partial aggregates of
 * each batch into its totals, publishes these, writes them as rows to the sinks with
 * input = metrics, and keeps them in a checkpoint. Not thread safe. */
#ifndef MR_STAGES_EXPORTER_METRIC_OUTPUT_H
#define MR_STAGES_EXPORTER_METRIC_OUTPUT_H

#include "common/base/status.h"
#include "common/runtime/stage.h"
#include "stages/exporter/rows.h"
#include "stages/exporter/sink.h"

#include <stdint.h>

typedef struct mr_metric_output mr_metric_output_t;

/* Totals of the configuration's metrics, as the last life of this worker left them. A checkpoint
 * that cannot be used is logged and moved aside.
 *   stage  borrowed
 * MR_OK; MR_CONFIG: data_dir is too long, or cannot be read; MR_SYSTEM. */
MR_CHECK mr_status_t mr_metric_output_new (mr_stage_t *stage, mr_metric_output_t **ret_output,
                                           mr_error_t *err);
void mr_metric_output_destroy (mr_metric_output_t **self_p);

/* Where rows go. All borrowed, as long as the output lives. */
typedef struct mr_metric_sink {
    const char *operation; /* "export.<sink>" */
    mr_rows_t *rows;       /* which rows match */
    mr_sink_t *sink;
    int64_t interval_ms;
} mr_metric_sink_t;

/* MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_metric_output_add (mr_metric_output_t *self, const mr_metric_sink_t *sink);

/* Fold the batch's PARTIALS section, if it has one. What it could not add becomes error events.
 * MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_metric_output_batch (mr_metric_output_t *self, const mr_batch_t *batch);

/* About once a second: publish and save what changed. */
void mr_metric_output_tick (mr_metric_output_t *self);

/* At the end: publish, write the last rows, save. */
void mr_metric_output_finish (mr_metric_output_t *self);

#endif
