#include "launcher/watch.h"

#include "common/base/clock.h"
#include "launcher/audit.h"
#include "launcher/client.h"
#include "launcher/summary.h"
#include "launcher/terminal.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { LINE_EVERY_MS = 1000, FOREVER_MS = INT32_MAX, GONE_MS = 10000 };

static volatile sig_atomic_t interrupted;

static void
on_signal (int signal)
{
    if (interrupted == 0 || signal == SIGINT) {
        interrupted++;
    }
}

void
mr_watch_signals (void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    sigaction (SIGHUP, &action, NULL);
}

bool
mr_watch_interrupted (void)
{
    return interrupted > 0;
}

int
mr_watch_signal_count (void)
{
    return interrupted;
}

typedef struct watcher {
    const mr_config_t *config;
    const mr_plan_t *plan;
    bool terminal;
    int64_t drawn_ns;
    int signals; /* as many as were seen when waiting began */
} watcher_t;

static void
draw (watcher_t *watcher)
{
    int64_t now_ns = mr_clock_mono_ns ();
    if (!watcher->terminal || now_ns - watcher->drawn_ns < LINE_EVERY_MS * MR_NS_PER_MS) {
        return;
    }
    watcher->drawn_ns = now_ns;
    char line[512];
    mr_summary_line (watcher->config, watcher->plan, line, sizeof line);
    mr_terminal_line (line);
}

static bool
on_note (void *arg, const json_t *note)
{
    watcher_t *watcher = arg;
    const char *text = json_string_value (json_object_get (note, "text"));
    if (text != NULL) {
        if (watcher->terminal) {
            mr_terminal_line ("");
        }
        printf ("%s\n", text);
        fflush (stdout);
    }
    draw (watcher);
    return interrupted == watcher->signals;
}

static int
ask (watcher_t *watcher, const char *command, bool now, mr_error_t *err)
{
    json_t *answer = NULL;
    mr_client_ask_t ask = {
        .request = json_pack ("{s:s,s:b}", "command", command, "now", (int)now),
        .timeout_ms = FOREVER_MS,
        .note = on_note,
        .arg = watcher,
    };
    watcher->signals = interrupted;
    int code = mr_client_ask (watcher->plan, &ask, &answer, err);
    if (code == MR_EXIT_OK && mr_client_text (answer)[0] != '\0') {
        printf ("%s\n", mr_client_text (answer));
    }
    json_decref (answer);
    return code;
}

static int
print_audit (const mr_cli_t *cli, const mr_config_t *config)
{
    mr_error_t err;
    json_t *audit = NULL;
    const char *data_dir = mr_config_text (mr_config_section (config, "pipeline"), "data_dir");
    if (mr_audit_read (data_dir, NULL, &audit, &err) != MR_OK) {
        return mr_cli_fail (cli, MR_EXIT_FAILED, "%s", err.text);
    }
    int code = mr_audit_print (audit);
    json_decref (audit);
    return code;
}

static int
take_down (mr_cli_t *cli, watcher_t *watcher, mr_child_t *launcher)
{
    mr_error_t err;
    if (watcher->terminal) {
        mr_terminal_line ("");
    }
    printf ("draining; Ctrl-C again kills\n");
    fflush (stdout);
    int code = ask (watcher, "down", false, &err);
    if (code == -1) {
        code = ask (watcher, "down", true, &err);
    }
    if (!mr_client_wait_gone (watcher->plan, "launcher", GONE_MS) || code > 0) {
        return mr_cli_fail (cli, code > 0 ? code : MR_EXIT_TIMEOUT, "%s",
                            code > 0 ? err.text : "the launcher does not end");
    }
    int exit_code;
    int signal;
    (void)!mr_child_reap (launcher, &exit_code, &signal);
    printf ("the chain is down\n");
    return print_audit (cli, watcher->config);
}

int
mr_watch (mr_cli_t *cli, const mr_config_t *config, const mr_plan_t *plan, mr_child_t *launcher)
{
    watcher_t watcher = {
        .config = config,
        .plan = plan,
        .terminal = mr_terminal_is (stdout),
    };
    mr_error_t err;
    int code = -1;
    if (!mr_watch_interrupted ()) {
        code = ask (&watcher, "watch", false, &err);
    }
    if (code == -1) {
        return take_down (cli, &watcher, launcher);
    }
    if (watcher.terminal) {
        mr_terminal_line ("");
    }
    if (mr_client_wait_gone (plan, "launcher", GONE_MS)) {
        int signal = 0;
        int exit_code = 0;
        (void)!mr_child_reap (launcher, &exit_code, &signal);
        if (signal == 0 && exit_code == 0) {
            printf ("the chain is down\n"); /* somebody else said `millrace down` */
            return print_audit (cli, config);
        }
        if (signal == 0 && exit_code > 0) {
            return mr_cli_fail (cli, exit_code,
                                "the launcher has ended by itself; %s/launcher.log "
                                "says why",
                                plan->log_dir);
        }
        return mr_cli_fail (cli, MR_EXIT_FAILED,
                            "the launcher died; workers live on: `millrace up` adopts them");
    }
    return mr_cli_fail (cli, code, "%s", err.text);
}
