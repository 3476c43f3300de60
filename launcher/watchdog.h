/* watchdog: tells a worker that hangs from one that works or waits. Pure; time is handed in.
 *
 * A worker changes `progress` in its page with each batch, a processor also its crumb with each
 * record, and says `holding` while it has a batch in hand; waiting for room downstream or for a
 * disk is not holding. One that holds for hang_ms while neither changes hangs. */
#ifndef MR_LAUNCHER_WATCHDOG_H
#define MR_LAUNCHER_WATCHDOG_H

#include "common/runtime/worker.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_watchdog {
    uint64_t incarnation; /* whose figures these are */
    uint64_t progress;
    uint64_t crumb;
    int64_t since_ns; /* since when it holds without progress; 0: it does not */
} mr_watchdog_t;

/* Look at a living worker's traces, about once a second. hang_ms > 0. Returns whether it hangs. */
bool mr_watchdog_look (mr_watchdog_t *self, const mr_worker_traces_t *traces, int64_t hang_ms,
                       int64_t now_ns);

#endif
