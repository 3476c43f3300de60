#include "monitor/report.h"

#include "common/base/clock.h"
#include "common/wire/jsonwriter.h"

#include <stdio.h>
#include <string.h>

static mr_status_t
finish (mr_jsonwriter_t *json, mr_buffer_t *out)
{
    mr_jsonwriter_close (json, '}');
    mr_status_t status = mr_jsonwriter_finish (json);
    return status == MR_OK ? mr_buffer_append (out, "\n", 1) : status;
}

int64_t
mr_report_silent_ms (const mr_report_t *report, const mr_worker_info_t *worker,
                     const mr_life_t *life)
{
    int64_t silent_ns = report->mono_ns - report->mono_start_ns;
    int64_t aged_ns = report->wall_ns - worker->started_ns;
    silent_ns = aged_ns < silent_ns ? aged_ns : silent_ns;
    if (life != NULL && life->seen_ns != 0 && report->mono_ns - life->seen_ns < silent_ns) {
        silent_ns = report->mono_ns - life->seen_ns;
    }
    return silent_ns > 0 ? silent_ns / MR_NS_PER_MS : 0;
}

size_t
mr_report_running (const mr_report_t *report, const char *stage)
{
    size_t running = 0;
    for (size_t i = 0; i < report->registry->worker_count; i++) {
        const mr_worker_info_t *worker = &report->registry->workers[i];
        running += worker->alive && worker->state == MR_WORKER_RUNNING &&
                   strcmp (worker->stage, stage) == 0;
    }
    return running;
}

/* ---- /api/metrics ---- */

static void
write_tallies (mr_jsonwriter_t *json, const mr_tallies_t *sum)
{
    mr_jsonwriter_open (json, "counts", '{');
    for (size_t i = 0; i < sum->count; i++) {
        mr_jsonwriter_u64 (json, sum->items[i].key, sum->items[i].count);
    }
    mr_jsonwriter_close (json, '}');
    mr_jsonwriter_open (json, "records", '{');
    for (size_t i = 0; i < sum->count; i++) {
        mr_jsonwriter_u64 (json, sum->items[i].key, sum->items[i].records);
    }
    mr_jsonwriter_close (json, '}');
    mr_jsonwriter_open (json, "errors", '{');
    for (size_t i = 0; i < sum->count; i++) {
        mr_jsonwriter_u64 (json, sum->items[i].key, sum->items[i].errors);
    }
    mr_jsonwriter_close (json, '}');
    mr_jsonwriter_open (json, "error_types", '{');
    for (size_t i = 0; i < sum->count; i++) {
        mr_jsonwriter_open (json, sum->items[i].key, '{');
        for (size_t j = 0; j < sum->items[i].type_count; j++) {
            const mr_tally_type_t *type = &sum->items[i].types[j];
            mr_jsonwriter_u64 (json, type->name, type->count);
        }
        mr_jsonwriter_close (json, '}');
    }
    mr_jsonwriter_close (json, '}');
}

static void
write_durations (mr_jsonwriter_t *json, const mr_registry_t *registry)
{
    mr_quantiles_t quantiles;
    mr_jsonwriter_open (json, "avg_duration", '{');
    for (size_t i = 0; i < registry->operation_count; i++) {
        mr_durations_quantiles (&registry->operations[i]->durations, &quantiles);
        mr_jsonwriter_figure (json, registry->operations[i]->key, quantiles.avg);
    }
    mr_jsonwriter_close (json, '}');
    mr_jsonwriter_open (json, "quantiles", '{');
    for (size_t i = 0; i < registry->operation_count; i++) {
        mr_durations_quantiles (&registry->operations[i]->durations, &quantiles);
        mr_jsonwriter_open (json, registry->operations[i]->key, '{');
        mr_jsonwriter_figure (json, "p50", quantiles.p50);
        mr_jsonwriter_figure (json, "p95", quantiles.p95);
        mr_jsonwriter_figure (json, "p99", quantiles.p99);
        mr_jsonwriter_figure (json, "max", quantiles.max);
        mr_jsonwriter_close (json, '}');
    }
    mr_jsonwriter_close (json, '}');
}

