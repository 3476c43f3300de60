/* producers: the last record number taken from each numbered producer. Not thread safe. */
#ifndef MR_STAGES_INGEST_PRODUCERS_H
#define MR_STAGES_INGEST_PRODUCERS_H

#include "common/base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct mr_producers mr_producers_t;

/* limit: how many producers are kept; more are refused. */
MR_CHECK mr_status_t mr_producers_new (uint32_t limit, mr_producers_t **ret_producers);
void mr_producers_destroy (mr_producers_t **self_p);

/* Last number of this name, 0 when it is unknown. name: 1 .. 62 bytes, not terminated. */
uint64_t mr_producers_last (const mr_producers_t *self, const char *name, size_t bytes);

/* MR_OK; MR_AGAIN: there are too many producers; MR_SYSTEM: no memory. */
MR_CHECK mr_status_t mr_producers_set (mr_producers_t *self, const char *name, size_t bytes,
                                       uint64_t last);

#endif
