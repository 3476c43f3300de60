/* claims: the windows of all ingest workers, and the right to export a batch: one copy of it wins.
 * Not thread safe. */
#ifndef MR_STAGES_EXPORTER_CLAIMS_H
#define MR_STAGES_EXPORTER_CLAIMS_H

#include "common/base/status.h"
#include "common/delivery/window.h"
#include "common/wire/batch.h"

typedef struct mr_claims mr_claims_t;

/* data_dir: copied. */
MR_CHECK mr_status_t mr_claims_new (const char *data_dir, mr_claims_t **ret_claims);
void mr_claims_destroy (mr_claims_t **self_p);

/* The window of the journal that made the batch; borrowed until the next call.
 * MR_OK; MR_CLOSED: there is none: the batch is a stale copy; MR_SYSTEM, MR_INVALID. */
MR_CHECK mr_status_t mr_claims_window (mr_claims_t *self, const mr_batch_t *batch,
                                       mr_window_t **ret_window, mr_error_t *err);

#endif