static void
write_rates (mr_jsonwriter_t *json, const mr_registry_t *registry)
{
    mr_jsonwriter_open (json, "rates", '{');
    for (size_t i = 0; i < registry->operation_count; i++) {
        const mr_operation_t *operation = registry->operations[i];
        mr_jsonwriter_open (json, operation->key, '{');
        mr_jsonwriter_figure (json, "batches", mr_rate_per_second (&operation->batches));
        mr_jsonwriter_figure (json, "records", mr_rate_per_second (&operation->records));
        mr_jsonwriter_close (json, '}');
    }
    mr_jsonwriter_close (json, '}');
}

static void
write_latency (mr_jsonwriter_t *json, const mr_latency_t *latency)
{
    mr_jsonwriter_open (json, "latency", '{');
    mr_jsonwriter_u64 (json, "count", latency->count);
    mr_jsonwriter_figure (json, "avg",
                          latency->count > 0 ? latency->sum_ms / (double)latency->count : 0);
    mr_jsonwriter_figure (json, "p50", latency->p50_ms);
    mr_jsonwriter_figure (json, "p95", latency->p95_ms);
    mr_jsonwriter_figure (json, "p99", latency->p99_ms);
    mr_jsonwriter_figure (json, "max", latency->max_ms);
    mr_jsonwriter_close (json, '}');
}

static void
write_pipelines (mr_jsonwriter_t *json, const mr_registry_t *registry)
{
    mr_pipeline_t pipeline;
    mr_registry_pipeline (registry, &pipeline);
    mr_jsonwriter_open (json, "pipelines", '{');
    mr_jsonwriter_u64 (json, "completed", pipeline.completed);
    mr_jsonwriter_u64 (json, "failed", pipeline.failed);
    mr_jsonwriter_u64 (json, "in_flight", pipeline.ledger.in_flight);
    mr_jsonwriter_u64 (json, "in_flight_batches", pipeline.ledger.in_flight_batches);
    mr_jsonwriter_u64 (json, "received", pipeline.ledger.received);
    mr_jsonwriter_u64 (json, "exported", pipeline.ledger.exported);
    mr_jsonwriter_u64 (json, "filtered", pipeline.ledger.filtered);
    mr_jsonwriter_u64 (json, "dead", pipeline.ledger.dead);
    mr_jsonwriter_u64 (json, "dropped", pipeline.ledger.dropped);
    mr_jsonwriter_figure (json, "received_per_second", mr_rate_per_second (&registry->received));
    write_latency (json, &pipeline.latency);
    mr_jsonwriter_close (json, '}');
}

static void
write_monitor (mr_jsonwriter_t *json, const mr_report_t *report)
{
    const mr_registry_t *registry = report->registry;
    mr_jsonwriter_open (json, "monitor", '{');
    mr_jsonwriter_text (json, "version", MR_VERSION);
    mr_jsonwriter_i64 (json, "uptime_ms", (report->mono_ns - report->mono_start_ns) / MR_NS_PER_MS);
    mr_jsonwriter_u64 (json, "events", registry->events);
    mr_jsonwriter_u64 (json, "malformed_events", registry->malformed);
    mr_jsonwriter_u64 (json, "missed_events", registry->missed);
    mr_jsonwriter_u64 (json, "late_events", registry->late);
    mr_jsonwriter_close (json, '}');
}

static void
write_head (mr_jsonwriter_t *json, const mr_report_t *report)
{
    mr_jsonwriter_open (json, NULL, '{');
    mr_jsonwriter_text (json, "pipeline", report->pipeline);
    mr_jsonwriter_time (json, "ts", report->wall_ns);
}

mr_status_t
mr_report_metrics (const mr_report_t *report, mr_buffer_t *out)
{
    mr_tallies_t sum;
    mr_status_t status = mr_registry_tallies (report->registry, &sum);
    if (status != MR_OK) {
        return status;
    }
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, out);
    write_head (&json, report);
    write_tallies (&json, &sum);
    mr_tallies_release (&sum);
    write_durations (&json, report->registry);
    write_rates (&json, report->registry);
    write_pipelines (&json, report->registry);
    write_monitor (&json, report);
    return finish (&json, out);
}

