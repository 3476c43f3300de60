#include "launcher/supervisor.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/runtime/bus.h"
#include "common/runtime/presence.h"
#include "common/wire/jsonwriter.h"
#include "launcher/args.h"
#include "launcher/jobs.h"
#include "launcher/leftover.h"
#include "launcher/report.h"
#include "launcher/requests.h"
#include "launcher/scalefile.h"
#include "launcher/server.h"

#include <czmq.h>
#include <sys/resource.h>
#include <sys/signalfd.h>

/* Processes and requests wake the loop by themselves; these are for deadlines and for lock files of
 * workers that others started. */
enum { SCAN_MS = 1000, BUSY_TICK_MS = 50 };

/* Everything of one launcher. */
typedef struct supervisor {
    mr_launcher_args_t args;
    mr_plan_t plan;
    mr_worker_t *worker; /* our own lock, RUN/launcher.lock */
    mr_loop_t *loop;
    mr_server_t *server;
    mr_bus_t *bus;
    mr_unit_env_t env;
    mr_roster_t roster;
    mr_jobs_t jobs;
    mr_requests_t requests;
    int signal_fd;
    int64_t scanned_ns;
    bool done;
    bool replaced; /* another launcher has our place */
    int exit_code;
    mr_presence_t presence;
    int scale[MR_PLAN_MAX_STAGES]; /* workers, as the scale file has them */
    bool scaled;                   /* there is such a file */
} supervisor_t;

/* ---- telling ---- */

static void
publish (supervisor_t *self, const char *what, const char *worker, const char *text)
{
    char topic[64];
    mr_buffer_t stamp;
    mr_buffer_t json;
    mr_jsonwriter_t writer;
    if (self->bus == NULL) {
        return;
    }
    mr_buffer_init (&stamp, 4096);
    mr_buffer_init (&json, 16384);
    mr_buffer_t body;
    mr_buffer_init (&body, 8192);
    mr_jsonwriter_init (&writer, &body);
    mr_jsonwriter_open (&writer, NULL, '{');
    mr_jsonwriter_text (&writer, "what", what);
    mr_jsonwriter_text (&writer, "subject", worker);
    mr_jsonwriter_text (&writer, "message", text);
    mr_jsonwriter_close (&writer, '}');
    snprintf (topic, sizeof topic, "launcher.%s", what);
    if (mr_jsonwriter_finish (&writer) == MR_OK && mr_bus_stamp (self->bus, &stamp) == MR_OK &&
        mr_buffer_append (&json, body.data, body.size - 1) == MR_OK &&
        mr_buffer_printf (&json, ",%.*s}", (int)stamp.size, stamp.data) == MR_OK) {
        mr_bus_publish (self->bus, topic, &json);
    }
    mr_buffer_release (&stamp);
    mr_buffer_release (&body);
    mr_buffer_release (&json);
}

static void
on_note (void *arg, const mr_unit_t *unit, const char *what, const char *text)
{
    supervisor_t *self = arg;
    const char *worker = unit != NULL ? unit->name : "";
    bool bad =
        strcmp (what, "died") == 0 || strcmp (what, "killed") == 0 || strcmp (what, "waits") == 0;
    mr_log (strcmp (what, "given_up") == 0 ? MR_LOG_ERROR
            : bad                          ? MR_LOG_WARN
                                           : MR_LOG_INFO,
            "%s", text);
    publish (self, what, worker, text);
    char now[MR_RFC3339_BYTES];
    mr_clock_format (mr_clock_wall_ns (), now);
    json_t *note =
        json_pack ("{s:s,s:s,s:s,s:s}", "note", what, "worker", worker, "text", text, "ts", now);
    if (note != NULL && self->server != NULL) {
        mr_server_note (self->server, note);
    } else {
        json_decref (note);
    }
}

/* ---- being told ---- */

static void
go_down (supervisor_t *self, bool now)
{
    mr_error_t err;
    mr_job_t job = {.kind = MR_JOB_DOWN, .now = now, .slot = -1};
    if (mr_jobs_add (&self->jobs, &job, &err) != MR_OK) {
        mr_log_error ("%s", err.text);
    }
}

static void
reopen (supervisor_t *self)
{
    mr_log_reopen ();
    for (int i = 0; i < self->roster.count; i++) {
        mr_unit_reopen (self->roster.units[i]);
    }
}

static void
on_signal (void *arg, short revents)
{
    supervisor_t *self = arg;
    struct signalfd_siginfo info;
    (void)revents;
    while (read (self->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            reopen (self);
        } else {
            mr_log_info ("SIG%s: the chain goes down", sigabbrev_np ((int)info.ssi_signo));
            go_down (self, info.ssi_signo == SIGINT && mr_jobs_busy (&self->jobs, MR_JOB_DOWN));
        }
    }
}

/* Once the chain is up. */
static void
finish_left (supervisor_t *self)
{
    for (int i = 0; i < self->plan.stage_count; i++) {
        mr_error_t err;
        mr_job_t job = {.kind = MR_JOB_FINISH, .slot = -1, .look_ns = 1};
        snprintf (job.stage, sizeof job.stage, "%s", self->plan.stages[i].name);
        if (mr_leftover_may (job.stage) && mr_jobs_add (&self->jobs, &job, &err) != MR_OK) {
            mr_log_error ("%s", err.text);
        }
    }
}

