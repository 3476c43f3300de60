/* lives: the lives of workers within the registry; for registry.c and its neighbours only. */
#ifndef MR_MONITOR_LIVES_H
#define MR_MONITOR_LIVES_H

#include "common/base/status.h"
#include "monitor/registry.h"

#include <stdbool.h>

void mr_life_destroy (mr_life_t **self_p);

/* Add all that this life did, by "domain.operation". Statuses of mr_tallies_add. */
MR_CHECK mr_status_t mr_life_add (const mr_life_t *life, mr_tallies_t *sum);

/* in_flight: whether what is in flight counts too. */
void mr_ledger_add (mr_ledger_t *sum, const mr_ledger_t *from, bool in_flight);

/* The life that sent this stamp, made when it is new; counts a gap in its event_seq.
 *   domain  NULL: not known from this event
 * MR_OK; MR_CLOSED: an event of the past, counted as late; MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_lives_see (mr_registry_t *self, const mr_stamp_t *stamp, int64_t mono_ns,
                                   mr_life_t **ret_life);

/* Replace the counters of a life (taken over; released when refused), forget what came before. */
void mr_life_replace (mr_life_t *life, mr_counters_t *counters);

#endif
