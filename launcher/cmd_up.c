/* up: start a launcher, show what comes up, and in the foreground stay until Ctrl-C. */
#include "common/base/clock.h"
#include "launcher/check.h"
#include "launcher/cli.h"
#include "launcher/client.h"
#include "launcher/launch.h"
#include "launcher/notes.h"
#include "launcher/standing.h"
#include "launcher/terminal.h"
#include "launcher/unseen.h"
#include "launcher/watch.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { UP_SPARE_MS = 60000, ENDED_MS = 1000, UNSEEN_MS = 5000, START_TRIES = 5 };

/* Beside exit codes. */
enum { INTERRUPTED = -1, NOBODY = -2 };

typedef struct up {
    mr_cli_t *cli;
    const mr_config_t *config;
    mr_plan_t plan;
    FILE *voice;      /* of our own words */
    mr_child_t child; /* the launcher that we have started */
} up_t;

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

/* With such a sink stdout is for its records, and what we say ourselves goes to stderr. */
static FILE *
voice_of (const mr_config_t *config)
{
    return stdout_sink (config) != NULL ? stderr : stdout;
}

/* One line of our own to whoever gets them (voice). */
static void say (FILE *voice, const char *format, ...) MR_PRINTF (2, 3);

static void
say (FILE *voice, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    vfprintf (voice, format, args);
    va_end (args);
    fputc ('\n', voice);
    fflush (voice);
}

static bool
show_note (void *arg, const json_t *note)
{
    mr_notes_take (arg, note, mr_clock_mono_ns ());
    return !mr_watch_interrupted ();
}

static int64_t
timeout_of (const up_t *self, int64_t fallback_ms)
{
    return self->cli->timeout_ms > 0 ? self->cli->timeout_ms : fallback_ms;
}

/* Ask the launcher that runs to say when the chain is up. Returns its exit code (err: why it is
 * not 0); INTERRUPTED. */
static int
wait_up (const up_t *self, bool *ret_gone, mr_error_t *err)
{
    const mr_plan_t *plan = &self->plan;
    int stages = plan->stage_count + 1;
    json_t *answer = NULL;
    mr_notes_t notes = {.voice = self->voice, .starting = true};
    mr_client_ask_t ask = {
        .request = json_pack ("{s:s}", "command", "wait"),
        .timeout_ms = timeout_of (self, stages * plan->limits.start_timeout_ms + UP_SPARE_MS),
        .replay = true,
        .note = show_note,
        .arg = &notes,
    };
    int code = mr_client_ask (plan, &ask, &answer, err);
    *ret_gone = ask.died || (answer == NULL && code == MR_EXIT_TEMPORARY);
    json_decref (answer);
    return code;
}

/* The same of the launcher that we have started, which may end before it answers. */
static int
wait_own (const up_t *self, mr_launch_t *launch)
{
    mr_error_t err;
    bool gone = false;
    int code = wait_up (self, &gone, &err);
    if (gone) {
        int ended = mr_launch_ended (launch, ENDED_MS, &err);
        code = ended > 0 ? ended : code;
    }
    return code > 0 ? mr_cli_fail (self->cli, code, "%s", err.text) : code;
}

static int64_t
down_ms (const up_t *self)
{
    return self->plan.limits.stop_timeout_ms + UP_SPARE_MS;
}

static void
show_monitor (const up_t *self)
{
    const char *http = mr_config_text (mr_config_section (self->config, "monitor"), "http");
    if (http != NULL && strcmp (http, "off") != 0) {
        say (self->voice, "monitor: http://%s/", http);
    }
}

/* Whether the chain is up through somebody else. Returns the exit code; NOBODY: no launcher is
 * there, or not any more. */
static int
join (const up_t *self)
{
    mr_error_t err;
    mr_standing_t other;
    const char *run_dir = self->plan.run_dir;
    mr_status_t status = mr_standing_ask (&self->plan, self->cli->timeout_ms, &other, &err);
    if (status == MR_CLOSED) {
        return NOBODY;
    }
    if (status != MR_OK) {
        return mr_cli_fail (self->cli, status == MR_AGAIN ? MR_EXIT_TIMEOUT : MR_EXIT_FAILED, "%s",
                            err.text);
    }
    if (other.phase == MR_PHASE_STOPPING) {
        say (self->voice, "the chain in %s is going down; it starts again after that", run_dir);
        bool gone =
            mr_client_wait_gone (&self->plan, "launcher", timeout_of (self, down_ms (self)));
        return gone ? NOBODY
                    : mr_cli_fail (self->cli, MR_EXIT_TIMEOUT, "the chain is still going down");
    }
    if (other.config[0] != '\0' &&
        mr_plan_same_file (&self->plan, other.config, self->plan.config, &err) != MR_OK) {
        return mr_cli_fail (self->cli, MR_EXIT_CONFIG, "%s", err.text);
    }
    say (self->voice, "already %s in %s (launcher pid %d)",
         other.phase == MR_PHASE_STARTING ? "starting" : "running", run_dir, (int)other.pid);
    bool gone = false;
    int code = other.phase == MR_PHASE_STARTING ? wait_up (self, &gone, &err) : MR_EXIT_OK;
    if (gone) {
        return NOBODY;
    }
    if (code == MR_EXIT_OK) {
        show_monitor (self);
    }
    return code > 0 ? mr_cli_fail (self->cli, code, "%s", err.text) : code;
}

