/* crumb: which record a worker is at work on, as one 64-bit word that its lock file keeps when it
 * dies: 0 is none. And what may be said of its death. Pure; thread safe. */
#ifndef MR_COMMON_WIRE_CRUMB_H
#define MR_COMMON_WIRE_CRUMB_H

#include <stdbool.h>
#include <stdint.h>

/* word = origin (6 bits) << 58 | (seq modulo 2^41) << 17 | index + 1 (17 bits) */
enum { MR_CRUMB_INDEX_BITS = 17, MR_CRUMB_SEQ_BITS = 41 };

typedef struct mr_crumb {
    uint32_t origin; /* slot of the ingest worker whose batch it is, 0 .. 62 */
    uint64_t seq;    /* modulo 2^41: 2 * 10^12 batches */
    uint32_t index;  /* of the record among those of the batch as ingest sent it */
} mr_crumb_t;

/* The word of record 0 of a batch; that of record i is i more. */
uint64_t mr_crumb_base (uint32_t origin, uint64_t seq);

/* false: it is none. */
bool mr_crumb_unpack (uint64_t word, mr_crumb_t *ret_crumb);

/* How a worker ended that left a crumb. */
typedef enum mr_evidence {
    MR_EVIDENCE_NONE = 0,  /* killed from outside, as far as is known: counts little */
    MR_EVIDENCE_CRASH = 1, /* its own handler saw a fatal signal */
    MR_EVIDENCE_HANG = 2,  /* the launcher killed it for making no progress */
} mr_evidence_t;

#endif
