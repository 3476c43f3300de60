#include "launcher/gather.h"

#include "common/base/clock.h"
#include "common/base/slots.h"
#include "launcher/client.h"
#include "launcher/httpget.h"
#include "launcher/scalefile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_MS = 1000, REPLY_MAX_BYTES = 8 << 20 };

/* A stage counts as held back when it spends this share of its time waiting for room. */
#define BLOCKED_SHARE 0.10

static json_t *
find_row (const json_t *rows, const char *name)
{
    size_t index;
    json_t *row;
    json_array_foreach (rows, index, row)
    {
        const char *other = json_string_value (json_object_get (row, "name"));
        if (other != NULL && strcmp (other, name) == 0) {
            return row;
        }
    }
    return NULL;
}

static json_t *
new_row (json_t *rows, const char *name, const char *stage, int slot)
{
    json_t *row =
        json_pack ("{s:s,s:s,s:o,s:n,s:s,s:n,s:n,s:n,s:n,s:n,s:b,s:s,s:s,s:s}", "name", name,
                   "stage", stage, "slot", slot < 0 ? json_null () : json_integer (slot), "pid",
                   "state", "dead", "uptime_s", "restarts", "records_per_second", "errors",
                   "blocked_percent", "managed", 0, "reason", "", "waiting", "", "failing", "");
    json_array_append_new (rows, row);
    return row;
}

typedef struct scan {
    mr_plan_t plan; /* with what `scale` changed */
    json_t *rows;
} scan_t;

/* One that is dead is missed only where there should be one: a lock file stays, whatever becomes of
 * the configuration. */
static bool
is_missed (const mr_plan_t *plan, const mr_worker_info_t *info)
{
    int stage = mr_plan_find (plan, info->stage);
    return info->slot < 0 || (stage >= 0 && info->slot < plan->stages[stage].workers);
}

static void
add_lock (const mr_worker_info_t *info, void *arg)
{
    const scan_t *scan = arg;
    if (!info->alive && !is_missed (&scan->plan, info)) {
        return;
    }
    json_t *row = new_row (scan->rows, info->name, info->stage, info->slot);
    if (info->alive) {
        double uptime = (double)(mr_clock_wall_ns () - info->started_ns) / (double)MR_NS_PER_S;
        json_object_set_new (row, "pid", json_integer (info->pid));
        json_object_set_new (row, "state", json_string (mr_worker_state_name (info->state)));
        json_object_set_new (row, "uptime_s", json_real (uptime > 0 ? uptime : 0));
    }
}

/* ---- the launcher's view ---- */

static bool
ask_launcher (const mr_plan_t *plan, json_t *whole, json_t *rows)
{
    mr_error_t err;
    json_t *answer = NULL;
    mr_client_ask_t ask = {
        .request = json_pack ("{s:s}", "command", "status"),
        .timeout_ms = ASK_MS,
    };
    if (mr_client_ask (plan, &ask, &answer, &err) != MR_EXIT_OK) {
        json_decref (answer);
        return false;
    }
    size_t index;
    const json_t *theirs;
    json_t *config = json_object_get (answer, "config");
    if (config != NULL) {
        json_object_set (whole, "config", config);
    }
    static const char *const keys[] = {"state", "restarts", "managed", "reason"};
    json_array_foreach (json_object_get (answer, "workers"), index, theirs)
    {
        const char *name = json_string_value (json_object_get (theirs, "name"));
        const char *stage = json_string_value (json_object_get (theirs, "stage"));
        const json_t *slot = json_object_get (theirs, "slot");
        if (name == NULL || stage == NULL) {
            continue;
        }
        json_t *row = find_row (rows, name);
        if (row == NULL) {
            row = new_row (rows, name, stage,
                           json_is_integer (slot) ? (int)json_integer_value (slot) : -1);
        }
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            json_object_set (row, keys[i], json_object_get (theirs, keys[i]));
        }
    }
    json_decref (answer);
    return true;
}

/* ---- the monitor's view ---- */

static json_t *
fetch (const char *http, const char *path)
{
    mr_buffer_t body;
    json_t *object = NULL;
    mr_buffer_init (&body, REPLY_MAX_BYTES);
    if (mr_httpget (http, path, ASK_MS, &body) == MR_OK) {
        object = json_loadb (body.data, body.size, JSON_ALLOW_NUL, NULL);
    }
    mr_buffer_release (&body);
    return object;
}

