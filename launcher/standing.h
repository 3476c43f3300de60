/* standing: whether a launcher runs here, asked of itself. A held lock alone does not tell: a
 * process that was killed keeps its locks until its memory is gone. Not thread safe. */
#ifndef MR_LAUNCHER_STANDING_H
#define MR_LAUNCHER_STANDING_H

#include "common/base/status.h"
#include "launcher/plan.h"

typedef enum mr_phase {
    MR_PHASE_STARTING, /* the first start of the chain is not over */
    MR_PHASE_RUNNING,
    MR_PHASE_STOPPING, /* it will end */
} mr_phase_t;

typedef struct mr_standing {
    pid_t pid;
    mr_phase_t phase;
    char config[PATH_MAX]; /* the file that it runs with; "" when it does not say */
} mr_standing_t;

/* Ask the launcher of plan, and wait for its answer at most timeout_ms (0: 10 s).
 * MR_OK; MR_CLOSED: none runs, or it died meanwhile; MR_AGAIN: it lives and does not answer, err
 * says what to do; MR_SYSTEM: it cannot be asked (err). */
MR_CHECK mr_status_t mr_standing_ask (const mr_plan_t *plan, int64_t timeout_ms,
                                      mr_standing_t *ret_standing, mr_error_t *err);

#endif
