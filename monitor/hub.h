/* hub: the event bus. Workers publish to RUN/bus.in (XSUB); anybody may subscribe at RUN/bus.out
 * (XPUB), and what they subscribe to is asked of the workers, so that a tap is published only while
 * somebody listens. The monitor sees every event that passes. A slow subscriber loses events, it
 * never holds up the others. Not thread safe. */
#ifndef MR_MONITOR_HUB_H
#define MR_MONITOR_HUB_H

#include "common/base/status.h"
#include "common/runtime/loop.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct mr_hub mr_hub_t;

/* One event, valid during the call. */
typedef struct mr_hub_event {
    const char *topic; /* terminated; "" when fault is set */
    const char *json;  /* not terminated */
    size_t bytes;
    const char *fault; /* NULL, or why its frames are wrong */
} mr_hub_event_t;

/* Returns whether subscribers get it too. */
typedef bool mr_hub_event_fn (void *arg, const mr_hub_event_t *event);

/* Bind both sockets; the caller holds the monitor's lock, because binding steals them from whoever
 * has them.
 *   zmq, loop  borrowed for as long as the hub lives
 * MR_CONFIG: the path is too long; MR_SYSTEM. */
MR_CHECK mr_status_t mr_hub_new (void *zmq, mr_loop_t *loop, const char *run_dir,
                                 mr_hub_t **ret_hub, mr_error_t *err);

/* Bind again what has lost its file. The caller holds the monitor's lock. MR_OK; MR_SYSTEM. */
MR_CHECK mr_status_t mr_hub_hold (mr_hub_t *self, mr_error_t *err);
void mr_hub_on_event (mr_hub_t *self, mr_hub_event_fn *fn, void *arg);
void mr_hub_destroy (mr_hub_t **self_p);

#endif
