#include "launcher/unit.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/wire/crumb.h"
#include "launcher/textfile.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum { PATH_BYTES = PATH_MAX + MR_WORKER_NAME_BYTES + 16 };

static void perform (mr_unit_t *self, mr_policy_action_t action);

static void note (mr_unit_t *self, const char *what, const char *format, ...) MR_PRINTF (3, 4);

static void
note (mr_unit_t *self, const char *what, const char *format, ...)
{
    char text[2 * MR_UNIT_REASON_BYTES];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    self->env->note (self->env->arg, self, what, text);
}

mr_status_t
mr_unit_new (const mr_unit_env_t *env, const char *stage, int slot, mr_unit_t **ret_unit)
{
    mr_unit_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    self->env = env;
    self->slot = slot;
    self->rank = mr_plan_find (env->plan, stage);
    self->child = (mr_child_t){.pidfd = -1, .ready_fd = -1};
    self->last_code = -1;
    snprintf (self->stage, sizeof self->stage, "%s", stage);
    if (slot < 0) {
        snprintf (self->name, sizeof self->name, "%s", stage);
    } else {
        snprintf (self->name, sizeof self->name, "%.48s.%d", stage, slot);
    }
    *ret_unit = self;
    return MR_OK;
}

static void
unwatch (mr_unit_t *self, int *watch_p)
{
    if (*watch_p != 0) {
        mr_loop_remove (self->env->loop, *watch_p);
        *watch_p = 0;
    }
}

static void
forget_process (mr_unit_t *self)
{
    unwatch (self, &self->exit_watch);
    unwatch (self, &self->ready_watch);
    mr_child_release (&self->child);
}

void
mr_unit_destroy (mr_unit_t **self_p)
{
    if (*self_p != NULL) {
        forget_process (*self_p);
        free (*self_p);
        *self_p = NULL;
    }
}

static void
file_path (const mr_unit_t *self, const char *suffix, char path[PATH_BYTES])
{
    snprintf (path, PATH_BYTES, "%s/%s.%s", self->env->plan->log_dir, self->name, suffix);
}

/* The last thing that the process said, or how it ended. */
static void
find_reason (mr_unit_t *self)
{
    char path[PATH_BYTES];
    char line[MR_UNIT_REASON_BYTES - 80] = "";
    if (self->policy.waits) { /* its files may be where no more goes */
        snprintf (self->reason, sizeof self->reason, "cannot start yet: %s", self->child.waits);
        return;
    }
    file_path (self, "stderr", path);
    bool said = mr_textfile_last_words (path, self->stderr_at, line, sizeof line);
    if (!said) {
        file_path (self, "log", path);
        said = mr_textfile_last_words (path, self->log_at, line, sizeof line);
    }
    char how[64];
    if (self->late) {
        snprintf (how, sizeof how, "killed, being late");
    } else if (self->last_signal != 0) {
        snprintf (how, sizeof how, "killed by SIG%s", sigabbrev_np (self->last_signal));
    } else if (self->last_code >= 0) {
        snprintf (how, sizeof how, "exit code %d", self->last_code);
    } else {
        snprintf (how, sizeof how, "gone");
    }
    snprintf (self->reason, sizeof self->reason, "%s%s%s", how, said ? ": " : "", line);
}

/* Once for as long as it is the same. */
static void
tell_waiting (mr_unit_t *self)
{
    if (strcmp (self->told, self->reason) != 0) {
        snprintf (self->told, sizeof self->told, "%s", self->reason);
        note (self, "waits", "%s %s; it tries again until it can", self->name, self->reason);
    }
}

static void
tell_end (mr_unit_t *self, bool draining, bool late)
{
    bool waits = self->policy.waits;
    switch (self->policy.state) {
    case MR_POLICY_GIVEN_UP:
        note (self, "given_up", "%s is given up: %s; `millrace restart %s` tries again", self->name,
              self->reason, self->name);
        break;
    case MR_POLICY_BACKING_OFF:
        if (waits) {
            tell_waiting (self);
            break;
        }
        note (self, "died", "%s died: %s; it starts again", self->name, self->reason);
        break;
    case MR_POLICY_STOPPED:
    case MR_POLICY_STARTING:
    case MR_POLICY_RUNNING:
    case MR_POLICY_DRAINING:
    case MR_POLICY_STATES:
        if (late) {
            note (self, "killed", "%s had to be killed: it did not stop in time", self->name);
        } else if (draining) {
            note (self, "stopped", "%s stopped", self->name);
        } else {
            note (self, "stopped", "%s, started by hand, is gone", self->name);
        }
        break;
    }
}

