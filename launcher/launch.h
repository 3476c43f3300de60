/* launch: start a launcher of our own program directory. Not thread safe. */
#ifndef MR_LAUNCHER_LAUNCH_H
#define MR_LAUNCHER_LAUNCH_H

#include "launcher/child.h"
#include "launcher/plan.h"

typedef struct mr_launch {
    const mr_plan_t *plan;
    bool foreground; /* workers inherit our stdout */
    bool adopt_only;
    mr_child_t child; /* the launcher; to be released by the caller, which lets it live on */
    int64_t said_at;  /* where its own words begin in LOG/launcher.stderr */
} mr_launch_t;

/* Start it, and wait until it takes requests.
 * MR_OK; MR_AGAIN: another launcher was first; MR_CONFIG, MR_SYSTEM (err: its last words). */
MR_CHECK mr_status_t mr_launch (mr_launch_t *launch, mr_error_t *err);

/* For a launcher that was ready and ended without an answer: wait for its end, at most wait_ms.
 * Returns its exit code, and why in err when it said so; -1: it lives, or was killed. */
int mr_launch_ended (mr_launch_t *launch, int wait_ms, mr_error_t *err);

#endif
