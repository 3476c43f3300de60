#include "common/runtime/bus.h"

#include "common/base/clock.h"
#include "common/runtime/sockets.h"
#include "common/runtime/worker.h"
#include "common/wire/event.h"
#include "common/wire/jsontext.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define MAX_DURATION_MS 1e15 /* beyond any clock */

enum {
    MAX_OPERATIONS = 80,
    SEND_HWM = 1000,
    GATHER_BYTES = 64 << 10, /* of events that wait; as many leave before their time */
};

#define GATHER_NS (MR_BUS_GATHER_MS * MR_NS_PER_MS)

typedef struct operation_total {
    char name[MR_EVENT_NAME_BYTES];
    uint64_t count;               /* success events: one a batch */
    uint64_t records;             /* records of those */
    uint64_t errors;              /* error events */
    uint64_t types[MR_ERR_COUNT]; /* records of each */
} operation_total_t;

/* In front of each event that waits: topic and JSON follow. */
typedef struct waiting_head {
    uint32_t topic_bytes;
    uint32_t json_bytes;
} waiting_head_t;

struct mr_bus {
    void *socket;
    mr_loop_t *loop;
    int timer;           /* 0: none is armed */
    int64_t left_ns;     /* when events last left */
    mr_buffer_t waiting; /* waiting_head_t, topic, JSON, ... */
    char domain[MR_EVENT_NAME_BYTES];
    char worker[MR_WORKER_NAME_BYTES];
    int slot;
    uint64_t incarnation;
    uint64_t event_seq;
    uint64_t failures;
    int64_t started_ns;
    mr_buffer_t json; /* reused for each event */
    operation_total_t *operations;
    int operation_count;
};

