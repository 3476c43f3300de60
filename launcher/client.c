#include "launcher/client.h"

#include "common/base/clock.h"
#include "common/runtime/worker.h"
#include "launcher/child.h"

#include <czmq.h>
#include <poll.h>

/* What a launcher that ended sent before may still be on its way for LAST_WORDS_MS. */
enum { STEP_MS = 100, SPARE_MS = 2000, LAST_WORDS_MS = 500 };

bool
mr_client_launcher (const mr_plan_t *plan, mr_worker_info_t *ret_info)
{
    mr_worker_info_t info;
    if (mr_worker_read (plan->run_dir, "launcher", &info, NULL) != MR_OK || !info.alive) {
        return false;
    }
    *ret_info = info;
    return true;
}

static void
count_alive (const mr_worker_info_t *info, void *arg)
{
    *(int *)arg += info->alive;
}

int
mr_client_alive (const mr_plan_t *plan)
{
    int alive = 0;
    return mr_worker_each (plan->run_dir, count_alive, &alive, NULL) == MR_OK ? alive : 0;
}

const char *
mr_client_text (const json_t *answer)
{
    const char *text = json_string_value (json_object_get (answer, "text"));
    return text != NULL ? text : "";
}

static zsock_t *
connect_to (const mr_plan_t *plan, mr_error_t *err)
{
    zsock_t *socket = zsock_new (ZMQ_DEALER);
    if (socket != NULL) {
        zsock_set_linger (socket, 0);
        zsock_set_sndhwm (socket, 1000);
        zsock_set_rcvhwm (socket, 10000);
        if (zsock_connect (socket, "ipc://%s/launcher.ipc", plan->run_dir) == 0) {
            return socket;
        }
    }
    (void)mr_error_errno (err, "cannot connect to %s/launcher.ipc", plan->run_dir);
    zsock_destroy (&socket);
    return NULL;
}

static mr_status_t
send_request (zsock_t *socket, const mr_plan_t *plan, mr_client_ask_t *ask, mr_error_t *err)
{
    json_object_set_new (ask->request, "config", json_string (plan->config));
    json_object_set_new (ask->request, "timeout_ms", json_integer (ask->timeout_ms));
    json_object_set_new (ask->request, "notes", json_boolean (ask->note != NULL));
    json_object_set_new (ask->request, "replay", json_boolean (ask->replay));
    char *text = json_dumps (ask->request, JSON_COMPACT);
    int rc = text == NULL ? -1 : zstr_send (socket, text);
    free (text);
    return rc == 0 ? MR_OK : mr_error_errno (err, "cannot ask the launcher");
}

/* The next message, or NULL when none came within STEP_MS. *gone: only what is on its way counts.
 */
static json_t *
next_message (zsock_t *socket, const mr_child_t *launcher, bool *gone)
{
    zmq_pollitem_t items[2] = {
        {.socket = zsock_resolve (socket), .events = ZMQ_POLLIN},
        {.fd = launcher->pidfd, .events = ZMQ_POLLIN},
    };
    int ready = zmq_poll (items, *gone ? 1 : 2, STEP_MS);
    if (ready <= 0) {
        return NULL;
    }
    if (items[0].revents & ZMQ_POLLIN) {
        char *text = zstr_recv (socket);
        json_t *message = text == NULL ? NULL : json_loads (text, 0, NULL);
        zstr_free (&text);
        return message;
    }
    *gone = true;
    return NULL;
}

static int
wait_for_answer (zsock_t *socket, mr_client_ask_t *ask, const mr_child_t *launcher,
                 json_t **ret_answer, mr_error_t *err)
{
    /* The launcher keeps the deadline; the spare time is for one that does not answer at all. */
    int64_t end_ns = mr_clock_mono_ns () + (ask->timeout_ms + SPARE_MS) * MR_NS_PER_MS;
    bool gone = false;
    while (mr_clock_mono_ns () < end_ns) {
        bool was_gone = gone;
        json_t *message = next_message (socket, launcher, &gone);
        if (gone && !was_gone) {
            end_ns = mr_clock_mono_ns () + LAST_WORDS_MS * MR_NS_PER_MS;
        }
        const json_t *code = json_object_get (message, "code");
        if (json_is_integer (code)) {
            *ret_answer = message;
            return (int)json_integer_value (code);
        }
        /* Without a message, too: it may be time to give up, or to draw. */
        bool go_on = ask->note == NULL || ask->note (ask->arg, message);
        json_decref (message);
        if (!go_on) {
            return -1;
        }
    }
    if (gone) {
        ask->died = true;
        mr_error_set (err, "the launcher died before it answered");
        return MR_EXIT_FAILED;
    }
    mr_error_set (err, "the launcher (pid %d) does not answer", (int)launcher->pid);
    return MR_EXIT_TIMEOUT;
}

int
mr_client_ask (const mr_plan_t *plan, mr_client_ask_t *ask, json_t **ret_answer, mr_error_t *err)
{
    int code = MR_EXIT_FAILED;
    json_t *answer = NULL;
    mr_child_t launcher;
    mr_error_set (err, "%s", "");
    mr_status_t status = mr_child_adopt (plan->run_dir, "launcher", &launcher, err);
    if (status != MR_OK) {
        if (status != MR_SYSTEM) {
            mr_error_set (err, "no launcher runs here; start it with `millrace up`");
            code = MR_EXIT_TEMPORARY;
        }
        json_decref (ask->request);
        return code;
    }
    zsock_t *socket = connect_to (plan, err);
    if (socket != NULL && send_request (socket, plan, ask, err) == MR_OK) {
        code = wait_for_answer (socket, ask, &launcher, &answer, err);
    }
    zsock_destroy (&socket);
    mr_child_release (&launcher);
    json_decref (ask->request);
    if (answer != NULL && code != MR_EXIT_OK) {
        mr_error_set (err, "%s", mr_client_text (answer));
    }
    if (ret_answer != NULL) {
        *ret_answer = answer;
    } else {
        json_decref (answer);
    }
    return code;
}

bool
mr_client_wait_gone (const mr_plan_t *plan, const char *name, int64_t timeout_ms)
{
    mr_child_t process;
    if (mr_child_adopt (plan->run_dir, name, &process, NULL) != MR_OK) {
        return true;
    }
    struct pollfd poller = {.fd = process.pidfd, .events = POLLIN};
    int64_t end_ns = mr_clock_mono_ns () + timeout_ms * MR_NS_PER_MS;
    int ready;
    do {
        int64_t left_ms = (end_ns - mr_clock_mono_ns ()) / MR_NS_PER_MS;
        ready = poll (&poller, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (ready < 0 && errno == EINTR);
    mr_child_release (&process);
    return ready > 0;
}
