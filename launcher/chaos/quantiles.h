/* quantiles: durations counted in buckets whose width is a 64th of their value, so that a quantile
 * is right to 1.6 % in fixed memory. Embedded, about 30 KB; zero is empty. Not thread safe. */
#ifndef MR_LAUNCHER_CHAOS_QUANTILES_H
#define MR_LAUNCHER_CHAOS_QUANTILES_H

#include <stdint.h>

enum { MR_QUANTILES_BUCKETS = 64 * 60 };

typedef struct mr_quantiles {
    uint64_t count;
    uint64_t max_ns;
    uint64_t buckets[MR_QUANTILES_BUCKETS];
} mr_quantiles_t;

void mr_quantiles_add (mr_quantiles_t *self, uint64_t ns);

/* The duration that a share (0 .. 1) of all stay under, in milliseconds; 0 without any. */
double mr_quantiles_ms (const mr_quantiles_t *self, double share);

#endif
