/* report: the launcher's view of all workers as JSON, for `status`. */
#ifndef MR_LAUNCHER_REPORT_H
#define MR_LAUNCHER_REPORT_H

#include "launcher/roster.h"

#include <jansson.h>

/* {"workers":[{"name","stage","slot","pid","state","restarts","uptime_s","managed","reason"},…]},
 * in the order of the flow, the monitor last; owned by the caller. */
json_t *mr_report_new (const mr_roster_t *roster, const mr_plan_t *plan);

#endif
