/* counters: one `counters.WORKER` event: what a worker has done in this life, cumulative. The
 * monitor's snapshot keeps its lives in the same form. Shapes: PROTOCOL.md, "Events". Pure. */
#ifndef MR_MONITOR_COUNTERS_H
#define MR_MONITOR_COUNTERS_H

#include "common/base/status.h"
#include "common/wire/jsonwriter.h"
#include "monitor/fields.h"
#include "monitor/tally.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Of an ingest worker, in records:
 * received = exported + filtered + dead + dropped + lost + in_flight. */
typedef struct mr_ledger {
    uint64_t received;
    uint64_t exported;
    uint64_t filtered;
    uint64_t dead;
    uint64_t dropped;
    uint64_t lost;
    uint64_t in_flight;
    uint64_t in_flight_batches;
} mr_ledger_t;

/* Of an exporter worker: end to end, from a batch's creation; quantiles of its last batches. */
typedef struct mr_latency {
    uint64_t count;
    double sum_ms;
    double p50_ms;
    double p95_ms;
    double p99_ms;
    double max_ms;
} mr_latency_t;

enum { MR_COUNTERS_TEXT_BYTES = 256 };

typedef struct mr_counters {
    mr_stamp_t stamp;
    char domain[MR_EVENT_NAME_BYTES];
    char state[MR_EVENT_NAME_BYTES];
    uint64_t pid;
    uint64_t slot;
    uint64_t uptime_ms;
    uint64_t blocked_ms; /* waited for room downstream */
    uint64_t callback_failures;
    char waiting[MR_COUNTERS_TEXT_BYTES]; /* why it takes nothing in; "" if it does */
    char failing[MR_COUNTERS_TEXT_BYTES]; /* what of it fails beside the flow: a sink */
    mr_tallies_t operations;              /* by operation: "handle"; owned */
    bool has_ledger;
    bool has_latency;
    mr_ledger_t ledger;
    mr_latency_t latency;
} mr_counters_t;

/* Read an event.
 *   ret_counters  uninitialised; on MR_OK to be released; untouched on failure
 * MR_INVALID: err names the member; MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_counters_decode (const json_t *event, mr_counters_t *ret_counters,
                                         mr_error_t *err);
void mr_counters_release (mr_counters_t *self);

/* The value of "operations": by key, count, records, errors and types. */
void mr_counters_write_operations (mr_jsonwriter_t *json, const char *key,
                                   const mr_tallies_t *operations);
MR_CHECK mr_status_t mr_counters_read_operations (const json_t *object, mr_tallies_t *ret_tallies,
                                                  mr_error_t *err);

void mr_counters_write_ledger (mr_jsonwriter_t *json, const char *key, const mr_ledger_t *ledger);
void mr_counters_read_ledger (const json_t *object, mr_ledger_t *ret_ledger, mr_fields_t *faults);

/* The same event again, with the keys and shapes that decode takes. */
void mr_counters_write (mr_jsonwriter_t *json, const char *key, const mr_counters_t *counters);

#endif