/* Its lock file outlives it and tells whether this life got on with anything. One that died at a
 * record has worked: that the record goes to the dead letters is ingest's business, and several of
 * them in a row are no reason to give the worker up. */
static void
note_work (mr_unit_t *self)
{
    mr_worker_info_t info;
    if (mr_worker_read (self->env->plan->run_dir, self->name, &info, NULL) == MR_OK &&
        info.incarnation == self->child.incarnation &&
        (info.traces.progress > 0 || info.traces.crumb != 0)) {
        mr_unit_event (self, NULL, MR_POLICY_WORKED);
    }
}

static void
become_ready (mr_unit_t *self)
{
    mr_worker_info_t info;
    if (mr_worker_read (self->env->plan->run_dir, self->name, &info, NULL) == MR_OK) {
        self->child.incarnation = info.incarnation;
    }
    self->told[0] = '\0';
    mr_unit_event (self, NULL, MR_POLICY_READY);
    if (self->policy.state == MR_POLICY_RUNNING) {
        note (self, "running", "%s runs, pid %d", self->name, (int)self->child.pid);
    }
}

static void
on_ready_watch (void *arg, short revents)
{
    mr_unit_t *self = arg;
    (void)revents;
    mr_status_t status = mr_child_take_ready (&self->child);
    if (status == MR_AGAIN) {
        return;
    }
    unwatch (self, &self->ready_watch);
    if (status == MR_OK) {
        become_ready (self);
    }
}

static void
on_exit_watch (void *arg, short revents)
{
    mr_unit_t *self = arg;
    (void)revents;
    int code = -1;
    int signal = 0;
    if (self->ready_watch != 0) {
        on_ready_watch (self, 0); /* it may have been ready before it died */
    }
    if (mr_child_reap (&self->child, &code, &signal) != MR_OK) {
        return;
    }
    bool draining = self->policy.state == MR_POLICY_DRAINING;
    bool late = self->policy.killed;
    self->late = late;
    self->last_code = code;
    self->last_signal = signal;
    note_work (self);
    if (self->child.waits[0] != '\0') {
        mr_unit_event (self, NULL, MR_POLICY_WAITS);
    }
    self->reason[0] = '\0';
    if (!draining || late) {
        find_reason (self);
    }
    forget_process (self); /* its lock file stays: its successor, and ingest, read its traces */
    mr_policy_action_t action = mr_policy_exited (&self->policy, &self->env->plan->limits, code,
                                                  signal, mr_clock_mono_ns ());
    tell_end (self, draining, late);
    perform (self, action);
}

static bool
watch (mr_unit_t *self)
{
    mr_loop_t *loop = self->env->loop;
    self->exit_watch =
        mr_loop_add (loop, mr_loop_fd (self->child.pidfd), ZMQ_POLLIN, on_exit_watch, self);
    if (self->child.ready_fd >= 0) {
        self->ready_watch =
            mr_loop_add (loop, mr_loop_fd (self->child.ready_fd), ZMQ_POLLIN, on_ready_watch, self);
    }
    self->life++;
    self->since_ns = mr_clock_mono_ns ();
    self->late = false;
    return self->exit_watch != 0;
}

static void
mark_texts (mr_unit_t *self)
{
    char path[PATH_BYTES];
    file_path (self, "stderr", path);
    self->stderr_at = mr_textfile_size (path);
    file_path (self, "log", path);
    self->log_at = mr_textfile_size (path);
}

static mr_status_t
spawn (mr_unit_t *self, mr_error_t *err)
{
    char program[PATH_MAX];
    char name[MR_WORKER_NAME_BYTES + 16];
    char slot[16];
    char stderr_path[PATH_BYTES];
    char ready[8];
    snprintf (name, sizeof name, "millrace-%s", self->stage);
    if (mr_child_find (name, program, err) != MR_OK) {
        return MR_SYSTEM;
    }
    snprintf (slot, sizeof slot, "%d", self->slot);
    snprintf (ready, sizeof ready, "%d", MR_CHILD_READY_FD);
    file_path (self, "stderr", stderr_path);
    char config[PATH_MAX];
    snprintf (config, sizeof config, "%s", self->env->plan->config);
    char c_option[] = "-c";
    char ready_option[] = "--ready-fd";
    char n_option[] = "-n";
    char quiet_option[] = "--quiet"; /* its log file is enough; stderr is for what comes before */
    char *argv[] = {program,      c_option, config, ready_option, ready,
                    quiet_option, n_option, slot,   NULL};
    if (self->slot < 0) {
        argv[6] = NULL;
    }
    mr_child_spec_t spec = {
        .argv = argv,
        .stderr_path = stderr_path,
        .inherit_stdout = self->env->foreground,
    };
    mark_texts (self);
    return mr_child_spawn (&spec, &self->child, err);
}

