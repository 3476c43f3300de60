/* absent: journals that are gone: spools or windows know of them, and no directory holds them, as
 * when somebody removed one, or began another in its place. Of what they had received nothing is
 * left to prove it but their windows, which say whether anything was not settled. */
#ifndef MR_COMMON_DELIVERY_ABSENT_H
#define MR_COMMON_DELIVERY_ABSENT_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_absent {
    uint64_t journal;
    int slot;          /* of the ingest worker whose it was; -1: nobody knows */
    uint64_t exported; /* records in spools, this and the next two */
    uint64_t filtered;
    uint64_t dead;
    bool known;         /* a window of its own is there, ... */
    uint64_t unsettled; /* ... which calls so many batches not settled */
} mr_absent_t;

/* Whether nothing of it is missing. */
bool mr_absent_is_settled (const mr_absent_t *self);

typedef void mr_absent_fn (void *arg, const mr_absent_t *absent);

/* Call fn for each, in no order. Those of which a spool had to forget (spool.h) are not found.
 * MR_OK; MR_AGAIN: spools move too fast, try again; MR_INVALID, MR_SYSTEM: a journal or spool
 * cannot be read. */
MR_CHECK mr_status_t mr_absent_each (const char *data_dir, mr_absent_fn *fn, void *arg,
                                     mr_error_t *err);

#endif
