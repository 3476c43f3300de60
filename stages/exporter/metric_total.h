/* metric_total: one of the user's metrics, cumulative: a table of series by their labels' values.
 *
 * It has max_series series, and beyond them one more whose labels are all `other`. A metric without
 * labels has its one series from the start, with 0. Not thread safe. */
#ifndef MR_STAGES_EXPORTER_METRIC_TOTAL_H
#define MR_STAGES_EXPORTER_METRIC_TOTAL_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "common/wire/partial.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One series; its buckets are self->buckets[i * bucket_count]. */
typedef struct mr_total_series {
    uint64_t hash;
    size_t key_at; /* in self->keys */
    uint32_t key_bytes;
    uint64_t count; /* 0: of a metric without labels, before the first record */
    double sum;     /* histogram only, as what follows */
    double min;
    double max;
} mr_total_series_t;

typedef struct mr_metric_total {
    mr_partial_metric_t metric; /* texts are owned */
    char *texts;
    char *help;
    uint32_t bucket_count; /* counter: 0 */
    uint32_t count;        /* series, in the order in which they came */
    uint32_t capacity;
    mr_total_series_t *series;
    uint64_t *buckets; /* not cumulative */
    uint32_t *slots;   /* index + 1, 0: empty; open addressing */
    uint32_t slot_mask;
    mr_buffer_t keys;
    mr_buffer_t other; /* the key whose values are all `other` */
} mr_metric_total_t;

/* metric, help: copied. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_metric_total_new (const mr_partial_metric_t *metric, const char *help,
                                          mr_metric_total_t **ret_total);
void mr_metric_total_destroy (mr_metric_total_t **self_p);

/* Add one series of the same metric. ret_full: it was added to `other`, because there are
 * max_series others. MR_SYSTEM: out of memory, nothing was added. */
MR_CHECK mr_status_t mr_metric_total_add (mr_metric_total_t *self,
                                          const mr_partial_series_t *series, bool *ret_full);

/* Read series i (0 .. count - 1). ret_series->key is valid until the next add. */
void mr_metric_total_get (const mr_metric_total_t *self, uint32_t i,
                          mr_partial_series_t *ret_series);

#endif
