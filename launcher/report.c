#include "launcher/report.h"

#include "common/base/clock.h"
#include "common/base/slots.h"

#include <string.h>

static json_t *
one (const mr_unit_t *unit)
{
    bool alive = unit->child.pidfd >= 0;
    double uptime = (double)(mr_clock_mono_ns () - unit->since_ns) / (double)MR_NS_PER_S;
    json_t *row = json_pack (
        "{s:s, s:s, s:o, s:o, s:s, s:i, s:o, s:b, s:s}", "name", unit->name, "stage", unit->stage,
        "slot", unit->slot < 0 ? json_null () : json_integer (unit->slot), "pid",
        alive ? json_integer (unit->child.pid) : json_null (), "state",
        mr_policy_state_name (unit->policy.state), "restarts", (int)unit->policy.restarts,
        "uptime_s", alive ? json_real (uptime) : json_null (), "managed", (int)unit->policy.wanted,
        "reason", unit->reason);
    return row;
}

static void
add_stage (json_t *rows, const mr_roster_t *roster, const char *stage)
{
    for (int slot = -1; slot < MR_SLOTS_MAX; slot++) {
        const mr_unit_t *unit = mr_roster_find (roster, stage, slot);
        if (unit != NULL && (unit->policy.state != MR_POLICY_STOPPED || unit->policy.wanted)) {
            json_array_append_new (rows, one (unit));
        }
    }
}

json_t *
mr_report_new (const mr_roster_t *roster, const mr_plan_t *plan)
{
    json_t *rows = json_array ();
    for (int i = 0; i < plan->stage_count; i++) {
        add_stage (rows, roster, plan->stages[i].name);
    }
    add_stage (rows, roster, "monitor");
    return json_pack ("{s:o}", "workers", rows);
}