/* ---- /api/totals, /api/errors ---- */

mr_status_t
mr_report_totals (const mr_report_t *report, size_t top, mr_buffer_t *out)
{
    mr_totals_t *sum = NULL;
    mr_status_t status = mr_totals_sum ((const mr_totals_t *const *)report->registry->totals,
                                        report->registry->totals_count, &sum);
    if (status != MR_OK) {
        return status;
    }
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, out);
    write_head (&json, report);
    mr_totals_write_metrics (&json, sum, top);
    mr_totals_destroy (&sum);
    return finish (&json, out);
}

mr_status_t
mr_report_errors (const mr_report_t *report, mr_buffer_t *out)
{
    const mr_registry_t *registry = report->registry;
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, out);
    write_head (&json, report);
    mr_jsonwriter_open (&json, "errors", '[');
    uint64_t count = registry->failure_count < MR_REGISTRY_FAILURES ? registry->failure_count
                                                                    : MR_REGISTRY_FAILURES;
    for (uint64_t i = 1; i <= count; i++) {
        const mr_event_t *event =
            &registry->failures[(registry->failure_count - i) % MR_REGISTRY_FAILURES];
        mr_jsonwriter_open (&json, NULL, '{');
        mr_jsonwriter_time (&json, "ts", event->ts_ns);
        mr_jsonwriter_text (&json, "worker", event->worker);
        mr_jsonwriter_text (&json, "domain", event->domain);
        mr_jsonwriter_text (&json, "operation", event->operation);
        mr_jsonwriter_text (&json, "error_type", event->error_type);
        mr_jsonwriter_u64 (&json, "count", event->count);
        mr_jsonwriter_text (&json, "message", event->message);
        mr_jsonwriter_text (&json, "sample", event->sample);
        mr_jsonwriter_close (&json, '}');
    }
    mr_jsonwriter_close (&json, ']');
    return finish (&json, out);
}

/* ---- the log line ---- */

static mr_status_t
append_stages (const mr_report_t *report, mr_buffer_t *out)
{
    mr_status_t status = mr_buffer_printf (out, " workers=");
    for (size_t i = 0; status == MR_OK && i < report->registry->chain_count; i++) {
        const char *stage = report->registry->chain[i];
        status = mr_buffer_printf (out, "%s%s:%zu", i == 0 ? "" : ",", stage,
                                   mr_report_running (report, stage));
    }
    return status;
}

mr_status_t
mr_report_line (const mr_report_t *report, mr_buffer_t *out)
{
    const mr_registry_t *registry = report->registry;
    mr_tallies_t sum;
    mr_status_t status = mr_registry_tallies (registry, &sum);
    if (status != MR_OK) {
        return status;
    }
    uint64_t errors = 0;
    for (size_t i = 0; i < sum.count; i++) {
        errors += sum.items[i].errors;
    }
    mr_tallies_release (&sum);
    mr_pipeline_t pipeline;
    mr_registry_pipeline (registry, &pipeline);
    status = mr_buffer_printf (
        out,
        "metrics: received=%llu completed=%llu failed=%llu dropped=%llu in_flight=%llu "
        "rate=%.0f/s errors=%llu latency_p50_ms=%.2f latency_p99_ms=%.2f missed=%llu "
        "malformed=%llu",
        (unsigned long long)pipeline.ledger.received, (unsigned long long)pipeline.completed,
        (unsigned long long)pipeline.failed, (unsigned long long)pipeline.ledger.dropped,
        (unsigned long long)pipeline.ledger.in_flight, mr_rate_per_second (&registry->received),
        (unsigned long long)errors, pipeline.latency.p50_ms, pipeline.latency.p99_ms,
        (unsigned long long)registry->missed, (unsigned long long)registry->malformed);
    return status == MR_OK ? append_stages (report, out) : status;
}
