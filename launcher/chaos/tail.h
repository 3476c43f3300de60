/* tail: reads the files of the sink as they grow, in a thread of its own, and measures how long
 * each record took from the producer to its bytes in the sink. */
#ifndef MR_LAUNCHER_CHAOS_TAIL_H
#define MR_LAUNCHER_CHAOS_TAIL_H

#include "common/base/status.h"
#include "launcher/chaos/quantiles.h"

typedef struct mr_tail mr_tail_t;

/* folder: the scratch directory (chaos/scratch.h); borrowed. Files that are not there yet are
 * waited for. MR_OK; MR_SYSTEM. */
MR_CHECK mr_status_t mr_tail_start (const char *folder, mr_tail_t **ret_tail, mr_error_t *err);

/* Read what is there to its end, and stop. The durations stay until mr_tail_destroy. */
const mr_quantiles_t *mr_tail_stop (mr_tail_t *self);
void mr_tail_destroy (mr_tail_t **self_p);

#endif
