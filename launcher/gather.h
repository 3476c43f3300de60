/* gather: what is known about the pipeline right now, put together from the lock files (who lives),
 * the launcher (restarts, who is given up) and the monitor (rates); each may be missing. */
#ifndef MR_LAUNCHER_GATHER_H
#define MR_LAUNCHER_GATHER_H

#include "common/runtime/config.h"
#include "launcher/plan.h"

#include <jansson.h>

/* {"pipeline", "config" (that the launcher runs with), "launcher": bool, "monitor": bool,
 *  "records_per_second", "in_flight", "held_by", "workers": [{"name", "stage", "slot", "pid",
 * "state", "uptime_s", "restarts", "records_per_second", "errors", "blocked_percent", "managed",
 * "reason", "waiting", "failing"}]} in the order of the flow, then monitor and launcher; null where
 * nobody knows. A dead worker is among them only where the plan, or what `scale` made of it, has
 * one. Owned by the caller. */
json_t *mr_gather (const mr_config_t *config, const mr_plan_t *plan);

#endif
