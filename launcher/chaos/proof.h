/* proof: everything that `millrace chaos` looks at once the chain is down: the records
 * (chaos/oracle.h), the metric rows, the audit. */
#ifndef MR_LAUNCHER_CHAOS_PROOF_H
#define MR_LAUNCHER_CHAOS_PROOF_H

#include "common/base/status.h"
#include "launcher/chaos/oracle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mr_proof {
    mr_oracle_verdict_t records;
    bool metrics_agree; /* with the lines of the sink, producer by producer */
    bool balanced;      /* the audit, and nothing is in flight or pending */
    uint64_t replayed;  /* batches, for the curious */
    uint64_t refused;
    char metrics[128]; /* what disagrees; "" without */
} mr_proof_t;

/* Read the files below a scratch directory. made: as for the oracle. MR_SYSTEM, MR_INVALID: one of
 * them cannot be read. */
MR_CHECK mr_status_t mr_proof_read (const char *folder, const uint64_t *made, size_t producers,
                                    mr_proof_t *ret_proof, mr_error_t *err);

/* Nothing lost, doubled, strange or misplaced; metrics and audit agree. */
bool mr_proof_holds (const mr_proof_t *self);

/* What does not hold, in words; "" when all does. */
void mr_proof_words (const mr_proof_t *self, mr_error_t *ret_words);

#endif
