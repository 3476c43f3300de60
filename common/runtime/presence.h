/* presence: what a process does about a run directory that goes away under it. Once a second it
 * looks after its own files there (mr_worker_hold and so on) and hands over what came of it. Pure
 * but for the log. Not thread safe. */
#ifndef MR_COMMON_RUNTIME_PRESENCE_H
#define MR_COMMON_RUNTIME_PRESENCE_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* From when on a process that nobody can find any more ends: the launcher, which takes the chain
 * down in the order of the flow, before the others, for which it needs up to stop_timeout. */
enum { MR_PRESENCE_LAUNCHER_MS = 5000, MR_PRESENCE_WORKER_MS = 10000 };

/* Zeroed to begin with. */
typedef struct mr_presence {
    int64_t lost_ns; /* since when it cannot be made; 0: all is in its place */
    bool said;
} mr_presence_t;

/* Take the outcome of a look at mono_ns. MR_OK: all is in its place; MR_AGAIN: somebody else is in
 * ours; anything else: it cannot be made again, for the reason in err. What is wrong is logged,
 * once. patience_ms  how long it may stay so; a reason that may pass (a full disk) has no limit
 * Returns whether it is time to end. */
bool mr_presence_look (mr_presence_t *self, mr_status_t status, const mr_error_t *err,
                       int64_t patience_ms, int64_t mono_ns);

#endif
