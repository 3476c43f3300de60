/* durations: the last thousand durations of one operation, their average and quantiles; and how
 * fast a cumulative count has grown in the last seconds. Embedded; not thread safe. */
#ifndef MR_MONITOR_DURATIONS_H
#define MR_MONITOR_DURATIONS_H

#include <stddef.h>
#include <stdint.h>

enum { MR_DURATIONS_KEPT = 1000, MR_RATE_SAMPLES = 6 };

typedef struct mr_durations {
    double kept[MR_DURATIONS_KEPT]; /* ms; the newest overwrites the oldest */
    size_t used;
    size_t next;
    uint64_t count; /* ever */
    double sum_ms;  /* ever */
} mr_durations_t;

/* Of the durations kept; all 0 when there are none. Nearest rank: pQ is the smallest kept duration
 * that at least Q % of them do not exceed. */
typedef struct mr_quantiles {
    double avg;
    double p50;
    double p95;
    double p99;
    double max;
} mr_quantiles_t;

void mr_durations_init (mr_durations_t *self);
/* ms: finite, not negative. */
void mr_durations_add (mr_durations_t *self, double ms);
void mr_durations_quantiles (const mr_durations_t *self, mr_quantiles_t *ret_quantiles);

typedef struct mr_rate {
    int64_t at_ns[MR_RATE_SAMPLES];
    uint64_t value[MR_RATE_SAMPLES];
    size_t used;
    size_t next;
} mr_rate_t;

/* Note a cumulative count, about once a second; a smaller one than before starts over. */
void mr_rate_note (mr_rate_t *self, int64_t mono_ns, uint64_t value);

/* Growth a second between the oldest and the newest sample; 0 with fewer than two. */
double mr_rate_per_second (const mr_rate_t *self);

#endif
