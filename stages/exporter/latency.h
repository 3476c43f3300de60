/* latency: end-to-end times of the last batches. Not thread safe. */
#ifndef MR_STAGES_EXPORTER_LATENCY_H
#define MR_STAGES_EXPORTER_LATENCY_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stdint.h>

enum { MR_LATENCY_KEPT = 1000 };

typedef struct mr_latency {
    double last_ms[MR_LATENCY_KEPT]; /* a ring */
    uint64_t count;
    double sum_ms;
} mr_latency_t;

void mr_latency_add (mr_latency_t *self, double ms);

/* Append `,"latency":{...}` with count, sum_ms, p50_ms, p95_ms, p99_ms and max_ms; the quantiles
 * are of the last MR_LATENCY_KEPT batches (nearest rank). */
MR_CHECK mr_status_t mr_latency_append (const mr_latency_t *self, mr_buffer_t *json);

#endif
