#include "launcher/chaos/quantiles.h"

#include <stddef.h>

enum { STEPS = 64, STEP_BITS = 6, NS_PER_MS = 1000000 };

/* Below STEPS each number has its own bucket; above, each power of two has STEPS of them. */
static size_t
bucket_of (uint64_t ns)
{
    if (ns < STEPS) {
        return (size_t)ns;
    }
    unsigned power = 63 - (unsigned)__builtin_clzll (ns);
    unsigned shift = power - STEP_BITS;
    return (size_t)(shift + 1) * STEPS + (size_t)((ns >> shift) - STEPS);
}

/* The first number that is beyond the bucket. */
static uint64_t
end_of (size_t bucket)
{
    if (bucket < STEPS) {
        return bucket + 1;
    }
    unsigned shift = (unsigned)(bucket / STEPS - 1);
    return (uint64_t)(bucket % STEPS + STEPS + 1) << shift;
}

void
mr_quantiles_add (mr_quantiles_t *self, uint64_t ns)
{
    uint64_t most = UINT64_C (1) << 62; /* a century */
    ns = ns < most ? ns : most;
    self->buckets[bucket_of (ns)]++;
    self->count++;
    self->max_ns = ns > self->max_ns ? ns : self->max_ns;
}

double
mr_quantiles_ms (const mr_quantiles_t *self, double share)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < MR_QUANTILES_BUCKETS; i++) {
        seen += self->buckets[i];
        if (seen > 0 && (double)seen >= share * (double)self->count) {
            uint64_t end = end_of (i) < self->max_ns ? end_of (i) : self->max_ns;
            return (double)end / NS_PER_MS;
        }
    }
    return 0;
}
