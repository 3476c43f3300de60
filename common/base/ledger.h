/* ledger: what became of the records of one ingest worker, in a small mapped file that outlives it:
 * DATA/ingest.<slot>.ledger. One process writes, any may read, also when nothing runs.
 *
 * Counters are changed by single atomic stores in an order that keeps settled <= received for every
 * reader. Byte layout: PROTOCOL.md, "Ledger". */
#ifndef MR_COMMON_BASE_LEDGER_H
#define MR_COMMON_BASE_LEDGER_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_ledger mr_ledger_t;

/* Records unless said otherwise; cumulative over the life of the journal id. */
typedef struct mr_ledger_counts {
    uint64_t journal; /* id */
    uint64_t received;
    uint64_t exported;
    uint64_t filtered;
    uint64_t dead;
    uint64_t dropped;
    uint64_t batches;      /* made; also the last seq given out */
    uint64_t batches_done; /* settled */
    uint64_t replayed;     /* batches pushed again */
    uint64_t refused;      /* stale copies refused by exporters */
} mr_ledger_counts_t;

/* Open for writing; makes the file, with a new random journal id, when there is none.
 * MR_OK; MR_INVALID (not a ledger, another version: err says what to do); MR_SYSTEM. */
MR_CHECK mr_status_t mr_ledger_open (const char *path, mr_ledger_t **ret_ledger, mr_error_t *err);
void mr_ledger_close (mr_ledger_t **self_p);

mr_ledger_counts_t mr_ledger_counts (const mr_ledger_t *self);

/* A batch of `received` records was made. Returns its seq. */
uint64_t mr_ledger_made (mr_ledger_t *self, uint64_t received);

/* A batch is settled: exported + filtered + dead = its received. */
void mr_ledger_settled (mr_ledger_t *self, uint64_t exported, uint64_t filtered, uint64_t dead);

/* Read a ledger once, from any process.
 * MR_OK; MR_CLOSED: no such file; MR_INVALID; MR_SYSTEM. */
MR_CHECK mr_status_t mr_ledger_read (const char *path, mr_ledger_counts_t *ret_counts,
                                     mr_error_t *err);

#endif
