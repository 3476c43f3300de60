/* memory: what ingest must not forget beside the batches: producers' numbers and strikes. It lives
 * in the journal: changes with each batch or as control frames, all of it at each segment's start.
 * Not thread safe. */
#ifndef MR_STAGES_INGEST_MEMORY_H
#define MR_STAGES_INGEST_MEMORY_H

#include "common/base/status.h"
#include "common/delivery/journal.h"
#include "stages/ingest/producers.h"
#include "stages/ingest/strikes.h"

/* Both owned by the memory. */
typedef struct mr_memory {
    mr_producers_t *producers;
    mr_strikes_t *strikes;
} mr_memory_t;

MR_CHECK mr_status_t mr_memory_init (mr_memory_t *self, uint32_t max_producers);
void mr_memory_release (mr_memory_t *self);

/* How the journal saves and restores it; self must outlive the journal. */
mr_journal_state_t mr_memory_state (mr_memory_t *self);

#endif
