#include "stages/exporter/latency.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void
mr_latency_add (mr_latency_t *self, double ms)
{
    self->last_ms[self->count % MR_LATENCY_KEPT] = ms;
    self->count++;
    self->sum_ms += ms;
}

static int
compare (const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Nearest rank: the smallest value with at least this share of all at or below it. */
static double
quantile (const double *sorted, size_t count, unsigned percent)
{
    if (count == 0) {
        return 0;
    }
    size_t rank = (count * percent + 99) / 100;
    return sorted[rank == 0 ? 0 : rank - 1];
}

mr_status_t
mr_latency_append (const mr_latency_t *self, mr_buffer_t *json)
{
    double sorted[MR_LATENCY_KEPT];
    size_t count = self->count < MR_LATENCY_KEPT ? (size_t)self->count : MR_LATENCY_KEPT;
    memcpy (sorted, self->last_ms, count * sizeof *sorted);
    qsort (sorted, count, sizeof *sorted, compare);
    return mr_buffer_printf (json,
                             ",\"latency\":{\"count\":%" PRIu64
                             ",\"sum_ms\":%.3f,\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f,"
                             "\"max_ms\":%.3f}",
                             self->count, self->sum_ms, quantile (sorted, count, 50),
                             quantile (sorted, count, 95), quantile (sorted, count, 99),
                             quantile (sorted, count, 100));
}
