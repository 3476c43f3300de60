/* partial: aggregates that can be merged, by metric and series: those of one batch in its PARTIALS
 * section, and an exporter's totals in its checkpoint. They describe themselves (name, labels,
 * bounds), so that whoever adds them up needs no configuration. Byte layout: PROTOCOL.md,
 * "Partials".
 *
 * A section is metrics one behind the other; a metric is its definition and its series. The same
 * series may occur more than once: the occurrences are added up. Pure; thread safe. */
#ifndef MR_COMMON_WIRE_PARTIAL_H
#define MR_COMMON_WIRE_PARTIAL_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_PARTIAL_MAX_LABELS = 16,
    MR_PARTIAL_MAX_BOUNDS = 256,
    MR_PARTIAL_NAME_BYTES = 255,  /* name of a metric or a label */
    MR_PARTIAL_VALUE_BYTES = 256, /* value of a label; longer ones are cut by who makes them */
};

typedef enum mr_partial_kind {
    MR_PARTIAL_COUNTER = 1,
    MR_PARTIAL_HISTOGRAM = 2,
} mr_partial_kind_t;

/* Not terminated. */
typedef struct mr_partial_text {
    const char *data;
    uint32_t bytes;
} mr_partial_text_t;

typedef struct mr_partial_metric {
    mr_partial_kind_t kind;
    mr_partial_text_t name;
    uint32_t max_series; /* 1 ..; further ones are added up in `other` */
    uint32_t label_count;
    mr_partial_text_t labels[MR_PARTIAL_MAX_LABELS];
    uint32_t bound_count;                 /* counter: 0 */
    double bounds[MR_PARTIAL_MAX_BOUNDS]; /* of the buckets, finite, rising; value <= bound */
    uint32_t series_count;                /* this and the next: set by mr_partial_next */
    const char *series;
    size_t series_bytes;
} mr_partial_metric_t;

typedef struct mr_partial_series {
    const char *key; /* the labels' values: see mr_partial_key_add */
    uint32_t key_bytes;
    uint64_t count; /* 1 .. */
    double sum;     /* histogram only, as all that follows; finite */
    double min;
    double max;
    /* bound_count + 1 counts, not cumulative; the last is what is above all bounds. */
    uint64_t buckets[MR_PARTIAL_MAX_BOUNDS + 1];
} mr_partial_series_t;

/* Append the next label's value to a key; all of a metric's labels have one, in their order, "" for
 * a field that is missing. bytes: at most MR_PARTIAL_VALUE_BYTES. Equal values make equal keys.
 * Statuses as mr_buffer_append. */
MR_CHECK mr_status_t mr_partial_key_add (mr_buffer_t *key, const char *value, uint32_t bytes);

/* Read the value at *position of a key, which a reader here has checked, and move behind it. */
mr_partial_text_t mr_partial_key_next (const char *key, uint32_t bytes, uint32_t *position);

/* A metric under construction at the end of a section. The first failure sticks. */
typedef struct mr_partial_writer {
    mr_buffer_t *out; /* borrowed */
    const mr_partial_metric_t *metric;
    size_t start;
    uint32_t series;
    mr_status_t status;
} mr_partial_writer_t;

/* metric: valid until the end; its series members are not looked at. */
void mr_partial_begin (mr_partial_writer_t *self, mr_buffer_t *out,
                       const mr_partial_metric_t *metric);
void mr_partial_add (mr_partial_writer_t *self, const mr_partial_series_t *series);

/* MR_OK; MR_INVALID, MR_SYSTEM: no room in the buffer, which is as it was at the begin. Without
 * series nothing is appended. */
MR_CHECK mr_status_t mr_partial_end (mr_partial_writer_t *self);

/* Read the metric at *position, check it with all of its series, and move behind it. ret_metric
 * points into section, which need not be aligned.
 * Returns MR_OK; MR_CLOSED (position is the end); MR_INVALID (err names the field). */
MR_CHECK mr_status_t mr_partial_next (const void *section, size_t bytes, size_t *position,
                                      mr_partial_metric_t *ret_metric, mr_error_t *err);

/* The series at *position (0 for the first) of a metric that mr_partial_next gave. False: there are
 * no more. */
bool mr_partial_series_next (const mr_partial_metric_t *metric, size_t *position,
                             mr_partial_series_t *ret_series);

/* Whether series of one are series of the other: kind, name, labels and bounds are the same. */
bool mr_partial_same_metric (const mr_partial_metric_t *a, const mr_partial_metric_t *b);

/* Add `from` to `into`, which are series of one metric; into->count may be 0. Sums beyond the range
 * of a double stay at its end; counts beyond 64 bits, which only a forged section has, are left
 * out. */
void mr_partial_merge (const mr_partial_metric_t *metric, mr_partial_series_t *into,
                       const mr_partial_series_t *from);

#endif
