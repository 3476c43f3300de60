#include "monitor/durations.h"

#include "common/base/clock.h"

#include <stdlib.h>
#include <string.h>

void
mr_durations_init (mr_durations_t *self)
{
    memset (self, 0, sizeof *self);
}

void
mr_durations_add (mr_durations_t *self, double ms)
{
    self->kept[self->next] = ms;
    self->next = (self->next + 1) % MR_DURATIONS_KEPT;
    if (self->used < MR_DURATIONS_KEPT) {
        self->used++;
    }
    self->count++;
    self->sum_ms += ms;
}

static int
compare (const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double
nearest_rank (const double *sorted, size_t count, unsigned percent)
{
    size_t rank = (count * percent + 99) / 100;
    return sorted[rank - 1];
}

void
mr_durations_quantiles (const mr_durations_t *self, mr_quantiles_t *ret_quantiles)
{
    *ret_quantiles = (mr_quantiles_t){.avg = 0};
    if (self->used == 0) {
        return;
    }
    double sorted[MR_DURATIONS_KEPT];
    memcpy (sorted, self->kept, self->used * sizeof *sorted);
    qsort (sorted, self->used, sizeof *sorted, compare);
    double sum = 0;
    for (size_t i = 0; i < self->used; i++) {
        sum += sorted[i];
    }
    *ret_quantiles = (mr_quantiles_t){
        .avg = sum / (double)self->used,
        .p50 = nearest_rank (sorted, self->used, 50),
        .p95 = nearest_rank (sorted, self->used, 95),
        .p99 = nearest_rank (sorted, self->used, 99),
        .max = sorted[self->used - 1],
    };
}

static size_t
newest (const mr_rate_t *self)
{
    return (self->next + MR_RATE_SAMPLES - 1) % MR_RATE_SAMPLES;
}

void
mr_rate_note (mr_rate_t *self, int64_t mono_ns, uint64_t value)
{
    if (self->used > 0 && value < self->value[newest (self)]) {
        self->used = 0;
        self->next = 0;
    }
    self->at_ns[self->next] = mono_ns;
    self->value[self->next] = value;
    self->next = (self->next + 1) % MR_RATE_SAMPLES;
    if (self->used < MR_RATE_SAMPLES) {
        self->used++;
    }
}

double
mr_rate_per_second (const mr_rate_t *self)
{
    if (self->used < 2) {
        return 0;
    }
    size_t last = newest (self);
    size_t first = (self->next + MR_RATE_SAMPLES - self->used) % MR_RATE_SAMPLES;
    int64_t elapsed = self->at_ns[last] - self->at_ns[first];
    if (elapsed <= 0) {
        return 0;
    }
    return (double)(self->value[last] - self->value[first]) * (double)MR_NS_PER_S / (double)elapsed;
}
