/* producers: the last record number taken from each numbered producer. The numbers live in the
 * journal: changes with each batch, all of them at the start of each segment. Not thread safe.
 *
 * Names for one run (mr_producer_is_once) have the places that the lasting ones leave, and
 * MR_PRODUCERS_ONCE_MIN (or all, where there are fewer) in any case; for a further one the one is
 * forgotten whose number came into the journal first. That happens as a change is journaled and
 * again, in the same order, as the journal is read: what is remembered follows from the journal and
 * the limit alone. */
#ifndef MR_STAGES_INGEST_PRODUCERS_H
#define MR_STAGES_INGEST_PRODUCERS_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct mr_producers mr_producers_t;

enum { MR_PRODUCERS_ONCE_MIN = 1024 };

/* limit: how many lasting names are kept, 1 or more; more are refused, but for those that are
 * loaded. */
MR_CHECK mr_status_t mr_producers_new (uint32_t limit, mr_producers_t **ret_producers);
void mr_producers_destroy (mr_producers_t **self_p);

uint32_t mr_producers_limit (const mr_producers_t *self);

/* Last number of this name, 0 when it is unknown. name: 1 .. 62 bytes, not terminated. */
uint64_t mr_producers_last (const mr_producers_t *self, const char *name, size_t bytes);

/* last: above the one before. MR_OK; MR_AGAIN: too many changes for one batch; MR_CLOSED: it is
 * unknown and not for one run, and there are as many as are kept; MR_SYSTEM: no memory. */
MR_CHECK mr_status_t mr_producers_set (mr_producers_t *self, const char *name, size_t bytes,
                                       uint64_t last);

/* What was set since the last mr_producers_clear_changes, encoded: it goes into the journal with
 * the batch that holds the records. Valid until the next set. */
const void *mr_producers_changes (const mr_producers_t *self, size_t *ret_bytes);
void mr_producers_clear_changes (mr_producers_t *self); /* they are in the journal now */

/* All numbers, encoded the same way: entries of u8 name bytes, the name, u64 last; those for one
 * run last, in the order in which they came into the journal. Changes that are not cleared yet are
 * left out: a journal's new segment begins with what was saved, and the batch that holds their
 * records comes behind it or never. */
MR_CHECK mr_status_t mr_producers_save (const mr_producers_t *self, mr_buffer_t *out);

/* Take over encoded numbers (they are no changes). MR_INVALID: broken; MR_SYSTEM. */
MR_CHECK mr_status_t mr_producers_load (mr_producers_t *self, const void *data, size_t bytes);

#endif