static void
on_job_done (void *arg, const mr_job_t *job)
{
    supervisor_t *self = arg;
    if (job->kind == MR_JOB_DOWN) {
        self->done = true;
    }
    mr_requests_job_done (&self->requests, job);
    if (job->kind == MR_JOB_UP && job->code != MR_EXIT_OK && !job->ended &&
        !self->requests.adopted) {
        self->exit_code = job->code;
        if (self->args.quiet) { /* for `up`, should the answer not reach it */
            fprintf (stderr, "%s\n", job->text);
        }
        mr_log_error ("the chain cannot start, and what has started is stopped again");
        go_down (self, false);
    } else if (job->kind == MR_JOB_UP && !job->ended) {
        finish_left (self);
    }
    if (job->kind == MR_JOB_FINISH && job->code != MR_EXIT_OK && !job->ended) {
        mr_log_error ("%s", job->text);
    }
}

/* ---- setting up ---- */

static mr_status_t
open_signals (supervisor_t *self, mr_error_t *err)
{
    sigset_t set;
    sigemptyset (&set);
    sigaddset (&set, SIGTERM);
    sigaddset (&set, SIGINT);
    sigaddset (&set, SIGHUP);
    signal (SIGPIPE, SIG_IGN);
    if (sigprocmask (SIG_BLOCK, &set, NULL) != 0) {
        return mr_error_errno (err, "sigprocmask");
    }
    self->signal_fd = signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return self->signal_fd < 0 ? mr_error_errno (err, "signalfd") : MR_OK;
}