static void
merge_rates (json_t *rows, const json_t *workers)
{
    size_t index;
    const json_t *theirs;
    json_array_foreach (workers, index, theirs)
    {
        const char *name = json_string_value (json_object_get (theirs, "name"));
        json_t *row = name != NULL ? find_row (rows, name) : NULL;
        const json_t *pid = json_object_get (theirs, "pid");
        if (row == NULL || !json_equal (pid, json_object_get (row, "pid"))) {
            continue;
        }
        json_object_set (row, "records_per_second", json_object_get (theirs, "records_per_second"));
        json_object_set (row, "errors", json_object_get (theirs, "errors"));
        json_object_set (row, "waiting", json_object_get (theirs, "waiting"));
        json_object_set (row, "failing", json_object_get (theirs, "failing"));
        const json_t *blocked = json_object_get (theirs, "blocked_share");
        if (json_is_number (blocked)) {
            json_object_set_new (row, "blocked_percent",
                                 json_real (100 * json_number_value (blocked)));
        }
    }
}

static bool
ask_monitor (const mr_config_t *config, json_t *whole, json_t *rows)
{
    const char *http = mr_config_text (mr_config_section (config, "monitor"), "http");
    if (http == NULL || strcmp (http, "off") == 0) {
        return false;
    }
    json_t *workers = fetch (http, "/api/workers");
    json_t *metrics = workers != NULL ? fetch (http, "/api/metrics") : NULL;
    if (workers != NULL) {
        merge_rates (rows, json_object_get (workers, "workers"));
    }
    const json_t *pipelines = json_object_get (metrics, "pipelines");
    json_t *in_flight = json_object_get (pipelines, "in_flight");
    if (in_flight != NULL) {
        json_object_set (whole, "in_flight", in_flight);
    }
    json_decref (metrics);
    json_decref (workers);
    return workers != NULL;
}

/* ---- what follows from it ---- */

static int
rank_of (const mr_plan_t *plan, const json_t *row)
{
    const char *stage = json_string_value (json_object_get (row, "stage"));
    int index = mr_plan_find (plan, stage);
    if (index >= 0) {
        return index;
    }
    return MR_PLAN_MAX_STAGES + (strcmp (stage, "monitor") == 0    ? 1
                                 : strcmp (stage, "launcher") == 0 ? 2
                                                                   : 0);
}

static json_t *
sorted (const mr_plan_t *plan, const json_t *rows)
{
    json_t *result = json_array ();
    for (int rank = 0; rank <= MR_PLAN_MAX_STAGES + 2; rank++) {
        for (int slot = -1; slot < MR_SLOTS_MAX; slot++) {
            size_t index;
            json_t *row;
            json_array_foreach (rows, index, row)
            {
                const json_t *at = json_object_get (row, "slot");
                int row_slot = json_is_integer (at) ? (int)json_integer_value (at) : -1;
                if (rank_of (plan, row) == rank && row_slot == slot) {
                    json_array_append (result, row);
                }
            }
        }
    }
    return result;
}

/* A blocked worker waits for the stage after it: the last stage that is blocked points at the one
 * that holds the flow back. With nothing in flight it was one that did. */
static void
find_brake (const mr_plan_t *plan, json_t *whole, const json_t *rows)
{
    size_t index;
    const json_t *row;
    const json_t *in_flight = json_object_get (whole, "in_flight");
    bool idle = json_is_number (in_flight) && json_number_value (in_flight) <= 0;
    int blocked_rank = -1;
    double rate = 0;
    bool known = false;
    json_array_foreach (rows, index, row)
    {
        int rank = rank_of (plan, row);
        const json_t *blocked = json_object_get (row, "blocked_percent");
        const json_t *records = json_object_get (row, "records_per_second");
        if (rank + 1 < plan->stage_count && rank > blocked_rank &&
            json_number_value (blocked) >= 100 * BLOCKED_SHARE) {
            blocked_rank = rank;
        }
        if (rank == 0 && json_is_number (records)) {
            known = true;
            rate += json_number_value (records);
        }
    }
    json_object_set_new (whole, "held_by",
                         blocked_rank < 0 || idle
                             ? json_null ()
                             : json_string (plan->stages[blocked_rank + 1].name));
    json_object_set_new (whole, "records_per_second", known ? json_real (rate) : json_null ());
}

json_t *
mr_gather (const mr_config_t *config, const mr_plan_t *plan)
{
    json_t *rows = json_array ();
    json_t *whole = json_pack ("{s:s,s:n,s:n,s:n,s:n}", "pipeline", plan->name, "config",
                               "in_flight", "held_by", "records_per_second");
    scan_t scan = {.plan = *plan, .rows = rows};
    (void)mr_scalefile_read (&scan.plan);
    (void)!mr_worker_each (plan->run_dir, add_lock, &scan, NULL);
    json_object_set_new (whole, "launcher", json_boolean (ask_launcher (plan, whole, rows)));
    json_object_set_new (whole, "monitor", json_boolean (ask_monitor (config, whole, rows)));
    find_brake (plan, whole, rows);
    json_object_set_new (whole, "workers", sorted (plan, rows));
    json_decref (rows);
    return whole;
}
