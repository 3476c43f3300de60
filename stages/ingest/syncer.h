/* syncer: group commit. A thread makes the journal durable whenever something was appended since
 * the last time, and tells the loop's thread. While it waits for the disk, more batches gather. */
#ifndef MR_STAGES_INGEST_SYNCER_H
#define MR_STAGES_INGEST_SYNCER_H

#include "common/base/status.h"
#include "common/delivery/journal.h"
#include "common/runtime/loop.h"

typedef struct mr_syncer mr_syncer_t;

/* synced: called in the loop's thread after each sync; ask mr_journal_synced_seq. */
MR_CHECK mr_status_t mr_syncer_new (mr_loop_t *loop, mr_journal_t *journal,
                                    void (*synced) (void *arg), void *arg,
                                    mr_syncer_t **ret_syncer);
/* Stops the thread; what is not synced stays so. */
void mr_syncer_destroy (mr_syncer_t **self_p);

/* Why the disk refuses; "" while it does not. ret_text: 256 bytes. */
void mr_syncer_failure (mr_syncer_t *self, char *ret_text);

/* Something was appended. */
void mr_syncer_wake (mr_syncer_t *self);

#endif
