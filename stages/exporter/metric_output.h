/* metric_output: what one exporter does with the user's metrics: folds the partial aggregates of
 * each batch in its spool into its totals, publishes these, appends them to the spool as rows for
 * the sinks with input = metrics, and keeps them in a checkpoint that names the position in the
 * spool up to which it holds. Not thread safe. */
#ifndef MR_STAGES_EXPORTER_METRIC_OUTPUT_H
#define MR_STAGES_EXPORTER_METRIC_OUTPUT_H

#include "common/base/status.h"
#include "common/delivery/spool.h"
#include "common/runtime/stage.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_metric_output mr_metric_output_t;

typedef struct mr_metric_output_options {
    mr_stage_t *stage; /* borrowed */
    mr_spool_t *spool; /* borrowed */
    bool fsync;        /* checkpoints survive power loss */
    /* Rows are due: append them to the spool. What is not taken is made up for by the next ones. */
    void (*append) (void *arg, const mr_spool_metrics_t *rows);
    void *arg;
} mr_metric_output_options_t;

/* Totals of the configuration's metrics over everything that is in the spool, and was: those of the
 * checkpoint and the frames behind it. A checkpoint that cannot be used is logged and moved aside.
 * MR_OK; MR_CONFIG: data_dir is too long, or cannot be read; MR_SYSTEM. */
MR_CHECK mr_status_t mr_metric_output_new (const mr_metric_output_options_t *options,
                                           mr_metric_output_t **ret_output, mr_error_t *err);
void mr_metric_output_destroy (mr_metric_output_t **self_p);

/* Have rows appended at this interval for this sink (MR_SPOOL_WORD_SINK). MR_SYSTEM: out of
 * memory. */
MR_CHECK mr_status_t mr_metric_output_add (mr_metric_output_t *self, uint64_t sink,
                                           int64_t interval_ms);

/* Fold the batch's PARTIALS section, if it has one. What it could not add becomes error events.
 *   position  behind the batch in the spool
 * MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_metric_output_batch (mr_metric_output_t *self, const mr_batch_t *batch,
                                             uint64_t position);

/* Frames of the spool below this are not needed any more. */
uint64_t mr_metric_output_position (const mr_metric_output_t *self);

/* About once a second: publish and save what changed. */
void mr_metric_output_tick (mr_metric_output_t *self);

/* Nothing will come any more: have the last rows appended. */
void mr_metric_output_last_rows (mr_metric_output_t *self);

/* At the end: publish, save. */
void mr_metric_output_finish (mr_metric_output_t *self);

#endif
