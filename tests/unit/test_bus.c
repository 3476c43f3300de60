#include "common/base/clock.h"
#include "common/runtime/bus.h"
#include "common/runtime/loop.h"
#include "common/wire/event.h"
#include "tests/support/suite.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

/* A monitor that is there, and a worker's bus. */
typedef struct wire {
    void *zmq;
    void *monitor;
    mr_loop_t *loop; /* NULL: events leave at once */
    mr_bus_t *bus;
    char topic[MR_EVENT_TOPIC_BYTES];
    char json[1 << 16];
    size_t json_bytes;
} wire_t;

static wire_t wire;

static void
receive (void)
{
    int64_t end_ns = mr_clock_mono_ns () + 30 * MR_NS_PER_S;
    zmq_pollitem_t item = {.socket = wire.monitor, .events = ZMQ_POLLIN};
    while (wire.loop != NULL && zmq_poll (&item, 1, 0) == 0) {
        ck_assert_int_lt (mr_clock_mono_ns (), end_ns);
        ck_assert_int_eq (mr_loop_once (wire.loop, 10), MR_OK);
    }
    int bytes = zmq_recv (wire.monitor, wire.topic, sizeof wire.topic - 1, 0);
    ck_assert_msg (bytes > 0, "no event came");
    wire.topic[bytes] = '\0';
    bytes = zmq_recv (wire.monitor, wire.json, sizeof wire.json - 1, 0);
    ck_assert_int_gt (bytes, 0);
    wire.json_bytes = (size_t)bytes;
    wire.json[bytes] = '\0';
}

static mr_bus_t *
new_bus (const char *run)
{
    mr_bus_options_t options = {.zmq = wire.zmq,
                                .loop = wire.loop,
                                .run_dir = run,
                                .domain = "processor",
                                .worker = "processor.1",
                                .slot = 1,
                                .incarnation = 0xab};
    mr_bus_t *bus = NULL;
    mr_error_t err;
    ck_assert_int_eq (mr_bus_new (&options, &bus, &err), MR_OK);
    return bus;
}

static void
open_wire (void)
{
    const char *run = mr_test_dir ();
    char endpoint[128];
    int timeout_ms = 30000;
    int hwm = 100000;
    wire.zmq = zmq_ctx_new ();
    wire.monitor = zmq_socket (wire.zmq, ZMQ_SUB);
    zmq_setsockopt (wire.monitor, ZMQ_RCVTIMEO, &timeout_ms, sizeof timeout_ms);
    zmq_setsockopt (wire.monitor, ZMQ_RCVHWM, &hwm, sizeof hwm);
    zmq_setsockopt (wire.monitor, ZMQ_SUBSCRIBE, "", 0);
    snprintf (endpoint, sizeof endpoint, "ipc://%.60s/bus.in", run);
    ck_assert_int_eq (zmq_bind (wire.monitor, endpoint), 0);
    wire.bus = new_bus (run);
    int64_t end_ns = mr_clock_mono_ns () + 30 * MR_NS_PER_S;
    mr_buffer_t hello;
    mr_buffer_init (&hello, 64);
    ck_assert_int_eq (mr_buffer_printf (&hello, "{}"), MR_OK);
    zmq_pollitem_t item = {.socket = wire.monitor, .events = ZMQ_POLLIN};
    do { /* until the subscription is there */
        ck_assert_int_lt (mr_clock_mono_ns (), end_ns);
        mr_bus_publish (wire.bus, "hello", &hello);
    } while (zmq_poll (&item, 1, 10) == 0);
    ck_assert_int_eq (mr_buffer_printf (&hello, "{}"), MR_OK);
    mr_bus_publish (wire.bus, "ready", &hello);
    do {
        receive ();
    } while (strcmp (wire.topic, "ready") != 0);
    mr_buffer_release (&hello);
}

static void
close_wire (void)
{
    mr_bus_destroy (&wire.bus);
    ck_assert_ptr_null (wire.bus);
    zmq_close (wire.monitor);
    zmq_ctx_term (wire.zmq);
}