static void
send_event (mr_bus_t *self, const char *topic, const waiting_head_t *head)
{
    const char *json = topic + head->topic_bytes;
    if (zmq_send (self->socket, topic, head->topic_bytes, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_send (self->socket, json, head->json_bytes, ZMQ_DONTWAIT) < 0) {
        self->failures++;
    }
}

/* Send what waits. */
static void
leave (mr_bus_t *self)
{
    for (size_t at = 0; at < self->waiting.size;) {
        waiting_head_t head;
        memcpy (&head, self->waiting.data + at, sizeof head);
        send_event (self, self->waiting.data + at + sizeof head, &head);
        at += sizeof head + head.topic_bytes + head.json_bytes;
    }
    mr_buffer_clear (&self->waiting);
    self->left_ns = mr_clock_mono_ns ();
}

static void
on_due (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    mr_bus_t *self = arg;
    self->timer = 0;
    leave (self);
}

mr_status_t
mr_bus_new (const mr_bus_options_t *options, mr_bus_t **ret_bus, mr_error_t *err)
{
    mr_bus_t *self = calloc (1, sizeof *self);
    operation_total_t *operations = calloc (MAX_OPERATIONS, sizeof *operations);
    if (self == NULL || operations == NULL) {
        free (self);
        free (operations);
        return mr_error_errno (err, "event bus");
    }
    self->operations = operations;
    snprintf (self->domain, sizeof self->domain, "%s", options->domain);
    snprintf (self->worker, sizeof self->worker, "%s", options->worker);
    self->slot = options->slot;
    self->incarnation = options->incarnation;
    self->started_ns = mr_clock_mono_ns ();
    mr_buffer_init (&self->json, MR_EVENT_MAX_BYTES);
    mr_buffer_init (&self->waiting, 2 * GATHER_BYTES + 2 * MR_EVENT_MAX_BYTES);
    self->loop = options->loop;
    char endpoint[PATH_MAX + 16];
    snprintf (endpoint, sizeof endpoint, "ipc://%s/bus.in", options->run_dir);
    int hwm = SEND_HWM;
    self->socket = mr_socket_open (options->zmq, ZMQ_PUB);
    if (self->socket == NULL || zmq_setsockopt (self->socket, ZMQ_SNDHWM, &hwm, sizeof hwm) != 0 ||
        zmq_connect (self->socket, endpoint) != 0) {
        mr_error_set (err, "cannot connect to %s: %s", endpoint, zmq_strerror (errno));
        mr_bus_destroy (&self);
        return MR_SYSTEM;
    }
    *ret_bus = self;
    return MR_OK;
}

void
mr_bus_destroy (mr_bus_t **self_p)
{
    mr_bus_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    if (self->timer != 0) {
        mr_loop_timer_remove (self->loop, self->timer);
    }
    if (self->socket != NULL) {
        leave (self);
        int linger_ms = 100; /* the last counters, if the monitor is there */
        zmq_setsockopt (self->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        zmq_close (self->socket);
    }
    mr_buffer_release (&self->json);
    mr_buffer_release (&self->waiting);
    free (self->operations);
    free (self);
    *self_p = NULL;
}

/* The totals of an operation; beyond the table's end the last row takes the rest, so that nothing
 * grows with names from outside. */
static operation_total_t *
operation_of (mr_bus_t *self, const char *name)
{
    for (int i = 0; i < self->operation_count; i++) {
        if (strcmp (self->operations[i].name, name) == 0) {
            return &self->operations[i];
        }
    }
    if (self->operation_count == MAX_OPERATIONS) {
        return &self->operations[MAX_OPERATIONS - 1];
    }
    operation_total_t *operation = &self->operations[self->operation_count++];
    snprintf (operation->name, sizeof operation->name, "%s", name);
    return operation;
}

void
mr_bus_publish (mr_bus_t *self, const char *topic, const mr_buffer_t *json)
{
    waiting_head_t head = {(uint32_t)strlen (topic), (uint32_t)json->size};
    size_t before = self->waiting.size;
    if (json->size > MR_EVENT_MAX_BYTES ||
        mr_buffer_append (&self->waiting, &head, sizeof head) != MR_OK ||
        mr_buffer_append (&self->waiting, topic, head.topic_bytes) != MR_OK ||
        mr_buffer_append (&self->waiting, json->data, json->size) != MR_OK) {
        self->waiting.size = before;
        self->failures++;
        return;
    }
    int64_t due_ns = self->left_ns + GATHER_NS;
    if (self->loop == NULL || self->waiting.size >= GATHER_BYTES || mr_clock_mono_ns () >= due_ns) {
        leave (self);
    } else if (self->timer == 0) {
        self->timer = mr_loop_at (self->loop, due_ns, on_due, self);
        if (self->timer == 0) {
            leave (self);
        }
    }
}

static void
publish_event (mr_bus_t *self, mr_event_t *event)
{
    snprintf (event->domain, sizeof event->domain, "%s", self->domain);
    snprintf (event->worker, sizeof event->worker, "%s", self->worker);
    event->incarnation = self->incarnation;
    event->event_seq = ++self->event_seq;
    event->ts_ns = mr_clock_wall_ns ();
    char topic[MR_EVENT_TOPIC_BYTES];
    mr_event_topic (event, topic);
    mr_buffer_clear (&self->json);
    if (mr_event_encode (event, &self->json) == MR_OK) {
        mr_bus_publish (self, topic, &self->json);
    } else {
        self->failures++;
    }
}

void
mr_bus_success (mr_bus_t *self, const char *operation, double duration_ms, uint64_t count)
{
    if (!mr_event_is_name (operation) || !(duration_ms >= 0 && duration_ms < MAX_DURATION_MS)) {
        self->failures++; /* nobody could read it */
        return;
    }
    operation_total_t *total = operation_of (self, operation);
    total->count++;
    total->records += count;
    mr_event_t event = {.kind = MR_EVENT_SUCCESS, .duration_ms = duration_ms, .count = count};
    snprintf (event.operation, sizeof event.operation, "%s", operation);
    publish_event (self, &event);
}

void
mr_bus_error (mr_bus_t *self, const char *operation, const mr_failure_t *failure)
{
    const char *type = mr_errortype_name (failure->error_type);
    if (!mr_event_is_name (operation) || *type == '\0') {
        self->failures++;
        return;
    }
    operation_total_t *total = operation_of (self, operation);
    total->errors++;
    total->types[failure->error_type] += failure->count;
    mr_event_t event = {.kind = MR_EVENT_ERROR, .count = failure->count};
    snprintf (event.operation, sizeof event.operation, "%s", operation);
    snprintf (event.error_type, sizeof event.error_type, "%s", type);
    snprintf (event.message, sizeof event.message, "%s", failure->message);
    if (failure->sample != NULL) {
        size_t most = sizeof event.sample - 1;
        memcpy (event.sample, failure->sample,
                failure->sample_bytes < most ? failure->sample_bytes : most);
    }
    publish_event (self, &event);
}

mr_status_t
mr_bus_stamp (mr_bus_t *self, mr_buffer_t *json)
{
    char ts[MR_RFC3339_BYTES];
    mr_clock_format (mr_clock_wall_ns (), ts);
    return mr_buffer_printf (json,
                             "\"worker\":\"%s\",\"incarnation\":\"%016" PRIx64
                             "\",\"event_seq\":%" PRIu64 ",\"ts\":\"%s\"",
                             self->worker, self->incarnation, ++self->event_seq, ts);
}

static mr_status_t
append_operation (const operation_total_t *operation, bool first, mr_buffer_t *json)
{
    mr_status_t status = mr_buffer_printf (json,
                                           "%s\"%s\":{\"count\":%" PRIu64 ",\"records\":%" PRIu64
                                           ",\"errors\":%" PRIu64 ",\"error_types\":{",
                                           first ? "" : ",", operation->name, operation->count,
                                           operation->records, operation->errors);
    bool comma = false;
    for (int i = 0; status == MR_OK && i < MR_ERR_COUNT; i++) {
        if (operation->types[i] > 0) {
            status =
                mr_buffer_printf (json, "%s\"%s\":%" PRIu64, comma ? "," : "",
                                  mr_errortype_name ((mr_errortype_id_t)i), operation->types[i]);
            comma = true;
        }
    }
    return status == MR_OK ? mr_buffer_printf (json, "}}") : status;
}

static mr_status_t
encode_counters (mr_bus_t *self, const char *state, const mr_buffer_t *members)
{
    mr_buffer_t *json = &self->json;
    mr_buffer_clear (json);
    mr_status_t status =
        mr_buffer_printf (json,
                          "{\"domain\":\"%s\",\"pid\":%d,\"slot\":%d,\"state\":\"%s\","
                          "\"uptime_ms\":%" PRId64 ",\"callback_failures\":%" PRIu64 ",",
                          self->domain, (int)getpid (), self->slot, state,
                          (mr_clock_mono_ns () - self->started_ns) / MR_NS_PER_MS, self->failures);
    if (status == MR_OK) {
        status = mr_bus_stamp (self, json);
    }
    if (status == MR_OK) {
        status = mr_buffer_printf (json, ",\"operations\":{");
    }
    for (int i = 0; status == MR_OK && i < self->operation_count; i++) {
        status = append_operation (&self->operations[i], i == 0, json);
    }
    if (status == MR_OK) {
        status = mr_buffer_printf (json, "}");
    }
    if (status == MR_OK) {
        status = mr_buffer_append (json, members->data, members->size);
    }
    return status == MR_OK ? mr_buffer_printf (json, "}") : status;
}

void
mr_bus_counters (mr_bus_t *self, const char *state, const mr_buffer_t *members)
{
    char topic[MR_EVENT_TOPIC_BYTES];
    snprintf (topic, sizeof topic, "counters.%s", self->worker);
    if (encode_counters (self, state, members) == MR_OK) {
        mr_bus_publish (self, topic, &self->json);
    } else {
        self->failures++;
    }
}

uint64_t
mr_bus_failures (const mr_bus_t *self)
{
    return self->failures;
}
