/* bus: a worker's voice. Publishes success, error and counters events to RUN/bus.in, where the
 * monitor listens; with nobody there, events are dropped and the flow does not notice.
 *
 * Totals are kept here, cumulative for this incarnation, and published by mr_bus_counters. A
 * failure to publish is contained and counted. Not thread safe.
 *
 * Each event is a message of its own, but those of a busy worker leave together, at most
 * MR_BUS_GATHER_MS after they happened: waking libzmq's thread here, and the monitor, for each
 * would cost more than the event. An idle worker's event leaves at once. */
#ifndef MR_COMMON_RUNTIME_BUS_H
#define MR_COMMON_RUNTIME_BUS_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "common/runtime/loop.h"
#include "common/wire/errortype.h"

#include <stddef.h>
#include <stdint.h>

typedef struct mr_bus mr_bus_t;

enum { MR_BUS_GATHER_MS = 100 };

typedef struct mr_bus_options {
    void *zmq;           /* context; borrowed */
    mr_loop_t *loop;     /* outlives the bus; NULL: each event leaves at once */
    const char *run_dir; /* copied */
    const char *domain;  /* "processor"; copied, as is */
    const char *worker;  /* "processor.1" */
    int slot;
    uint64_t incarnation;
} mr_bus_options_t;

MR_CHECK mr_status_t mr_bus_new (const mr_bus_options_t *options, mr_bus_t **ret_bus,
                                 mr_error_t *err);
void mr_bus_destroy (mr_bus_t **self_p);

void mr_bus_success (mr_bus_t *self, const char *operation, double duration_ms, uint64_t count);

/* Records that failed in one way. */
typedef struct mr_failure {
    mr_errortype_id_t error_type;
    uint64_t count;
    const char *message; /* "" for none */
    const char *sample;  /* first bytes of one of them, need not be terminated; or NULL */
    size_t sample_bytes;
} mr_failure_t;

void mr_bus_error (mr_bus_t *self, const char *operation, const mr_failure_t *failure);

/* Append `"worker":…,"incarnation":…,"event_seq":…,"ts":…`, taking the next number. */
MR_CHECK mr_status_t mr_bus_stamp (mr_bus_t *self, mr_buffer_t *json);

/* Publish a complete JSON object. */
void mr_bus_publish (mr_bus_t *self, const char *topic, const mr_buffer_t *json);

/* Publish counters.<worker>.
 *   members  more members, each `,"key":value`; may be empty */
void mr_bus_counters (mr_bus_t *self, const char *state, const mr_buffer_t *members);

/* Events that could not be published. */
uint64_t mr_bus_failures (const mr_bus_t *self);

#endif
