/* oracle: what became of the records of `millrace chaos`, from the producers' own ledgers and the
 * bytes of the sinks, and from nothing that the pipeline says of itself. One bit of memory a
 * record. Not thread safe. */
#ifndef MR_LAUNCHER_CHAOS_ORACLE_H
#define MR_LAUNCHER_CHAOS_ORACLE_H

#include "common/base/status.h"

#include <stddef.h>
#include <stdint.h>

enum { MR_ORACLE_PRODUCERS = 4 };

typedef struct mr_oracle mr_oracle_t;

typedef struct mr_oracle_verdict {
    uint64_t made;     /* records, by the ledgers */
    uint64_t exported; /* lines of the sink that are records that were made */
    uint64_t exported_of[MR_ORACLE_PRODUCERS];
    uint64_t dead;      /* letters that hold such a record */
    uint64_t lost;      /* made, and found nowhere */
    uint64_t doubled;   /* lines and letters beyond the first of a record */
    uint64_t strangers; /* lines and letters that are, byte by byte, no record that was made */
    uint64_t misplaced; /* whole records in dead letters, broken ones in the sink */
    char first[128];    /* what is wrong, the first of it; "" without */
} mr_oracle_verdict_t;

/* made: the ledger, how many records each producer numbered; 1 .. MR_ORACLE_PRODUCERS of them.
 * NULL: out of memory. */
mr_oracle_t *mr_oracle_new (const uint64_t *made, size_t producers);
void mr_oracle_destroy (mr_oracle_t **self_p);

/* Read a file of the sink, or one of dead letters, to its end. MR_SYSTEM, MR_INVALID: not read. */
MR_CHECK mr_status_t mr_oracle_read_sink (mr_oracle_t *self, const char *path, mr_error_t *err);
MR_CHECK mr_status_t mr_oracle_read_dead (mr_oracle_t *self, const char *path, mr_error_t *err);

/* After all files. */
mr_oracle_verdict_t mr_oracle_verdict (mr_oracle_t *self);

#endif
