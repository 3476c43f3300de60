#include "launcher/standing.h"

#include "launcher/client.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_MS = 10000 };

static mr_phase_t
phase_of (const json_t *answer)
{
    const char *phase = json_string_value (json_object_get (answer, "phase"));
    if (phase != NULL && strcmp (phase, "starting") == 0) {
        return MR_PHASE_STARTING;
    }
    return phase != NULL && strcmp (phase, "stopping") == 0 ? MR_PHASE_STOPPING : MR_PHASE_RUNNING;
}

mr_status_t
mr_standing_ask (const mr_plan_t *plan, int64_t timeout_ms, mr_standing_t *ret_standing,
                 mr_error_t *err)
{
    mr_worker_info_t launcher;
    if (!mr_client_launcher (plan, &launcher)) {
        return MR_CLOSED;
    }
    json_t *answer = NULL;
    mr_client_ask_t ask = {
        .request = json_pack ("{s:s}", "command", "status"),
        .timeout_ms = timeout_ms > 0 ? timeout_ms : ANSWER_MS,
    };
    int code = mr_client_ask (plan, &ask, &answer, err);
    mr_standing_t standing = {.pid = launcher.pid, .phase = phase_of (answer)};
    const char *config = json_string_value (json_object_get (answer, "config"));
    snprintf (standing.config, sizeof standing.config, "%s", config != NULL ? config : "");
    bool answered = answer != NULL;
    json_decref (answer);
    if (code == MR_EXIT_OK) {
        *ret_standing = standing;
        return MR_OK;
    }
    if (!answered && (ask.died || code == MR_EXIT_TEMPORARY)) {
        return MR_CLOSED;
    }
    if (code == MR_EXIT_TIMEOUT) {
        mr_error_set (err,
                      "a launcher holds %s, pid %d, and does not answer; if it hangs, "
                      "`kill -9 %d` leaves the workers running, and `millrace up` adopts them",
                      plan->run_dir, (int)launcher.pid, (int)launcher.pid);
        return MR_AGAIN;
    }
    return MR_SYSTEM;
}
