/* events: what the workers say on the bus, a line an event. */
#include "common/base/clock.h"
#include "common/runtime/sockets.h"
#include "launcher/cli.h"
#include "launcher/client.h"
#include "launcher/watch.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

enum { STEP_MS = 200, RECEIVE_HWM = 100000, TOPIC_BYTES = 256 };

/* "TIME topic key=value ...": the members that people look for, in this order. */
static void
print_line (const char *topic, const json_t *event)
{
    static const char *const keys[] = {"worker",     "subject", "count",  "duration",
                                       "error_type", "state",   "message"};
    const char *ts = json_string_value (json_object_get (event, "ts"));
    printf ("%s %s", ts != NULL ? ts : "-", topic);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = json_object_get (event, keys[i]);
        if (json_is_string (value) && json_string_length (value) > 0) {
            const char *text = json_string_value (value);
            bool spaced = strpbrk (text, " \t\"") != NULL;
            printf (spaced ? " %s=\"%s\"" : " %s=%s", keys[i], text);
        } else if (json_is_integer (value)) {
            printf (" %s=%lld", keys[i], (long long)json_integer_value (value));
        } else if (json_is_real (value)) {
            printf (" %s=%.3f", keys[i], json_real_value (value));
        }
    }
    putchar ('\n');
}

static void
print_event (const char *topic, const char *json, size_t bytes, bool as_json)
{
    json_t *event = json_loadb (json, bytes, JSON_ALLOW_NUL, NULL);
    if (!json_is_object (event)) {
        fprintf (stderr, "%s: not a JSON object\n", topic);
    } else if (as_json) {
        json_object_set_new (event, "topic", json_string (topic));
        json_dumpf (event, stdout, JSON_COMPACT | JSON_REAL_PRECISION (15));
        putchar ('\n');
    } else {
        print_line (topic, event);
    }
    json_decref (event);
    fflush (stdout);
}

/* False: nothing is waiting. */
static bool
take_event (void *socket, bool as_json)
{
    char topic[TOPIC_BYTES];
    int bytes = zmq_recv (socket, topic, sizeof topic - 1, ZMQ_DONTWAIT);
    if (bytes < 0) {
        return false;
    }
    topic[bytes < TOPIC_BYTES ? bytes : TOPIC_BYTES - 1] = '\0';
    zmq_msg_t body;
    zmq_msg_init (&body);
    int more = 0;
    size_t size = sizeof more;
    zmq_getsockopt (socket, ZMQ_RCVMORE, &more, &size);
    for (int part = 0; more; part++) {
        if (zmq_msg_recv (&body, socket, 0) < 0) {
            break;
        }
        if (part == 0) {
            print_event (topic, zmq_msg_data (&body), zmq_msg_size (&body), as_json);
        }
        more = zmq_msg_more (&body);
    }
    zmq_msg_close (&body);
    return true;
}

static int
listen_to (const mr_cli_t *cli, void *socket)
{
    int64_t end_ns = cli->timeout_ms > 0 ? mr_clock_mono_ns () + cli->timeout_ms * MR_NS_PER_MS : 0;
    while (!mr_watch_interrupted () && !ferror (stdout)) {
        if (end_ns > 0 && mr_clock_mono_ns () >= end_ns) {
            return MR_EXIT_TIMEOUT;
        }
        zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
        if (zmq_poll (&item, 1, STEP_MS) > 0) {
            while (!mr_watch_interrupted () && take_event (socket, cli->set[MR_CLI_JSON])) {
            }
        }
    }
    return MR_EXIT_OK;
}

int
mr_cmd_events (mr_cli_t *cli)
{
    mr_plan_t plan;
    char endpoint[PATH_MAX + 32];
    int hwm = RECEIVE_HWM;
    int code = mr_cli_load (cli, NULL, &plan);
    if (code != 0) {
        return code;
    }
    void *zmq = zmq_ctx_new ();
    void *socket = zmq != NULL ? mr_socket_open (zmq, ZMQ_SUB) : NULL;
    snprintf (endpoint, sizeof endpoint, "ipc://%s/bus.out", plan.run_dir);
    if (socket == NULL) {
        return mr_cli_fail (cli, MR_EXIT_FAILED, "socket: %s", zmq_strerror (errno));
    }
    zmq_setsockopt (socket, ZMQ_RCVHWM, &hwm, sizeof hwm);
    for (int i = 0; i < cli->word_count; i++) {
        zmq_setsockopt (socket, ZMQ_SUBSCRIBE, cli->words[i], strlen (cli->words[i]));
    }
    if (cli->word_count == 0) {
        zmq_setsockopt (socket, ZMQ_SUBSCRIBE, "", 0);
    }
    mr_watch_signals ();
    if (mr_client_alive (&plan) == 0) {
        (void)mr_cli_fail (cli, 0, "nothing runs in %s yet; waiting for events", plan.run_dir);
    }
    if (zmq_connect (socket, endpoint) != 0) {
        code = mr_cli_fail (cli, MR_EXIT_FAILED, "cannot connect to %s: %s", endpoint,
                            zmq_strerror (errno));
    } else {
        code = listen_to (cli, socket);
    }
    zmq_close (socket);
    zmq_ctx_term (zmq);
    return code;
}
