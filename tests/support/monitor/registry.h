/* registry: hand events to the monitor's registry as a worker would publish them. */
#ifndef MR_TESTS_SUPPORT_MONITOR_REGISTRY_H
#define MR_TESTS_SUPPORT_MONITOR_REGISTRY_H

#include "monitor/registry.h"

/* A registry of the chain ingest, processor, metrics, exporter. Aborts when it cannot be made. */
mr_registry_t *mr_test_registry (void);

/* Hand over an event whose JSON is `format`, in which each ' stands for ". Returns the status; what
 * went wrong is kept for mr_test_registry_why. */
mr_status_t mr_test_event (mr_registry_t *registry, const char *topic, const char *format, ...)
    MR_PRINTF (3, 4);
const char *mr_test_registry_why (void);

/* A success event of one batch; an error event of type json_syntax. seq: event_seq. */
mr_status_t mr_test_success (mr_registry_t *registry, uint64_t incarnation, uint64_t seq,
                             double duration_ms, uint64_t count);
mr_status_t mr_test_error (mr_registry_t *registry, uint64_t incarnation, uint64_t seq,
                           uint64_t count);

/* Counters of processor.0: batches, records, errors of type json_syntax. */
typedef struct mr_test_counters {
    uint64_t incarnation;
    uint64_t seq;
    uint64_t batches;
    uint64_t records;
    uint64_t errors;
} mr_test_counters_t;
mr_status_t mr_test_counters (mr_registry_t *registry, mr_test_counters_t counters);

/* The sum of one operation; all 0 when it is unknown. Its types are not valid. */
mr_tally_t mr_test_tally (const mr_registry_t *registry, const char *key);

/* Failed records of one type; -1 when the type is unknown. */
long mr_test_failed (const mr_registry_t *registry, const char *key, const char *type);

/* A lock file that is held. */
mr_worker_info_t mr_test_lock (const char *name, uint64_t incarnation);

#endif
