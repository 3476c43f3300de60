/* tally: what happened in each operation: how often, how many records, which errors. A set of
 * tallies is small (one worker: a few; the pipeline: some tens) and searched in order. Embedded;
 * not thread safe. */
#ifndef MR_MONITOR_TALLY_H
#define MR_MONITOR_TALLY_H

#include "common/base/status.h"
#include "common/wire/event.h"

#include <stddef.h>
#include <stdint.h>

enum {
    MR_TALLY_KEY_BYTES = 2 * MR_EVENT_NAME_BYTES, /* "processor.handle", with terminator */
    MR_TALLY_MAX_KEYS = 256,                      /* operations in a set */
    MR_TALLY_MAX_TYPES = 64,                      /* error types of one; the rest is "other" */
};

typedef struct mr_tally_type {
    char name[MR_EVENT_NAME_BYTES];
    uint64_t count; /* failed records */
} mr_tally_type_t;

typedef struct mr_tally {
    char key[MR_TALLY_KEY_BYTES]; /* "handle" of one worker, "processor.handle" in a sum */
    uint64_t count;               /* operations, one a batch */
    uint64_t records;
    uint64_t errors; /* error events: one a type and batch */
    mr_tally_type_t *types;
    size_t type_count;
} mr_tally_t;

typedef struct mr_tallies {
    mr_tally_t *items; /* in the order of their first appearance; moves when the set grows */
    size_t count;
} mr_tallies_t;

void mr_tallies_init (mr_tallies_t *self);
void mr_tallies_release (mr_tallies_t *self);

/* Forget everything. */
void mr_tallies_clear (mr_tallies_t *self);

/* The tally of this key, made when there is none. NULL: the set is full, or out of memory. */
mr_tally_t *mr_tallies_get (mr_tallies_t *self, const char *key);

/* NULL: none. */
const mr_tally_t *mr_tallies_find (const mr_tallies_t *self, const char *key);

/* Count errors of one type; `errors` is left alone. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_tally_type (mr_tally_t *self, const char *type, uint64_t count);

/* Add every tally of `other`, as "prefix.key"; prefix NULL: as "key".
 * MR_INVALID: the set is full (what fitted was added); MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_tallies_add (mr_tallies_t *self, const char *prefix,
                                     const mr_tallies_t *other);

#endif
