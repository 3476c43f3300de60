/* totals: the user's own metrics, cumulative, as one `totals.WORKER` event carries them, and their
 * sum over workers. Heap; immutable once made. Shapes: PROTOCOL.md, "Events". Pure. */
#ifndef MR_MONITOR_TOTALS_H
#define MR_MONITOR_TOTALS_H

#include "common/base/status.h"
#include "common/wire/jsonwriter.h"
#include "monitor/fields.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

typedef enum mr_metric_type {
    MR_METRIC_COUNTER,
    MR_METRIC_HISTOGRAM,
} mr_metric_type_t;

typedef struct mr_bucket {
    double le;      /* finite; the bucket of everything is the series' count */
    uint64_t count; /* cumulative */
} mr_bucket_t;

typedef struct mr_series {
    char *labels; /* a JSON object of strings, keys sorted: what makes two series the same */
    double value; /* counter */
    uint64_t count;
    double sum;
    double min; /* of nothing: NaN, null in JSON */
    double max;
    mr_bucket_t *buckets; /* le rising */
    size_t bucket_count;
} mr_series_t;

typedef struct mr_metric {
    char name[MR_EVENT_NAME_BYTES];
    mr_metric_type_t type;
    char *help; /* may be "" */
    mr_series_t *series;
    size_t series_count;
} mr_metric_t;

typedef struct mr_totals {
    mr_stamp_t stamp; /* of a sum: empty */
    mr_metric_t *metrics;
    size_t metric_count;
} mr_totals_t;

/* MR_OK and owned totals; MR_INVALID: err names the member; MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_totals_decode (const json_t *event, mr_totals_t **ret_totals,
                                       mr_error_t *err);
void mr_totals_destroy (mr_totals_t **self_p);

/* Sum over workers, series sorted by labels, metrics in the order of their first appearance. A
 * metric whose type differs from the first one's is left out. Where the buckets of two workers
 * differ (the configuration changed) those that both have are kept: cumulative counts stay right.
 *   all  `count` (0 ..) totals, borrowed
 * MR_OK and owned totals; MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_totals_sum (const mr_totals_t *const *all, size_t count,
                                    mr_totals_t **ret_totals);

/* "metrics":[…] as in the event. most: series a metric, those with the highest value or count
 * first and each metric's whole number of them as "series_total"; 0: all, in their order. */
void mr_totals_write_metrics (mr_jsonwriter_t *json, const mr_totals_t *totals, size_t most);

/* The whole event again, as decode takes it. */
void mr_totals_write (mr_jsonwriter_t *json, const char *key, const mr_totals_t *totals);

#endif
