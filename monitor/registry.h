/* registry: all that the monitor knows, from events and lock files handed in. Pure: no sockets, no
 * files, no clock. The reports read the structures directly; only the functions here change them.
 * Not thread safe.
 *
 * Totals are right though events can be missed: a `counters` event replaces what is known of that
 * life of that worker, and success and error events that come after it add to it until the next
 * one. Lives that ended are summed up and forgotten one by one when there are many.
 * Durations come from success events alone. */
#ifndef MR_MONITOR_REGISTRY_H
#define MR_MONITOR_REGISTRY_H

#include "common/base/status.h"
#include "common/runtime/worker.h"
#include "common/wire/event.h"
#include "monitor/counters.h"
#include "monitor/durations.h"
#include "monitor/tally.h"
#include "monitor/totals.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_REGISTRY_STAGES = 16,      /* in the chain */
    MR_REGISTRY_ENDED = 64,       /* lives that ended and are still known one by one */
    MR_REGISTRY_FORGOTTEN = 256,  /* incarnations whose late events are refused */
    MR_REGISTRY_FAILURES = 50,    /* the last error events */
    MR_REGISTRY_TOTALS = 256,     /* workers whose metric totals are kept */
    MR_REGISTRY_SILENT_MS = 5000, /* a living worker that says nothing for so long is silent */
};

/* One life of a worker, by its events. */
typedef struct mr_life {
    mr_counters_t counters; /* the last one; all 0 but the stamp before the first */
    mr_tallies_t since;     /* by events that came after it */
    uint64_t last_seq;      /* of any event */
    uint64_t missed;        /* event_seq jumped over so many while we listened */
    int64_t seen_ns;        /* monotonic, last event; 0: known from the snapshot only */
    mr_rate_t records;      /* of the operation with the most records */
    mr_rate_t blocked;      /* ms */
    mr_tallies_t noted;     /* at the last tick */
    uint64_t noted_received;
    bool is_noted;
    bool from_start; /* we heard its first event */
} mr_life_t;

typedef struct mr_operation {
    char key[MR_TALLY_KEY_BYTES]; /* "processor.handle" */
    mr_durations_t durations;
    uint64_t grown_batches; /* while we watched */
    uint64_t grown_records;
    mr_rate_t batches; /* of those */
    mr_rate_t records;
} mr_operation_t;

/* The whole pipeline, in records. */
typedef struct mr_pipeline {
    mr_ledger_t ledger;   /* in flight: of the latest life of each ingest worker */
    uint64_t completed;   /* exported + filtered */
    uint64_t failed;      /* dead */
    mr_latency_t latency; /* quantiles: the highest of the living exporters' */
} mr_pipeline_t;

typedef struct mr_registry {
    char chain[MR_REGISTRY_STAGES][MR_EVENT_NAME_BYTES];
    size_t chain_count;
    mr_worker_info_t *workers; /* the lock files, sorted by place in the chain and slot */
    size_t worker_count;
    mr_life_t **lives;
    size_t life_count;
    mr_tallies_t ended; /* of forgotten lives, by "domain.operation" */
    mr_ledger_t ended_ledger;
    mr_latency_t ended_latency;
    mr_operation_t **operations; /* the known ones of the chain first */
    size_t operation_count;
    mr_totals_t *totals[MR_REGISTRY_TOTALS]; /* the last of each worker */
    size_t totals_count;
    mr_event_t failures[MR_REGISTRY_FAILURES];
    uint64_t failure_count; /* ever; the newest stands at (failure_count - 1) % FAILURES */
    uint64_t forgotten[MR_REGISTRY_FORGOTTEN];
    uint64_t forgotten_count;
    uint64_t grown_received;
    mr_rate_t received;
    uint64_t events;    /* taken in, malformed ones not among them */
    uint64_t malformed; /* refused */
    uint64_t missed;    /* over all lives */
    uint64_t late;      /* of a life that is forgotten, or older than what is known */
} mr_registry_t;

/* Two frames of the bus. */
typedef struct mr_raw_event {
    const char *topic; /* terminated */
    const char *json;  /* not terminated */
    size_t bytes;
} mr_raw_event_t;

/* Nothing known yet but the chain and its operations, all at 0.
 *   stages  `count` (1 .. MR_REGISTRY_STAGES) names in the order of the flow
 * MR_INVALID: a name or too many; MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_registry_new (const char *const *stages, size_t count,
                                      mr_registry_t **ret_registry, mr_error_t *err);
void mr_registry_destroy (mr_registry_t **self_p);

/* One event from the bus. mono_ns: now.
 * MR_OK; MR_INVALID: counted as malformed, err says why; MR_SYSTEM: out of memory, dropped. */
MR_CHECK mr_status_t mr_registry_event (mr_registry_t *self, const mr_raw_event_t *event,
                                        int64_t mono_ns, mr_error_t *err);

/* Replace what the lock files say. MR_SYSTEM: out of memory, what was known stays. */
MR_CHECK mr_status_t mr_registry_workers (mr_registry_t *self, const mr_worker_info_t *workers,
                                          size_t count);

/* At the start, then about once a second: rates. What was done before we heard of a life is no
 * growth. */
void mr_registry_tick (mr_registry_t *self, int64_t mono_ns);

/* Sum over all lives, by "domain.operation"; every operation known is there, if only with 0.
 *   ret_tallies  uninitialised; on MR_OK to be released */
MR_CHECK mr_status_t mr_registry_tallies (const mr_registry_t *self, mr_tallies_t *ret_tallies);
void mr_registry_pipeline (const mr_registry_t *self, mr_pipeline_t *ret_pipeline);

/* What this life did so far. ret_tallies: uninitialised; on MR_OK to be released. */
MR_CHECK mr_status_t mr_life_tallies (const mr_life_t *life, mr_tallies_t *ret_tallies);

/* The life that a lock file's worker lives, NULL: no event of it yet. */
const mr_life_t *mr_registry_life (const mr_registry_t *self, const mr_worker_info_t *worker);

/* Whether a lock file says that this life goes on. */
bool mr_registry_lives (const mr_registry_t *self, const mr_life_t *life);

/* Whether no later life of the same worker has told of its ledger. */
bool mr_registry_is_latest (const mr_registry_t *self, const mr_life_t *life);

/* Take in a life of the snapshot, as if its counters event had just come. */
MR_CHECK mr_status_t mr_registry_restore (mr_registry_t *self, const json_t *counters,
                                          mr_error_t *err);
/* Take in a worker's totals: the event is its argument. */
MR_CHECK mr_status_t mr_registry_restore_totals (mr_registry_t *self, const json_t *totals,
                                                 mr_error_t *err);

/* Its operation, made when there is none. NULL: too many, or out of memory. */
mr_operation_t *mr_registry_operation (mr_registry_t *self, const char *key);

#endif