static void
receive_event (mr_event_t *event)
{
    mr_error_t err = {.text = ""};
    receive ();
    mr_status_t status = mr_event_decode (wire.topic, wire.json, wire.json_bytes, event, &err);
    ck_assert_msg (status == MR_OK, "%s: %s", wire.json, err.text);
}

/* The counters event now, checked to be one JSON object. */
static json_t *
receive_counters (const char *members)
{
    mr_buffer_t more;
    mr_buffer_init (&more, 1024);
    ck_assert_int_eq (mr_buffer_printf (&more, "%s", members), MR_OK);
    mr_bus_counters (wire.bus, "running", &more);
    mr_buffer_release (&more);
    receive ();
    ck_assert_str_eq (wire.topic, "counters.processor.1");
    json_error_t why;
    json_t *json = json_loadb (wire.json, wire.json_bytes, JSON_REJECT_DUPLICATES, &why);
    ck_assert_msg (json_is_object (json), "%s: %s", wire.json, why.text);
    return json;
}

static json_int_t
number_at (const json_t *json, const char *a, const char *b, const char *c)
{
    const json_t *at = json_object_get (json, a);
    at = b != NULL ? json_object_get (at, b) : at;
    at = c != NULL ? json_object_get (at, c) : at;
    ck_assert_msg (json_is_integer (at), "%s %s %s: %s", a, b, c, wire.json);
    return json_integer_value (at);
}

START_TEST (test_events_are_stamped_and_numbered)
{
    mr_event_t event;
    open_wire ();
    mr_bus_success (wire.bus, "handle", 1.5, 1024);
    receive_event (&event);
    ck_assert_str_eq (wire.topic, "success.processor.handle");
    ck_assert_str_eq (event.worker, "processor.1");
    ck_assert_uint_eq (event.incarnation, 0xab);
    ck_assert_uint_eq (event.event_seq, 1);
    ck_assert_uint_eq (event.count, 1024);
    ck_assert_double_eq (event.duration_ms, 1.5);
    mr_failure_t failure = {.error_type = MR_ERR_JSON_SYNTAX,
                            .count = 3,
                            .message = "byte 0: \"no\" \xff value",
                            .sample = "o\0ps, and more",
                            .sample_bytes = 4};
    mr_bus_error (wire.bus, "handle", &failure);
    receive_event (&event);
    ck_assert_str_eq (wire.topic, "error.processor.handle");
    ck_assert_uint_eq (event.event_seq, 2);
    ck_assert_str_eq (event.error_type, "json_syntax");
    ck_assert_str_eq (event.message, "byte 0: \"no\" \xef\xbf\xbd value");
    failure = (mr_failure_t){.error_type = MR_ERR_JSON_UTF8, .count = 1, .message = ""};
    mr_bus_error (wire.bus, "handle", &failure);
    receive_event (&event);
    ck_assert_str_eq (event.message, "");
    ck_assert_uint_eq (mr_bus_failures (wire.bus), 0);
    close_wire ();
}
END_TEST

START_TEST (test_counters_are_cumulative)
{
    open_wire ();
    json_t *json = receive_counters ("");
    ck_assert_int_eq (number_at (json, "callback_failures", NULL, NULL), 0);
    ck_assert_uint_eq (json_object_size (json_object_get (json, "operations")), 0);
    json_decref (json);
    mr_failure_t failure = {.error_type = MR_ERR_JSON_SYNTAX, .count = 3, .message = ""};
    for (int i = 0; i < 10; i++) {
        mr_bus_success (wire.bus, "handle", 1, 100);
        mr_bus_error (wire.bus, "handle", &failure);
        receive ();
        receive ();
    }
    mr_bus_success (wire.bus, "other", 0, 0);
    receive ();
    json = receive_counters (",\"ledger\":{\"received\":7}");
    const json_t *operations = json_object_get (json, "operations");
    ck_assert_int_eq (number_at (operations, "handle", "count", NULL), 10);
    ck_assert_int_eq (number_at (operations, "handle", "records", NULL), 1000);
    ck_assert_int_eq (number_at (operations, "handle", "errors", NULL), 10);
    ck_assert_int_eq (number_at (operations, "handle", "error_types", "json_syntax"), 30);
    ck_assert_int_eq (number_at (operations, "other", "count", NULL), 1);
    ck_assert_int_eq (number_at (json, "ledger", "received", NULL), 7);
    ck_assert_int_eq (number_at (json, "slot", NULL, NULL), 1);
    ck_assert_int_eq (number_at (json, "event_seq", NULL, NULL), 23);
    json_decref (json);
    close_wire ();
}
END_TEST

