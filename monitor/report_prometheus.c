/* /metrics: our own figures, named millrace_*, then the user's. */
#include "monitor/prometheus.h"
#include "monitor/report.h"

#include "common/base/clock.h"

#include <string.h>

/* "processor.handle" -> domain="processor",operation="handle" */
static void
append_operation (mr_exposition_t *text, const char *family, const char *key)
{
    size_t domain = strcspn (key, ".");
    mr_exposition_printf (text, "%s{domain=\"%.*s\",operation=\"%s\"", family, (int)domain, key,
                          key[domain] == '.' ? key + domain + 1 : "");
}

typedef enum tally_field { FIELD_COUNT, FIELD_RECORDS, FIELD_ERRORS } tally_field_t;

static uint64_t
field_of (const mr_tally_t *tally, tally_field_t field)
{
    switch (field) {
    case FIELD_COUNT:
        return tally->count;
    case FIELD_RECORDS:
        return tally->records;
    case FIELD_ERRORS:
        return tally->errors;
    }
    MR_ASSERT (!"tally field");
}

static void
append_tallies (mr_exposition_t *text, const mr_tallies_t *sum)
{
    static const struct {
        const char *family;
        const char *help;
        tally_field_t field;
    } rows[] = {
        {"millrace_operations_total", "Operations, one a batch", FIELD_COUNT},
        {"millrace_records_total", "Records of those operations", FIELD_RECORDS},
        {"millrace_errors_total", "Error events, one for each error type of a batch", FIELD_ERRORS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        mr_exposition_family (text, rows[i].family, "counter", rows[i].help);
        for (size_t j = 0; j < sum->count; j++) {
            append_operation (text, rows[i].family, sum->items[j].key);
            mr_exposition_printf (text, "} ");
            mr_exposition_number (text, (double)field_of (&sum->items[j], rows[i].field));
        }
    }
    static const char failed[] = "millrace_failed_records_total";
    mr_exposition_family (text, failed, "counter", "Records that failed, by error type");
    for (size_t i = 0; i < sum->count; i++) {
        for (size_t j = 0; j < sum->items[i].type_count; j++) {
            append_operation (text, failed, sum->items[i].key);
            mr_exposition_printf (text, ",error_type=\"%s\"} ", sum->items[i].types[j].name);
            mr_exposition_number (text, (double)sum->items[i].types[j].count);
        }
    }
}

static void
append_durations (mr_exposition_t *text, const mr_registry_t *registry)
{
    static const char family[] = "millrace_operation_duration_seconds";
    mr_exposition_family (text, family, "summary",
                          "Duration of operations; quantiles of the last 1000");
    for (size_t i = 0; i < registry->operation_count; i++) {
        const mr_operation_t *operation = registry->operations[i];
        mr_quantiles_t quantiles;
        mr_durations_quantiles (&operation->durations, &quantiles);
        const struct {
            const char *quantile;
            double ms;
        } rows[] = {{"0.5", quantiles.p50}, {"0.95", quantiles.p95}, {"0.99", quantiles.p99}};
        for (size_t j = 0; j < sizeof rows / sizeof rows[0]; j++) {
            append_operation (text, family, operation->key);
            mr_exposition_printf (text, ",quantile=\"%s\"} ", rows[j].quantile);
            mr_exposition_number (text, rows[j].ms / 1000);
        }
        append_operation (text, "millrace_operation_duration_seconds_sum", operation->key);
        mr_exposition_printf (text, "} ");
        mr_exposition_number (text, operation->durations.sum_ms / 1000);
        append_operation (text, "millrace_operation_duration_seconds_count", operation->key);
        mr_exposition_printf (text, "} ");
        mr_exposition_number (text, (double)operation->durations.count);
    }
}

static void
append_figure (mr_exposition_t *text, const char *family, const char *type, const char *help,
               double value)
{
    mr_exposition_family (text, family, type, help);
    mr_exposition_printf (text, "%s ", family);
    mr_exposition_number (text, value);
}

static void
append_latency (mr_exposition_t *text, const mr_latency_t *latency)
{
    static const char family[] = "millrace_pipeline_latency_seconds";
    mr_exposition_family (
        text, family, "summary",
        "From a batch's creation to its last sink; quantiles of the last batches");
    const struct {
        const char *quantile;
        double ms;
    } rows[] = {{"0.5", latency->p50_ms}, {"0.95", latency->p95_ms}, {"0.99", latency->p99_ms}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        mr_exposition_printf (text, "%s{quantile=\"%s\"} ", family, rows[i].quantile);
        mr_exposition_number (text, rows[i].ms / 1000);
    }
    mr_exposition_printf (text, "%s_sum ", family);
    mr_exposition_number (text, latency->sum_ms / 1000);
    mr_exposition_printf (text, "%s_count ", family);
    mr_exposition_number (text, (double)latency->count);
}

static void
append_pipeline (mr_exposition_t *text, const mr_registry_t *registry)
{
    mr_pipeline_t pipeline;
    mr_registry_pipeline (registry, &pipeline);
    const mr_ledger_t *ledger = &pipeline.ledger;
    const struct {
        const char *family;
        const char *type;
        const char *help;
        uint64_t value;
    } rows[] = {
        {"millrace_pipeline_received_records_total", "counter", "Records taken in",
         ledger->received},
        {"millrace_pipeline_completed_records_total", "counter",
         "Records that were exported or filtered", pipeline.completed},
        {"millrace_pipeline_failed_records_total", "counter", "Records that became dead letters",
         pipeline.failed},
        {"millrace_pipeline_exported_records_total", "counter", "Records exported",
         ledger->exported},
        {"millrace_pipeline_filtered_records_total", "counter", "Records that a filter took out",
         ledger->filtered},
        {"millrace_pipeline_dropped_records_total", "counter", "Records dropped by a policy",
         ledger->dropped},
        {"millrace_pipeline_in_flight_records", "gauge", "Records between ingest and exporter",
         ledger->in_flight},
        {"millrace_pipeline_in_flight_batches", "gauge", "Batches between ingest and exporter",
         ledger->in_flight_batches},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        append_figure (text, rows[i].family, rows[i].type, rows[i].help, (double)rows[i].value);
    }
    append_latency (text, &pipeline.latency);
}

static void
append_worker (mr_exposition_t *text, const char *family, const mr_worker_info_t *worker)
{
    mr_exposition_printf (text, "%s{worker=\"%s\",stage=\"%s\"} ", family, worker->name,
                          worker->stage);
}

static void
append_workers (mr_exposition_t *text, const mr_report_t *report)
{
    const mr_registry_t *registry = report->registry;
    static const char up[] = "millrace_worker_up";
    mr_exposition_family (text, up, "gauge", "Whether a worker that has a lock file lives");
    for (size_t i = 0; i < registry->worker_count; i++) {
        append_worker (text, up, &registry->workers[i]);
        mr_exposition_number (text, registry->workers[i].alive);
    }
    static const char started[] = "millrace_worker_start_time_seconds";
    mr_exposition_family (text, started, "gauge", "When a worker was started, since 1970");
    for (size_t i = 0; i < registry->worker_count; i++) {
        append_worker (text, started, &registry->workers[i]);
        mr_exposition_number (text, (double)registry->workers[i].started_ns / 1e9);
    }
    static const char blocked[] = "millrace_worker_blocked_seconds_total";
    mr_exposition_family (text, blocked, "counter", "Time spent waiting for room downstream");
    for (size_t i = 0; i < registry->worker_count; i++) {
        const mr_life_t *life = mr_registry_life (registry, &registry->workers[i]);
        append_worker (text, blocked, &registry->workers[i]);
        mr_exposition_number (text, life != NULL ? (double)life->counters.blocked_ms / 1000 : 0);
    }
    static const char running[] = "millrace_stage_workers";
    mr_exposition_family (text, running, "gauge", "Running workers of a stage");
    for (size_t i = 0; i < registry->chain_count; i++) {
        mr_exposition_printf (text, "%s{stage=\"%s\"} ", running, registry->chain[i]);
        mr_exposition_number (text, (double)mr_report_running (report, registry->chain[i]));
    }
}

static void
append_monitor (mr_exposition_t *text, const mr_report_t *report)
{
    const mr_registry_t *registry = report->registry;
    append_figure (text, "millrace_monitor_events_total", "counter", "Events taken in",
                   (double)registry->events);
    append_figure (text, "millrace_monitor_malformed_events_total", "counter", "Events refused",
                   (double)registry->malformed);
    append_figure (text, "millrace_monitor_missed_events_total", "counter",
                   "Events that were sent and did not arrive", (double)registry->missed);
    append_figure (text, "millrace_monitor_start_time_seconds", "gauge",
                   "When the monitor began to listen, since 1970",
                   (double)(report->wall_ns - (report->mono_ns - report->mono_start_ns)) / 1e9);
    mr_exposition_family (text, "millrace_build_info", "gauge", "The version that runs");
    mr_exposition_printf (text, "millrace_build_info{version=\"%s\"} 1\n", MR_VERSION);
}

mr_status_t
mr_report_prometheus (const mr_report_t *report, mr_buffer_t *out)
{
    const mr_registry_t *registry = report->registry;
    mr_tallies_t tallies;
    mr_totals_t *totals = NULL;
    size_t start = out->size;
    mr_status_t status = mr_registry_tallies (registry, &tallies);
    if (status != MR_OK) {
        return status;
    }
    status = mr_totals_sum ((const mr_totals_t *const *)registry->totals, registry->totals_count,
                            &totals);
    if (status != MR_OK) {
        mr_tallies_release (&tallies);
        return status;
    }
    mr_exposition_t text = {.out = out, .status = MR_OK};
    append_tallies (&text, &tallies);
    append_durations (&text, registry);
    append_pipeline (&text, registry);
    append_workers (&text, report);
    append_monitor (&text, report);
    mr_exposition_totals (&text, totals);
    mr_tallies_release (&tallies);
    mr_totals_destroy (&totals);
    if (text.status != MR_OK) {
        out->size = start;
    }
    return text.status;
}
