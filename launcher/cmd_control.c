/* down, restart, scale, reopen: ask the launcher, and wait until it is true. */
#include "common/base/clock.h"
#include "launcher/check.h"
#include "launcher/cli.h"
#include "launcher/client.h"
#include "launcher/launch.h"
#include "launcher/notes.h"
#include "launcher/standing.h"
#include "launcher/unseen.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CONTROL_TIMEOUT_MS = 120000, EXIT_MS = 10000, UNSEEN_MS = 5000, LAUNCH_TRIES = 5 };

static int64_t
timeout_of (const mr_cli_t *cli, int64_t fallback_ms)
{
    return cli->timeout_ms > 0 ? cli->timeout_ms : fallback_ms;
}

static bool
show_note (void *arg, const json_t *note)
{
    mr_notes_take (arg, note, mr_clock_mono_ns ());
    return true;
}

static int
ask (const mr_cli_t *cli, const mr_plan_t *plan, json_t *request, int64_t timeout_ms)
{
    mr_error_t err;
    json_t *answer = NULL;
    mr_notes_t notes = {.voice = stdout};
    mr_client_ask_t asked = {
        .request = request,
        .timeout_ms = timeout_ms,
        .note = show_note,
        .arg = &notes,
    };
    int code = mr_client_ask (plan, &asked, &answer, &err);
    const char *text = answer != NULL ? mr_client_text (answer) : err.text;
    if (text[0] != '\0') {
        (void)mr_cli_fail (cli, code, "%s", text);
    }
    json_decref (answer);
    return code;
}

static int
ask_targets (const mr_cli_t *cli, const char *command)
{
    mr_plan_t plan;
    int code = mr_cli_load (cli, NULL, &plan);
    if (code != 0) {
        return code;
    }
    /* A fault that can be known beforehand must not cost a worker that works. */
    code = mr_check_configuration (cli->config, &plan);
    if (code != MR_EXIT_OK) {
        return code;
    }
    json_t *targets = json_array ();
    for (int i = 0; i < cli->word_count; i++) {
        json_array_append_new (targets, json_string (cli->words[i]));
    }
    json_t *request = json_pack ("{s:s,s:o,s:b}", "command", command, "targets", targets, "now",
                                 (int)cli->set[MR_CLI_NOW]);
    return ask (cli, &plan, request, timeout_of (cli, CONTROL_TIMEOUT_MS));
}

int
mr_cmd_restart (mr_cli_t *cli)
{
    return ask_targets (cli, "restart");
}

int
mr_cmd_scale (mr_cli_t *cli)
{
    return ask_targets (cli, "scale");
}

int
mr_cmd_reopen (mr_cli_t *cli)
{
    mr_plan_t plan;
    int code = mr_cli_load (cli, NULL, &plan);
    if (code != 0) {
        return code;
    }
    return ask (cli, &plan, json_pack ("{s:s}", "command", "reopen"),
                timeout_of (cli, CONTROL_TIMEOUT_MS));
}

/* ---- down ---- */

/* A launcher that only takes down what runs without one. MR_CLOSED: nothing runs. */
static mr_status_t
launch_to_end (mr_plan_t *plan, mr_error_t *err)
{
    if (mr_client_alive (plan) == 0) {
        if (mr_worker_sweep_dead (plan->run_dir, err) != MR_OK) {
            (void)mr_cli_fail (NULL, 0, "%s", err->text);
        }
        return MR_CLOSED;
    }
    mr_launch_t launch = {.plan = plan, .adopt_only = true};
    mr_status_t status = mr_launch (&launch, err);
    if (status == MR_OK) {
        mr_child_release (&launch.child);
    }
    return status;
}

/* What is to go down must be what was named. A file that is gone cannot be named any more. */
static mr_status_t
is_named (const mr_plan_t *plan, const mr_standing_t *standing, mr_error_t *err)
{
    if (access (standing->config, F_OK) != 0) {
        return MR_OK;
    }
    return mr_plan_same_file (plan, standing->config, plan->config, err);
}

/* Find a launcher that answers, or start one. False: nothing runs, or it cannot be (ret_code). */
static bool
find_launcher (const mr_cli_t *cli, mr_plan_t *plan, int *ret_code)
{
    mr_error_t err;
    mr_standing_t standing;
    *ret_code = MR_EXIT_OK;
    if (!mr_cli_may_look (cli, plan->run_dir)) {
        *ret_code = MR_EXIT_FAILED;
        return false;
    }
    char unseen[MR_UNSEEN_BYTES];
    if (mr_unseen_still (plan, UNSEEN_MS, unseen)) {
        *ret_code = mr_cli_fail (cli, MR_EXIT_FAILED, "%s", unseen);
        return false;
    }
    mr_status_t status = MR_AGAIN;
    for (int tries = 0; tries < LAUNCH_TRIES && status == MR_AGAIN; tries++) {
        status = mr_standing_ask (plan, cli->timeout_ms, &standing, &err);
        if (status == MR_AGAIN) {
            *ret_code = mr_cli_fail (cli, MR_EXIT_TIMEOUT, "%s", err.text);
            return false;
        }
        if (status == MR_OK) {
            status = is_named (plan, &standing, &err);
        } else if (status == MR_CLOSED) {
            status = launch_to_end (plan, &err); /* MR_AGAIN: another one was first */
        }
    }
    if (status == MR_CLOSED) {
        printf ("nothing runs in %s\n", plan->run_dir);
    } else if (status != MR_OK) {
        *ret_code = mr_cli_fail (cli, mr_cli_code (status), "%s", err.text);
    }
    return status == MR_OK;
}

int
mr_cmd_down (mr_cli_t *cli)
{
    mr_plan_t plan;
    int code = mr_cli_load (cli, NULL, &plan);
    if (code != 0 || !find_launcher (cli, &plan, &code)) {
        return code;
    }
    json_t *request = json_pack ("{s:s,s:b}", "command", "down", "now", (int)cli->set[MR_CLI_NOW]);
    /* Each stage may need its grace beyond stop_timeout. */
    code = ask (cli, &plan, request, timeout_of (cli, 4 * plan.limits.stop_timeout_ms + EXIT_MS));
    if (code != MR_EXIT_OK) {
        return code;
    }
    if (!mr_client_wait_gone (&plan, "launcher", EXIT_MS)) {
        return mr_cli_fail (cli, MR_EXIT_TIMEOUT, "the workers are gone, the launcher is not");
    }
    printf ("the chain is down\n");
    return MR_EXIT_OK;
}
