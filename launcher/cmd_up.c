/* up: start a launcher, show what comes up, and in the foreground stay until Ctrl-C. */
#include "common/base/clock.h"
#include "launcher/check.h"
#include "launcher/cli.h"
#include "launcher/client.h"
#include "launcher/launch.h"
#include "launcher/terminal.h"
#include "launcher/watch.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { UP_SPARE_MS = 60000, ENDED_MS = 1000 };

static bool
show_note (void *arg, const json_t *note)
{
    const char *what = json_string_value (json_object_get (note, "note"));
    const char *text = json_string_value (json_object_get (note, "text"));
    (void)arg;
    bool shown = what != NULL && strcmp (what, "started") != 0 && strcmp (what, "running") != 0;
    if (text != NULL && shown) {
        printf ("%s\n", text);
        fflush (stdout);
    }
    return !mr_watch_interrupted ();
}

/* Wait until the chain is up. Returns the exit code; -1: Ctrl-C. */
static int
wait_up (const mr_cli_t *cli, mr_launch_t *launch)
{
    const mr_plan_t *plan = launch->plan;
    mr_error_t err;
    int stages = plan->stage_count + 1;
    mr_client_ask_t ask = {
        .request = json_pack ("{s:s}", "command", "wait"),
        .timeout_ms = cli->timeout_ms > 0 ? cli->timeout_ms
                                          : stages * plan->limits.start_timeout_ms + UP_SPARE_MS,
        .replay = true,
        .note = show_note,
    };
    json_t *answer = NULL;
    int code = mr_client_ask (plan, &ask, &answer, &err);
    if (code > 0 && answer == NULL && code != MR_EXIT_TIMEOUT) {
        int ended = mr_launch_ended (launch, ENDED_MS, &err);
        code = ended > 0 ? ended : code;
    }
    json_decref (answer);
    if (code > 0) {
        (void)mr_cli_fail (cli, code, "%s", err.text);
    }
    return code;
}

static void
show_monitor (const mr_config_t *config)
{
    const char *http = mr_config_text (mr_config_section (config, "monitor"), "http");
    if (http != NULL && strcmp (http, "off") != 0) {
        printf ("monitor: http://%s/\n", http);
        fflush (stdout);
    }
}

/* A sink of type stdout has nowhere to write to once we are gone. */
static const mr_config_section_t *
stdout_sink (const mr_config_t *config)
{
    const mr_config_section_t *sink = NULL;
    while ((sink = mr_config_next_section (config, "sink", sink)) != NULL) {
        const mr_config_entry_t *type = mr_config_next (sink, "type", NULL);
        if (type != NULL && strcmp (type->value.text, "stdout") == 0) {
            return sink;
        }
    }
    return NULL;
}

/* With such a sink our stdout is for its records, and what we say ourselves goes to stderr. */
static void
leave_stdout (const mr_config_t *config)
{
    if (stdout_sink (config) != NULL) {
        fflush (stdout);
        (void)!dup2 (STDERR_FILENO, STDOUT_FILENO);
    }
}

static int
already_up (const mr_plan_t *plan, const mr_worker_info_t *launcher)
{
    printf ("already running in %s (launcher pid %d)\n", plan->run_dir, (int)launcher->pid);
    return MR_EXIT_OK;
}

static int
start (const mr_cli_t *cli, const mr_plan_t *plan, const mr_config_t *config, mr_child_t *ret_child)
{
    mr_error_t err;
    mr_worker_info_t other;
    mr_launch_t launch = {.plan = plan, .foreground = !cli->set[MR_CLI_DETACH]};
    mr_status_t status = mr_launch (&launch, &err);
    leave_stdout (config); /* the workers have theirs */
    if (status == MR_AGAIN && mr_client_launcher (plan, &other)) {
        return already_up (plan, &other);
    }
    if (status != MR_OK) {
        return mr_cli_fail (cli, mr_cli_code (status), "%s", err.text);
    }
    int code = wait_up (cli, &launch);
    if (code == MR_EXIT_OK) {
        show_monitor (config);
    } else if (code > 0 && code != MR_EXIT_TIMEOUT) {
        (void)mr_client_wait_gone (plan, "launcher", plan->limits.stop_timeout_ms + UP_SPARE_MS);
    }
    *ret_child = launch.child;
    return code;
}

int
mr_cmd_up (mr_cli_t *cli)
{
    mr_plan_t plan;
    mr_config_t *config = NULL;
    mr_worker_info_t launcher;
    int code = mr_cli_load (cli, &config, &plan);
    if (code != 0) {
        return code;
    }
    if (mr_client_launcher (&plan, &launcher)) {
        leave_stdout (config);
        mr_config_destroy (&config);
        return already_up (&plan, &launcher);
    }
    const mr_config_section_t *sink = cli->set[MR_CLI_DETACH] ? stdout_sink (config) : NULL;
    if (sink != NULL) {
        code = mr_cli_fail (cli, MR_EXIT_CONFIG,
                            "%s:%d: [sink %s]: type = stdout works only in the foreground; "
                            "leave --detach out, or take a file sink",
                            mr_config_file (config), mr_config_section_line (sink),
                            mr_config_section_name (sink));
        mr_config_destroy (&config);
        return code;
    }
    code = mr_check_configuration (cli->config, &plan);
    if (code == MR_EXIT_OK) {
        mr_child_t child = {.pidfd = -1, .ready_fd = -1};
        signal (SIGPIPE,
                SIG_IGN); /* who reads our lines may go first; the chain is drained all the same */
        mr_watch_signals ();
        code = start (cli, &plan, config, &child);
        bool ours = child.pidfd >= 0;
        if (ours && !cli->set[MR_CLI_DETACH] && (code == MR_EXIT_OK || code == -1)) {
            code = mr_watch (cli, config, &plan, &child);
        } else if (code == -1) {
            code = MR_EXIT_FAILED;
        }
        mr_child_release (&child);
    }
    mr_config_destroy (&config);
    return code;
}
