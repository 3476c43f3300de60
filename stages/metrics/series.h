/* series: the aggregates of one metric over one batch, by the numbers of its labels' values
 * (values.h). The table is kept from batch to batch, so that a batch costs no allocation; what a
 * batch did not touch is not in its aggregates. Not thread safe. */
#ifndef MR_STAGES_METRICS_SERIES_H
#define MR_STAGES_METRICS_SERIES_H

#include "common/base/status.h"
#include "common/wire/partial.h"
#include "stages/metrics/values.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_series {
    uint32_t batch; /* the batch that touched it last; of an older one the numbers are void */
    uint32_t count;
    double sum; /* histogram only, as what follows */
    double min;
    double max;
} mr_series_t;

typedef struct mr_series_table {
    const mr_partial_metric_t *metric; /* borrowed */
    uint32_t bucket_count;             /* of each series; counter: 0 */
    uint32_t count;
    uint32_t capacity;
    mr_series_t *series;
    uint32_t *values;  /* metric->label_count of each series */
    uint32_t *buckets; /* bucket_count of each series, not cumulative */
    uint32_t *slots;   /* index + 1, 0: empty; open addressing */
    uint32_t slot_mask;
    uint32_t batch;
    uint32_t *touched; /* indices, in the order of first touch */
    uint32_t touched_count;
} mr_series_table_t;

/* MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_series_init (mr_series_table_t *self, const mr_partial_metric_t *metric);
void mr_series_release (mr_series_table_t *self);

/* Begin a batch. forget: the numbers of values have changed their meaning. */
void mr_series_open (mr_series_table_t *self, bool forget);

/* The index of the series with these values (metric->label_count of them), touched.
 * MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_series_find (mr_series_table_t *self, const uint32_t *values,
                                     uint32_t *ret_index);

/* Add one value to a histogram's series. value: finite. */
void mr_series_observe (mr_series_table_t *self, uint32_t index, double value);

/* Append the batch's aggregates as one metric of a PARTIALS section, nothing when there are none.
 *   folded  all series as one whose labels are all `other`
 * Statuses as mr_buffer_append; the section is as it was then. */
MR_CHECK mr_status_t mr_series_append (const mr_series_table_t *self, const mr_values_t *values,
                                       bool folded, mr_buffer_t *section);

/* Records that are in the batch's aggregates. */
uint64_t mr_series_records (const mr_series_table_t *self);

#endif
