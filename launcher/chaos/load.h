/* load: one acknowledged, numbered producer of `millrace chaos`, in a thread of its own. Its ledger
 * is two numbers, for records are numbered without gaps: so many were made, of which so many were
 * acknowledged. Functions may be called from the thread that started it. */
#ifndef MR_LAUNCHER_CHAOS_LOAD_H
#define MR_LAUNCHER_CHAOS_LOAD_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_load mr_load_t;

/* Start to send.
 *   endpoint  the acknowledged socket of one ingest worker; copied
 *   producer  0 ..; its name is chaos-PRODUCER
 *   rate      records/s; 0: as fast as they are taken
 * MR_OK; MR_SYSTEM. */
MR_CHECK mr_status_t mr_load_start (const char *endpoint, unsigned producer, double rate,
                                    mr_load_t **ret_load, mr_error_t *err);

/* Make no more records; what is made still waits for its acknowledgement. */
void mr_load_end (mr_load_t *self);

/* Whether the thread is through: ended, and everything acknowledged; or at fault. */
bool mr_load_done (const mr_load_t *self);

/* Why it gave up; NULL: it did not. */
const char *mr_load_fault (const mr_load_t *self);

uint64_t mr_load_made (const mr_load_t *self);
uint64_t mr_load_acknowledged (const mr_load_t *self);

/* Gives up what is not acknowledged. */
void mr_load_destroy (mr_load_t **self_p);

#endif