static void
raise_limits (void)
{
    struct rlimit limit;
    if (getrlimit (RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit (RLIMIT_NOFILE, &limit);
    }
}

static mr_status_t
open_log (supervisor_t *self, mr_error_t *err)
{
    char path[PATH_MAX + 16];
    snprintf (path, sizeof path, "%s/launcher.log", self->plan.log_dir);
    mr_log_stderr (!self->args.quiet);
    return mr_log_open (path, err);
}

static mr_status_t
open_bus (supervisor_t *self, mr_error_t *err)
{
    mr_bus_options_t options = {
        .zmq = zsys_init (),
        .run_dir = self->plan.run_dir,
        .domain = "launcher",
        .worker = "launcher",
        .slot = -1,
        .incarnation = mr_worker_incarnation (self->worker),
    };
    return mr_bus_new (&options, &self->bus, err);
}

static mr_status_t
load (supervisor_t *self, mr_error_t *err)
{
    mr_config_t *config = NULL;
    mr_status_t status = mr_config_load (self->args.config, NULL, &config, err);
    if (status == MR_OK) {
        status = mr_plan_read (config, &self->plan, err);
    }
    mr_config_destroy (&config);
    return status;
}

static mr_status_t
set_up (supervisor_t *self, mr_error_t *err)
{
    mr_status_t status = load (self, err);
    if (status == MR_OK) {
        status = mr_plan_make_dirs (&self->plan, err);
    }
    if (status == MR_OK) {
        status = open_signals (self, err);
    }
    if (status == MR_OK) {
        status = mr_worker_claim (self->plan.run_dir, "launcher", -1, &self->worker, err);
    }
    if (status == MR_OK) {
        status = open_log (self, err);
    }
    if (status == MR_OK) {
        status = mr_loop_new (&self->loop);
    }
    if (status == MR_OK) {
        zsys_handler_set (NULL);
        status = open_bus (self, err);
    }
    if (status == MR_OK) {
        status = mr_server_new (self->plan.run_dir, self->loop, &self->server, err);
    }
    if (status != MR_OK) {
        return status;
    }
    self->env = (mr_unit_env_t){
        .plan = &self->plan,
        .loop = self->loop,
        .foreground = self->args.foreground,
        .note = on_note,
        .arg = self,
    };
    mr_roster_init (&self->roster, &self->env);
    mr_jobs_init (&self->jobs, &self->plan, &self->roster);
    mr_jobs_on_done (&self->jobs, on_job_done, self);
    mr_requests_init (&self->requests, self->server, &self->jobs);
    mr_loop_add (self->loop, mr_loop_fd (self->signal_fd), ZMQ_POLLIN, on_signal, self);
    return MR_OK;
}

/* ---- running ---- */

static void
begin (supervisor_t *self)
{
    raise_limits ();
    mr_error_t err;
    int adopted = mr_roster_scan (&self->roster);
    self->requests.adopted = adopted > 0;
    self->requests.ending = self->args.adopt_only;
    if (adopted > 0) {
        self->scaled = mr_scalefile_read (&self->plan);
    } else { /* of a chain that was killed whole: the next launcher must not take it for ours */
        mr_scalefile_remove (&self->plan);
    }
    for (int i = 0; i < self->plan.stage_count; i++) {
        self->scale[i] = self->plan.stages[i].workers;
    }
    mr_worker_set_state (self->worker, MR_WORKER_RUNNING);
    mr_log_info ("launcher runs, pid %d, %d workers found", (int)getpid (), adopted);
    if (!self->args.adopt_only) {
        mr_job_t up = {.kind = MR_JOB_UP, .slot = -1, .strict = adopted == 0};
        if (mr_jobs_add (&self->jobs, &up, &err) != MR_OK) {
            mr_log_error ("%s", err.text);
        }
    }
    if (self->args.ready_fd >= 0) {
        (void)!write (self->args.ready_fd, "\n", 1);
        close (self->args.ready_fd);
    }
}

/* As soon as it is begun: the next launcher is to go on with it. */
static void
remember_scale (supervisor_t *self)
{
    bool changed = false;
    for (int i = 0; i < self->plan.stage_count; i++) {
        changed = changed || self->scale[i] != self->plan.stages[i].workers;
        self->scale[i] = self->plan.stages[i].workers;
    }
    if (changed) {
        self->scaled = true;
        mr_scalefile_write (&self->plan);
    }
}

/* See that our files are in their places, once a second. False: they are not, and cannot be. */
static bool
hold (supervisor_t *self, int64_t now_ns)
{
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_worker_hold (self->worker, &err);
    if (status == MR_OK) {
        status = mr_server_hold (self->server, &err);
    }
    if (status == MR_OK && self->scaled && !mr_scalefile_there (&self->plan)) {
        mr_scalefile_write (&self->plan);
    }
    if (mr_presence_look (&self->presence, status, &err, MR_PRESENCE_LAUNCHER_MS, now_ns) &&
        self->exit_code == MR_EXIT_OK) {
        self->exit_code = MR_EXIT_TEMPORARY;
        if (status == MR_AGAIN) {
            self->replaced = true; /* another launcher has the place, and the workers */
        } else {
            on_note (self, NULL, "lost", "the run directory is lost: the chain goes down");
            go_down (self, false);
        }
    }
    return status == MR_OK;
}

/* How long nothing can become due unless something wakes the loop. */
static int
tick_ms (const supervisor_t *self)
{
    bool busy = self->jobs.count > 0;
    for (int i = 0; i < self->roster.count; i++) {
        const mr_policy_t *policy = &self->roster.units[i]->policy;
        busy = busy || policy->deadline_ns != 0 || policy->state == MR_POLICY_STARTING;
    }
    return busy ? BUSY_TICK_MS : SCAN_MS;
}

static void
look_at_workers (supervisor_t *self, int64_t now_ns)
{
    (void)mr_roster_scan (&self->roster);
    for (int i = 0; i < self->roster.count; i++) {
        mr_unit_watch_progress (self->roster.units[i], now_ns);
    }
}

static void
run (supervisor_t *self)
{
    self->scanned_ns = mr_clock_mono_ns ();
    while (!self->done && !self->replaced) {
        int64_t now_ns = mr_clock_mono_ns ();
        if (now_ns - self->scanned_ns >= SCAN_MS * MR_NS_PER_MS) {
            self->scanned_ns = now_ns;
            if (hold (self, now_ns)) {
                look_at_workers (self, now_ns);
            }
        }
        for (int i = 0; i < self->roster.count; i++) {
            mr_unit_tick (self->roster.units[i], now_ns);
        }
        mr_jobs_run (&self->jobs, now_ns);
        remember_scale (self);
        mr_server_tick (self->server, now_ns);
        if (self->requests.reopen) {
            self->requests.reopen = false;
            reopen (self);
        }
        if (!self->done && mr_loop_once (self->loop, tick_ms (self)) != MR_OK) {
            mr_log_error ("the launcher cannot poll: %s; workers live on", strerror (errno));
            self->exit_code = MR_EXIT_FAILED;
            break;
        }
    }
}

static void
tear_down (supervisor_t *self)
{
    if (self->done) {
        mr_scalefile_remove (&self->plan);
        mr_roster_sweep (&self->roster);
        mr_log_info ("the chain is down");
    }
    mr_jobs_release (&self->jobs);
    mr_roster_release (&self->roster);
    mr_server_destroy (&self->server);
    mr_bus_destroy (&self->bus);
    mr_loop_destroy (&self->loop);
    if (self->signal_fd >= 0) {
        close (self->signal_fd);
    }
    zsys_shutdown ();
    mr_worker_release (&self->worker);
}

int
mr_launcher_main (int argc, char **argv)
{
    supervisor_t self = {.signal_fd = -1};
    mr_error_t err;
    int code = mr_launcher_args_parse (argc, argv, &self.args);
    if (code >= 0) {
        return code;
    }
    mr_log_init ("launcher", MR_LOG_INFO);
    mr_status_t status = set_up (&self, &err);
    if (status == MR_OK) {
        begin (&self);
        run (&self);
    } else {
        fprintf (stderr, "millrace-launcher: %s\n", err.text);
        self.exit_code = status == MR_CONFIG  ? MR_EXIT_CONFIG
                         : status == MR_AGAIN ? MR_EXIT_TEMPORARY
                                              : MR_EXIT_FAILED;
    }
    tear_down (&self);
    return self.exit_code;
}
