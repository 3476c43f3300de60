/* batcher: records come in one by one and leave as batches. They are put where they belong in the
 * batch's frame, so that they are copied once. Memory is bounded by the limits given; nothing is
 * allocated for a record once the buffers have grown. Not thread safe. */
#ifndef MR_STAGES_INGEST_BATCHER_H
#define MR_STAGES_INGEST_BATCHER_H

#include "common/base/status.h"
#include "common/wire/batch.h"
#include "common/wire/dead.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mr_batcher mr_batcher_t;

/* A batch counts as full at max_records (1 .. MR_BATCH_MAX_RECORDS) or from max_bytes on. Adding
 * goes on beyond that, up to what mr_batcher_fits says, so that a request stays in one batch. */
MR_CHECK mr_status_t mr_batcher_new (uint32_t max_records, size_t max_bytes,
                                     mr_batcher_t **ret_batcher);
void mr_batcher_destroy (mr_batcher_t **self_p);

/* Whether so many more records, of so many bytes together, can be added at all. */
bool mr_batcher_fits (const mr_batcher_t *self, uint32_t records, size_t bytes);

/* Take one record: not blank, without its line end. MR_SYSTEM: no memory; nothing was taken. */
MR_CHECK mr_status_t mr_batcher_add (mr_batcher_t *self, const char *record, size_t bytes);

/* Take a record that is a dead letter already; its index is set here. */
MR_CHECK mr_status_t mr_batcher_add_dead (mr_batcher_t *self, mr_dead_t *dead);
/* Records in it, dead ones included; whether it must be sealed before more are added. */
uint32_t mr_batcher_count (const mr_batcher_t *self);
bool mr_batcher_full (const mr_batcher_t *self);

/* The present contents as a batch without identity and time; valid until the next add or clear. */
void mr_batcher_batch (mr_batcher_t *self, mr_batch_t *ret_batch);
void mr_batcher_clear (mr_batcher_t *self);

/* Encode that batch, whose identity and times are set now. The contents stay until taken or
 * cleared; ret_frame is valid until then. MR_SYSTEM: no memory. */
MR_CHECK mr_status_t mr_batcher_encode (mr_batcher_t *self, mr_batch_t *batch,
                                        const void **ret_frame, size_t *ret_bytes);
/* Hand the encoded frame over, to be freed with free, and begin the next batch. */
void *mr_batcher_take (mr_batcher_t *self);

#endif