/* The launcher that could not start the chain takes down what has started and ends; wait for that.
 * One that found workers running keeps them, and goes on. */
static void
wait_ended (const up_t *self)
{
    mr_error_t err;
    mr_standing_t standing;
    if (mr_standing_ask (&self->plan, self->cli->timeout_ms, &standing, &err) != MR_OK ||
        standing.phase == MR_PHASE_STOPPING) {
        (void)mr_client_wait_gone (&self->plan, "launcher", down_ms (self));
    }
}

/* Start a launcher. Returns the exit code; INTERRUPTED; NOBODY: another one was first. */
static int
start (up_t *self)
{
    mr_error_t err;
    mr_launch_t launch = {.plan = &self->plan, .foreground = !self->cli->set[MR_CLI_DETACH]};
    mr_status_t status = mr_launch (&launch, &err);
    if (status == MR_AGAIN) {
        return NOBODY;
    }
    if (status != MR_OK) {
        return mr_cli_fail (self->cli, mr_cli_code (status), "%s", err.text);
    }
    int code = wait_own (self, &launch);
    if (code == MR_EXIT_OK) {
        show_monitor (self);
    } else if (code > 0 && code != MR_EXIT_TIMEOUT) {
        wait_ended (self);
    }
    self->child = launch.child;
    return code;
}

/* What must be so before anything starts. Returns 0, else the exit code. */
static int
check (const up_t *self)
{
    mr_plan_t plan;
    const mr_config_section_t *sink =
        self->cli->set[MR_CLI_DETACH] ? stdout_sink (self->config) : NULL;
    if (sink != NULL) {
        return mr_cli_fail (self->cli, MR_EXIT_CONFIG,
                            "%s:%d: [sink %s]: type = stdout works only in the foreground; "
                            "leave --detach out, or take a file sink",
                            mr_config_file (self->config), mr_config_section_line (sink),
                            mr_config_section_name (sink));
    }
    return mr_check_configuration (self->cli->config, &plan);
}

static int
up (up_t *self)
{
    char unseen[MR_UNSEEN_BYTES];
    if (mr_unseen_still (&self->plan, UNSEEN_MS, unseen)) {
        return mr_cli_fail (self->cli, MR_EXIT_TEMPORARY, "%s", unseen);
    }
    int code = join (self);
    if (code != NOBODY || (code = check (self)) != MR_EXIT_OK) {
        return code;
    }
    signal (SIGPIPE, SIG_IGN); /* who reads our lines may go first; we drain all the same */
    mr_watch_signals ();
    code = start (self);
    for (int tries = 0; code == NOBODY && tries < START_TRIES; tries++) {
        code = join (self);
        if (code == NOBODY) {
            code = start (self);
        }
    }
    if (code == NOBODY) {
        return mr_cli_fail (self->cli, MR_EXIT_TEMPORARY, "launchers come and go in %s; try again",
                            self->plan.run_dir);
    }
    bool detach = self->cli->set[MR_CLI_DETACH];
    bool watch = code == INTERRUPTED || (code == MR_EXIT_OK && !detach);
    if (self->child.pidfd >= 0 && watch) {
        if (self->voice == stderr) { /* the workers have our stdout for themselves */
            (void)!dup2 (STDERR_FILENO, STDOUT_FILENO);
        }
        /* After Ctrl-C this only takes down what has started. */
        int watched = mr_watch (self->cli, self->config, &self->plan, &self->child);
        return watched == MR_EXIT_OK && detach ? MR_EXIT_FAILED : watched;
    }
    return code == INTERRUPTED ? MR_EXIT_FAILED : code;
}

int
mr_cmd_up (mr_cli_t *cli)
{
    up_t self = {.cli = cli, .child = {.pidfd = -1, .ready_fd = -1}};
    mr_config_t *config = NULL;
    int code = mr_cli_load (cli, &config, &self.plan);
    if (code == 0) {
        self.config = config;
        self.voice = voice_of (config);
        code = up (&self);
        mr_child_release (&self.child);
        mr_config_destroy (&config);
    }
    return code;
}
