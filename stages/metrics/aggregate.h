/* aggregate: one batch in, its PARTIALS section out. Fields are taken where the processor says that
 * they are, or, without that, from parsing the records again. Not thread safe. */
#ifndef MR_STAGES_METRICS_AGGREGATE_H
#define MR_STAGES_METRICS_AGGREGATE_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "common/runtime/metric_rules.h"
#include "common/wire/batch.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_aggregate mr_aggregate_t;

/* What a metric could not observe in one batch. */
typedef struct mr_aggregate_faults {
    uint32_t missing;    /* records without the field, or where it is null */
    uint32_t not_number; /* .. where it is no number, or none that a double holds */
    uint32_t missing_at; /* the first such record of the batch */
    uint32_t not_number_at;
} mr_aggregate_faults_t;

/* rules: borrowed; at least one.
 * MR_OK; MR_CONFIG: rule->field or a label is no path, as the stage's check says before;
 * MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_aggregate_new (const mr_metric_rules_t *rules, mr_aggregate_t **ret_self,
                                       mr_error_t *err);
void mr_aggregate_destroy (mr_aggregate_t **self_p);

/* Aggregate all records of a batch.
 *   use_fields  the batch's FIELDS section, if it has one of the right size, is of our
 * configuration MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_aggregate_run (mr_aggregate_t *self, const mr_batch_t *batch,
                                       bool use_fields);

/* Of the last batch: the section (valid until the next run; empty when nothing was counted), and
 * the faults of rule i.
 *   folded  each metric's series as one, `other`: for a batch that has no room for more
 * MR_INVALID: more than a frame holds; MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_aggregate_section (mr_aggregate_t *self, bool folded,
                                           const mr_buffer_t **ret_section);
const mr_aggregate_faults_t *mr_aggregate_faults (const mr_aggregate_t *self, size_t i);

/* Records of the last batch that rule i counted. */
uint64_t mr_aggregate_records (const mr_aggregate_t *self, size_t i);

#endif
