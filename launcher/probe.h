/* probe: whether anybody listens at an endpoint right now. Thread safe. */
#ifndef MR_LAUNCHER_PROBE_H
#define MR_LAUNCHER_PROBE_H

#include "common/base/status.h"

/* Connect to ipc://PATH or tcp://HOST:PORT and hang up, in at most half a second.
 * MR_OK: somebody listens; MR_CLOSED: nobody does; MR_AGAIN: it cannot be told. */
MR_CHECK mr_status_t mr_probe (const char *endpoint);

#endif