static void
start (mr_unit_t *self)
{
    mr_error_t err;
    mr_status_t status = mr_child_adopt (self->env->plan->run_dir, self->name, &self->child, &err);
    if (status == MR_OK) {
        mark_texts (self);
        (void)watch (self);
        note (self, "adopted", "%s runs already, pid %d: adopted", self->name,
              (int)self->child.pid);
        mr_unit_tick (self, mr_clock_mono_ns ());
        return;
    }
    status = spawn (self, &err);
    if (status == MR_OK && watch (self)) {
        note (self, "started", "%s started, pid %d", self->name, (int)self->child.pid);
        return;
    }
    self->last_code = MR_EXIT_FAILED;
    self->last_signal = 0;
    snprintf (self->reason, sizeof self->reason, "%.590s", err.text);
    mr_policy_action_t action = mr_policy_exited (&self->policy, &self->env->plan->limits,
                                                  MR_EXIT_FAILED, 0, mr_clock_mono_ns ());
    tell_end (self, false, false);
    perform (self, action);
}

static void
send_signal (mr_unit_t *self, int signal)
{
    mr_error_t err;
    if (mr_child_signal (&self->child, self->env->plan->run_dir, self->name, signal, &err) ==
        MR_SYSTEM) {
        mr_log_error ("%s", err.text);
    }
    if (signal == SIGTERM || signal == SIGUSR1) {
        /* A stopped process takes SIGTERM only when it goes on; it may have been stopped by a
         * person, so it is left as it is, and killed when the time is up. */
        note (self, "draining", "%s drains", self->name);
    }
}

static void
perform (mr_unit_t *self, mr_policy_action_t action)
{
    switch (action) {
    case MR_POLICY_NONE:
        break;
    case MR_POLICY_SPAWN:
        start (self);
        break;
    case MR_POLICY_TERM:
        send_signal (self, SIGTERM);
        break;
    case MR_POLICY_KILL:
        send_signal (self, SIGKILL);
        break;
    case MR_POLICY_USR1:
        send_signal (self, SIGUSR1);
        break;
    }
}

void
mr_unit_event (mr_unit_t *self, const mr_policy_limits_t *limits, mr_policy_event_t event)
{
    if (limits == NULL) {
        limits = &self->env->plan->limits;
    }
    perform (self, mr_policy_step (&self->policy, limits, event, mr_clock_mono_ns ()));
}

void
mr_unit_tick (mr_unit_t *self, int64_t now_ns)
{
    if (self->policy.state == MR_POLICY_STARTING && self->child.pidfd >= 0 && !self->child.ours) {
        mr_worker_info_t info;
        if (mr_worker_read (self->env->plan->run_dir, self->name, &info, NULL) == MR_OK &&
            info.alive && info.state != MR_WORKER_STARTING) {
            become_ready (self);
        }
    }
    perform (self,
             mr_policy_step (&self->policy, &self->env->plan->limits, MR_POLICY_TICK, now_ns));
}

void
mr_unit_watch_progress (mr_unit_t *self, int64_t now_ns)
{
    const mr_plan_t *plan = self->env->plan;
    mr_worker_info_t info;
    if (self->child.pidfd < 0 || mr_worker_read (plan->run_dir, self->name, &info, NULL) != MR_OK ||
        !info.alive || !mr_watchdog_look (&self->watchdog, &info.traces, plan->hang_ms, now_ns)) {
        return;
    }
    self->watchdog.since_ns = 0;
    mr_error_t err;
    if (mr_worker_accuse (plan->run_dir, self->name, info.incarnation, MR_EVIDENCE_HANG) == MR_OK &&
        mr_child_signal (&self->child, plan->run_dir, self->name, SIGKILL, &err) == MR_OK) {
        note (self, "killed", "%s made no progress on a batch for %lld s: killed", self->name,
              (long long)(plan->hang_ms / 1000));
    }
}

void
mr_unit_adopt (mr_unit_t *self)
{
    if (self->child.pidfd >= 0) {
        return;
    }
    mr_error_t err;
    if (mr_child_adopt (self->env->plan->run_dir, self->name, &self->child, &err) != MR_OK) {
        return;
    }
    mark_texts (self);
    (void)watch (self);
    note (self, "adopted", "%s was found running, pid %d: adopted", self->name,
          (int)self->child.pid);
    mr_unit_event (self, NULL, MR_POLICY_ADOPT);
    mr_unit_tick (self, mr_clock_mono_ns ());
}

void
mr_unit_reopen (mr_unit_t *self)
{
    if (self->child.pidfd >= 0 && self->policy.state == MR_POLICY_RUNNING) {
        send_signal (self, SIGHUP);
    }
}
