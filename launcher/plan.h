/* plan: what the configuration says about processes: which stages, in which order, how many workers
 * of each, where their files are, and how long to wait for them. Immutable but for `workers`, which
 * `scale` changes. */
#ifndef MR_LAUNCHER_PLAN_H
#define MR_LAUNCHER_PLAN_H

#include "common/base/slots.h"
#include "common/base/status.h"
#include "common/runtime/config.h"
#include "common/runtime/worker.h"
#include "launcher/policy.h"

#include <limits.h>

enum { MR_PLAN_MAX_STAGES = 16 };

typedef struct mr_plan_stage {
    char name[MR_WORKER_NAME_BYTES];
    int workers; /* 0 .. MR_SLOTS_MAX */
} mr_plan_stage_t;

typedef struct mr_plan {
    char config[PATH_MAX]; /* absolute, as all of them */
    char run_dir[PATH_MAX];
    char log_dir[PATH_MAX];
    char data_dir[PATH_MAX];
    char name[MR_WORKER_NAME_BYTES];
    int stage_count;
    mr_plan_stage_t stages[MR_PLAN_MAX_STAGES]; /* in the order of the flow; the monitor apart */
    mr_policy_limits_t limits;
    int64_t hang_ms;       /* of the watchdog */
    mr_error_t one_ingest; /* why there can be no second ingest; "" when there can */
} mr_plan_t;

/* MR_OK; MR_CONFIG: too many stages, or a path too long for a socket. */
MR_CHECK mr_status_t mr_plan_read (const mr_config_t *config, mr_plan_t *ret_plan, mr_error_t *err);

/* Index of a stage, -1: no such stage. "monitor" is none. */
int mr_plan_find (const mr_plan_t *plan, const char *stage);

/* Whether the stage, an index, can have so many workers. MR_CONFIG (err: why not). */
MR_CHECK mr_status_t mr_plan_can_have (const mr_plan_t *plan, int stage, int workers,
                                       mr_error_t *err);

/* Whether the file that a chain runs with is the one that was given: absolute paths, links
 * resolved. MR_CONFIG: another one (err: what to do). */
MR_CHECK mr_status_t mr_plan_same_file (const mr_plan_t *plan, const char *runs_with,
                                        const char *given, mr_error_t *err);

/* Make run_dir (0700) and log_dir (0750) where they are missing. MR_CONFIG: cannot be made, or not
 * writable (err: which, and why); MR_SYSTEM: not now, the disk refuses. */
MR_CHECK mr_status_t mr_plan_make_dirs (const mr_plan_t *plan, mr_error_t *err);

#endif
