/* Who runs, and whether all is well. */
#include "monitor/report.h"

#include "common/base/clock.h"
#include "common/wire/jsonwriter.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static mr_status_t
finish (mr_jsonwriter_t *json, mr_buffer_t *out)
{
    mr_jsonwriter_close (json, '}');
    mr_status_t status = mr_jsonwriter_finish (json);
    return status == MR_OK ? mr_buffer_append (out, "\n", 1) : status;
}

static bool
is_in_chain (const mr_registry_t *registry, const char *stage)
{
    for (size_t i = 0; i < registry->chain_count; i++) {
        if (strcmp (registry->chain[i], stage) == 0) {
            return true;
        }
    }
    return false;
}

/* Only stages speak on the bus every second. */
static bool
is_silent (const mr_report_t *report, const mr_worker_info_t *worker, const mr_life_t *life)
{
    return worker->alive && is_in_chain (report->registry, worker->stage) &&
           mr_report_silent_ms (report, worker, life) >= MR_REGISTRY_SILENT_MS;
}

static void
write_life (mr_jsonwriter_t *json, const mr_life_t *life)
{
    mr_tallies_t tallies;
    if (mr_life_tallies (life, &tallies) != MR_OK) {
        return;
    }
    uint64_t errors = 0;
    for (size_t i = 0; i < tallies.count; i++) {
        errors += tallies.items[i].errors;
    }
    mr_jsonwriter_figure (json, "records_per_second", mr_rate_per_second (&life->records));
    mr_jsonwriter_u64 (json, "errors", errors);
    mr_jsonwriter_u64 (json, "blocked_ms", life->counters.blocked_ms);
    mr_jsonwriter_figure (json, "blocked_share", mr_rate_per_second (&life->blocked) / 1000);
    mr_jsonwriter_u64 (json, "callback_failures", life->counters.callback_failures);
    mr_jsonwriter_text (json, "waiting", life->counters.waiting);
    mr_jsonwriter_text (json, "failing", life->counters.failing);
    mr_jsonwriter_u64 (json, "missed_events", life->missed);
    mr_counters_write_operations (json, "operations", &tallies);
    mr_tallies_release (&tallies);
    if (life->counters.has_ledger) {
        mr_counters_write_ledger (json, "ledger", &life->counters.ledger);
    }
}

static void
write_worker (mr_jsonwriter_t *json, const mr_report_t *report, const mr_worker_info_t *worker)
{
    const mr_life_t *life = mr_registry_life (report->registry, worker);
    static const mr_life_t nothing_yet;
    int64_t age_ms = (report->wall_ns - worker->started_ns) / MR_NS_PER_MS;
    mr_jsonwriter_open (json, NULL, '{');
    mr_jsonwriter_text (json, "name", worker->name);
    mr_jsonwriter_text (json, "stage", worker->stage);
    if (worker->slot >= 0) {
        mr_jsonwriter_i64 (json, "slot", worker->slot);
    } else {
        mr_jsonwriter_null (json, "slot");
    }
    mr_jsonwriter_i64 (json, "pid", worker->pid);
    mr_jsonwriter_text (json, "state",
                        worker->alive ? mr_worker_state_name (worker->state) : "dead");
    mr_jsonwriter_hex (json, "incarnation", worker->incarnation);
    mr_jsonwriter_time (json, "started", worker->started_ns);
    mr_jsonwriter_i64 (json, "uptime_ms", worker->alive && age_ms > 0 ? age_ms : 0);
    mr_jsonwriter_bool (json, "silent", is_silent (report, worker, life));
    mr_jsonwriter_i64 (json, "silent_ms",
                       worker->alive ? mr_report_silent_ms (report, worker, life) : 0);
    write_life (json, life != NULL ? life : &nothing_yet);
    mr_jsonwriter_close (json, '}');
}

mr_status_t
mr_report_workers (const mr_report_t *report, mr_buffer_t *out)
{
    const mr_registry_t *registry = report->registry;
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, out);
    mr_jsonwriter_open (&json, NULL, '{');
    mr_jsonwriter_text (&json, "pipeline", report->pipeline);
    mr_jsonwriter_time (&json, "ts", report->wall_ns);
    mr_jsonwriter_open (&json, "stages", '[');
    for (size_t i = 0; i < registry->chain_count; i++) {
        mr_jsonwriter_open (&json, NULL, '{');
        mr_jsonwriter_text (&json, "name", registry->chain[i]);
        mr_jsonwriter_u64 (&json, "running", mr_report_running (report, registry->chain[i]));
        mr_jsonwriter_close (&json, '}');
    }
    mr_jsonwriter_close (&json, ']');
    mr_jsonwriter_open (&json, "workers", '[');
    for (size_t i = 0; i < registry->worker_count; i++) {
        write_worker (&json, report, &registry->workers[i]);
    }
    mr_jsonwriter_close (&json, ']');
    return finish (&json, out);
}

/* ---- /healthz ---- */

typedef struct health {
    mr_jsonwriter_t *json;
    bool healthy;
} health_t;

static void MR_PRINTF (2, 3) add_reason (health_t *health, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start (list, format);
    vsnprintf (text, sizeof text, format, list);
    va_end (list);
    mr_jsonwriter_text (health->json, NULL, text);
    health->healthy = false;
}

static void
check_worker (health_t *health, const mr_report_t *report, const mr_worker_info_t *worker)
{
    const mr_life_t *life = mr_registry_life (report->registry, worker);
    if (is_silent (report, worker, life)) {
        add_reason (health, "%s (pid %d) has said nothing for %" PRId64 " s", worker->name,
                    (int)worker->pid, mr_report_silent_ms (report, worker, life) / 1000);
    }
    if (life == NULL) {
        return;
    }
    if (life->counters.waiting[0] != '\0') {
        add_reason (health, "%s: %s", worker->name, life->counters.waiting);
    }
    if (life->counters.failing[0] != '\0') {
        add_reason (health, "%s: %s", worker->name, life->counters.failing);
    }
    if (!life->counters.has_ledger) {
        return;
    }
    const mr_ledger_t *ledger = &life->counters.ledger;
    uint64_t settled =
        ledger->exported + ledger->filtered + ledger->dead + ledger->dropped + ledger->lost;
    if (ledger->received != settled + ledger->in_flight) {
        add_reason (health,
                    "the ledger of %s does not balance: received %" PRIu64
                    ", accounted for %" PRIu64,
                    worker->name, ledger->received, settled + ledger->in_flight);
    }
}

mr_status_t
mr_report_health (const mr_report_t *report, mr_buffer_t *out, bool *ret_healthy)
{
    const mr_registry_t *registry = report->registry;
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, out);
    mr_jsonwriter_open (&json, NULL, '{');
    mr_jsonwriter_open (&json, "reasons", '[');
    health_t health = {.json = &json, .healthy = true};
    for (size_t i = 0; i < registry->chain_count; i++) {
        if (mr_report_running (report, registry->chain[i]) == 0) {
            add_reason (&health, "no worker of stage %s is running", registry->chain[i]);
        }
    }
    for (size_t i = 0; i < registry->worker_count; i++) {
        if (registry->workers[i].alive) {
            check_worker (&health, report, &registry->workers[i]);
        }
    }
    mr_jsonwriter_close (&json, ']');
    mr_jsonwriter_text (&json, "status", health.healthy ? "ok" : "failing");
    mr_status_t status = finish (&json, out);
    if (status == MR_OK) {
        *ret_healthy = health.healthy;
    }
    return status;
}