START_TEST (test_what_cannot_be_published_is_counted_and_nothing_else_stops)
{
    mr_event_t event;
    open_wire ();
    mr_bus_success (wire.bus, "no \"name\"", 1, 1);
    mr_bus_success (wire.bus, "handle", NAN, 5);
    mr_failure_t failure = {.error_type = MR_ERR_NONE, .count = 1, .message = ""};
    mr_bus_error (wire.bus, "handle", &failure);
    ck_assert_uint_eq (mr_bus_failures (wire.bus), 3);
    mr_bus_success (wire.bus, "handle", 1, 5);
    receive_event (&event); /* the good one is the next */
    ck_assert_uint_eq (event.count, 5);
    json_t *json = receive_counters ("");
    ck_assert_int_eq (number_at (json, "callback_failures", NULL, NULL), 3);
    json_decref (json);
    static char text[MR_EVENT_MAX_BYTES + 1];
    mr_buffer_t huge = {.data = text, .size = sizeof text};
    mr_bus_publish (wire.bus, "huge", &huge);
    ck_assert_uint_eq (mr_bus_failures (wire.bus), 4);
    close_wire ();
}
END_TEST

START_TEST (test_names_without_end_do_not_grow_the_tables)
{
    char name[32];
    open_wire ();
    for (int i = 0; i < 300; i++) {
        snprintf (name, sizeof name, "operation_%d", i);
        mr_bus_success (wire.bus, name, 1, 1);
        receive ();
    }
    json_t *json = receive_counters ("");
    const json_t *operations = json_object_get (json, "operations");
    ck_assert_uint_le (json_object_size (operations), 100);
    json_int_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach ((json_t *)(uintptr_t)operations, key, value)
    {
        count += json_integer_value (json_object_get (value, "count"));
    }
    ck_assert_int_eq (count, 300);
    json_decref (json);
    close_wire ();
}
END_TEST

START_TEST (test_without_a_monitor_nothing_waits)
{
    void *zmq = zmq_ctx_new ();
    wire.zmq = zmq;
    mr_bus_t *bus = new_bus (mr_test_dir ());
    for (int i = 0; i < 100000; i++) {
        mr_bus_success (bus, "handle", 1, 1);
    }
    ck_assert_uint_eq (mr_bus_failures (bus), 0);
    mr_bus_destroy (&bus);
    zmq_ctx_term (zmq);
}
END_TEST

static void
receive_numbers (uint64_t first, uint64_t last)
{
    for (uint64_t number = first; number <= last; number++) {
        mr_event_t event;
        receive_event (&event);
        ck_assert_uint_eq (event.event_seq, number);
    }
}

START_TEST (test_a_busy_workers_events_leave_together_in_their_order)
{
    ck_assert_int_eq (mr_loop_new (&wire.loop), MR_OK);
    open_wire ();
    for (int i = 0; i < 10; i++) {
        mr_bus_success (wire.bus, "handle", 1, 1);
    }
    receive_numbers (1, 10);
    for (int i = 0; i < 600; i++) { /* more than may wait; the rest leaves with the bus */
        mr_bus_success (wire.bus, "handle", 1, 1);
    }
    mr_bus_destroy (&wire.bus);
    receive_numbers (11, 610);
    close_wire ();
    mr_loop_destroy (&wire.loop);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_events_are_stamped_and_numbered,
        test_counters_are_cumulative,
        test_what_cannot_be_published_is_counted_and_nothing_else_stops,
        test_names_without_end_do_not_grow_the_tables,
        test_without_a_monitor_nothing_waits,
        test_a_busy_workers_events_leave_together_in_their_order,
        NULL,
    };
    return mr_suite_run ("bus", tests);
}
