#include "stages/ingest/strikes.h"

#include "common/wire/crumb.h"

#include <stdlib.h>
#include <string.h>

/* A plain list: it is empty but for bad moments, and a suspicion is a record of a batch that is not
 * settled. */
struct mr_strikes {
    mr_strike_t list[MR_STRIKES_MAX];
    uint32_t count;
};

mr_status_t
mr_strikes_new (mr_strikes_t **ret_strikes)
{
    mr_strikes_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    *ret_strikes = self;
    return MR_OK;
}

void
mr_strikes_destroy (mr_strikes_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

static bool
same_record (const mr_strike_t *a, const mr_strike_t *b)
{
    return a->seq == b->seq && a->index == b->index;
}

bool
mr_strikes_known (const mr_strikes_t *self, const mr_strike_t *strike)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (same_record (&self->list[i], strike) &&
            self->list[i].incarnation == strike->incarnation) {
            return true;
        }
    }
    return false;
}

/* Pieces of evidence against one record, and the last kind of them. */
static uint32_t
weigh (const mr_strikes_t *self, const mr_strike_t *record, uint32_t *ret_kind)
{
    uint32_t pieces = 0;
    uint32_t kills = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        const mr_strike_t *strike = &self->list[i];
        if (!same_record (strike, record)) {
            continue;
        }
        if (strike->evidence != MR_EVIDENCE_NONE) {
            pieces++;
            *ret_kind = strike->evidence;
        } else {
            kills++;
        }
    }
    return pieces + (kills >= MR_STRIKES_KILLS ? kills - MR_STRIKES_KILLS + 1 : 0);
}

bool
mr_strikes_add (mr_strikes_t *self, const mr_strike_t *strike)
{
    uint32_t kind = MR_EVIDENCE_NONE;
    uint32_t before = weigh (self, strike, &kind);
    if (self->count == MR_STRIKES_MAX) {
        self->count--;
        memmove (self->list, self->list + 1, self->count * sizeof *self->list);
    }
    self->list[self->count++] = *strike;
    return before < MR_STRIKES_EVIDENCE && weigh (self, strike, &kind) >= MR_STRIKES_EVIDENCE;
}

static bool
is_marked (const mr_mark_t *marks, uint32_t count, uint32_t index)
{
    for (uint32_t i = 0; i < count; i++) {
        if (marks[i].index == index) {
            return true;
        }
    }
    return false;
}

static int
compare (const void *a, const void *b)
{
    const mr_mark_t *left = a;
    const mr_mark_t *right = b;
    return (left->index > right->index) - (left->index < right->index);
}

uint32_t
mr_strikes_marks (const mr_strikes_t *self, uint64_t seq, mr_mark_t *ret_marks)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->count && count < MR_STRIKES_MARKS_MAX; i++) {
        const mr_strike_t *strike = &self->list[i];
        uint32_t kind = MR_EVIDENCE_CRASH;
        if (strike->seq == seq && !is_marked (ret_marks, count, strike->index) &&
            weigh (self, strike, &kind) >= MR_STRIKES_EVIDENCE) {
            ret_marks[count++] = (mr_mark_t){.index = strike->index, .evidence = kind};
        }
    }
    qsort (ret_marks, count, sizeof *ret_marks, compare);
    return count;
}

void
mr_strikes_forget (mr_strikes_t *self, uint64_t watermark)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        if (self->list[i].seq > watermark) {
            self->list[kept++] = self->list[i];
        }
    }
    self->count = kept;
}

mr_status_t
mr_strikes_save (const mr_strikes_t *self, mr_buffer_t *out)
{
    return mr_buffer_append (out, self->list, self->count * sizeof *self->list);
}

mr_status_t
mr_strikes_load (mr_strikes_t *self, const void *data, size_t bytes)
{
    if (bytes % sizeof *self->list != 0 || bytes > sizeof self->list) {
        return MR_INVALID;
    }
    if (bytes > 0) {
        memcpy (self->list, data, bytes);
    }
    self->count = (uint32_t)(bytes / sizeof *self->list);
    return MR_OK;
}
