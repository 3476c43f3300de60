#include "stages/ingest/window.h"

#include <stdlib.h>

struct mr_window {
    uint32_t limit;
    uint32_t in_flight;
    uint64_t first;
    uint64_t watermark;
    uint64_t last;     /* sent */
    uint8_t settled[]; /* seq modulo limit: 1 when done */
};

mr_status_t
mr_window_new (uint32_t limit, uint64_t last_seq, mr_window_t **ret_window)
{
    mr_window_t *self = calloc (1, sizeof *self + limit);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    self->limit = limit;
    self->first = last_seq;
    self->watermark = last_seq;
    self->last = last_seq;
    *ret_window = self;
    return MR_OK;
}

void
mr_window_destroy (mr_window_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

uint32_t
mr_window_in_flight (const mr_window_t *self)
{
    return self->in_flight;
}

bool
mr_window_full (const mr_window_t *self)
{
    return self->last - self->watermark >= self->limit;
}

void
mr_window_sent (mr_window_t *self, uint64_t seq)
{
    MR_ASSERT (!mr_window_full (self) && seq == self->last + 1);
    self->last = seq;
    self->settled[seq % self->limit] = 0;
    self->in_flight++;
}

bool
mr_window_done (mr_window_t *self, uint64_t seq)
{
    if (seq <= self->watermark || seq > self->last || self->settled[seq % self->limit] != 0) {
        return false;
    }
    self->settled[seq % self->limit] = 1;
    self->in_flight--;
    while (self->watermark < self->last &&
           self->settled[(self->watermark + 1) % self->limit] != 0) {
        self->watermark++;
    }
    return true;
}

uint64_t
mr_window_first (const mr_window_t *self)
{
    return self->first;
}

uint64_t
mr_window_watermark (const mr_window_t *self)
{
    return self->watermark;
}
