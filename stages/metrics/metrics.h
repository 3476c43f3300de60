/* metrics: the third domain. Adds to each batch mergeable partial aggregates of its records, by the
 * [metric NAME] rules; the exporter folds them into totals. */
#ifndef MR_STAGES_METRICS_METRICS_H
#define MR_STAGES_METRICS_METRICS_H

#include "common/runtime/stage.h"

extern const mr_stage_ops_t mr_metrics_ops;

#endif
