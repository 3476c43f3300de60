/* report: what the registry knows, as JSON (/api/...), as Prometheus text (/metrics) and as one log
 * line. Every shape is whole before any traffic. Shapes: PROTOCOL.md, "Monitor". Pure. */
#ifndef MR_MONITOR_REPORT_H
#define MR_MONITOR_REPORT_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "monitor/registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mr_report {
    const mr_registry_t *registry;
    const char *pipeline;  /* its name */
    int64_t mono_ns;       /* now */
    int64_t wall_ns;       /* now */
    int64_t mono_start_ns; /* when the monitor began to listen */
} mr_report_t;

/* Each appends to `out` one JSON object and a newline. MR_INVALID: past the buffer's limit;
 * MR_SYSTEM: out of memory; `out` is then as it was. */

/* counts, records, errors, error_types, avg_duration, quantiles, rates, pipelines, monitor. */
MR_CHECK mr_status_t mr_report_metrics (const mr_report_t *report, mr_buffer_t *out);
/* The workers of all lock files, in the order of the chain, and the stages. */
MR_CHECK mr_status_t mr_report_workers (const mr_report_t *report, mr_buffer_t *out);
/* The user's metrics summed over workers. top: series a metric, the greatest first; 0: all. */
MR_CHECK mr_status_t mr_report_totals (const mr_report_t *report, size_t top, mr_buffer_t *out);
/* The last error events, newest first. */
MR_CHECK mr_status_t mr_report_errors (const mr_report_t *report, mr_buffer_t *out);
/* ret_healthy: whether no reason was found against it. */
MR_CHECK mr_status_t mr_report_health (const mr_report_t *report, mr_buffer_t *out,
                                       bool *ret_healthy);

/* Prometheus exposition format 0.0.4. */
MR_CHECK mr_status_t mr_report_prometheus (const mr_report_t *report, mr_buffer_t *out);

/* "metrics: received=… …", without a newline. */
MR_CHECK mr_status_t mr_report_line (const mr_report_t *report, mr_buffer_t *out);

/* For how long nothing was heard of a living worker since both it and the monitor were there.
 *   life  its, or NULL when it has said nothing yet */
int64_t mr_report_silent_ms (const mr_report_t *report, const mr_worker_info_t *worker,
                             const mr_life_t *life);

/* Living workers of a stage whose state is running. */
size_t mr_report_running (const mr_report_t *report, const char *stage);

#endif
