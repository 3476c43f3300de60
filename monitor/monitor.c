#include "monitor/monitor.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/runtime/config.h"
#include "common/runtime/loop.h"
#include "common/runtime/pipeline_dirs.h"
#include "common/runtime/presence.h"
#include "common/runtime/process.h"
#include "common/runtime/program_args.h"
#include "common/runtime/worker.h"
#include "monitor/http.h"
#include "monitor/hub.h"
#include "monitor/listen.h"
#include "monitor/pages.h"
#include "monitor/registry.h"
#include "monitor/snapshot.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

enum {
    TICK_MS = 1000,
    MALFORMED_LOG_NS = 1000000000, /* at most one line about malformed events in so long */
};

typedef struct monitor {
    mr_program_args_t args;
    mr_config_t *config;
    mr_worker_t *worker;
    mr_loop_t *loop;
    void *zmq;
    mr_hub_t *hub;
    mr_http_t *http;
    mr_registry_t *registry;
    mr_pages_t pages;
    char snapshot_path[PATH_MAX];
    int signal_fd;
    mr_presence_t presence;
    int exit_code;
    int64_t malformed_logged_ns;
    uint64_t malformed_unsaid;
    bool snapshot_failed; /* said once */
    bool scan_failed;
} monitor_t;

static const char *
pipeline_text (const monitor_t *self, const char *key)
{
    return mr_config_text (mr_config_section (self->config, "pipeline"), key);
}

static const mr_config_section_t *
own_section (const monitor_t *self)
{
    return mr_config_section (self->config, "monitor");
}

/* ---- events ---- */

/* A flood of bad events makes one line a second, with their number. */
static void
say_malformed (monitor_t *self, const char *topic, const char *why, int64_t mono_ns)
{
    self->malformed_unsaid++;
    if (self->malformed_logged_ns != 0 && mono_ns - self->malformed_logged_ns < MALFORMED_LOG_NS) {
        return;
    }
    mr_log_warn ("refused %llu malformed event%s; the last one, topic \"%s\": %s",
                 (unsigned long long)self->malformed_unsaid, self->malformed_unsaid == 1 ? "" : "s",
                 topic, why);
    self->malformed_unsaid = 0;
    self->malformed_logged_ns = mono_ns;
}

static bool
on_event (void *arg, const mr_hub_event_t *event)
{
    monitor_t *self = arg;
    int64_t mono_ns = mr_clock_mono_ns ();
    if (event->fault != NULL) {
        self->registry->malformed++;
        say_malformed (self, event->topic, event->fault, mono_ns);
        return false;
    }
    if (strncmp (event->topic, "tap.", 4) == 0) {
        return true;
    }
    mr_error_t err = {.text = ""};
    mr_raw_event_t raw = {.topic = event->topic, .json = event->json, .bytes = event->bytes};
    mr_status_t status = mr_registry_event (self->registry, &raw, mono_ns, &err);
    if (status == MR_INVALID) {
        say_malformed (self, event->topic, err.text, mono_ns);
    }
    return status != MR_INVALID;
}

/* ---- once a second ---- */

typedef struct found {
    mr_worker_info_t *workers;
    size_t count;
    size_t capacity;
} found_t;

static void
collect_worker (const mr_worker_info_t *info, void *arg)
{
    found_t *found = arg;
    if (found->count == found->capacity) {
        size_t capacity = found->capacity > 0 ? 2 * found->capacity : 16;
        mr_worker_info_t *workers = realloc (found->workers, capacity * sizeof *workers);
        if (workers == NULL) {
            return; /* seen again by the next scan */
        }
        found->workers = workers;
        found->capacity = capacity;
    }
    found->workers[found->count++] = *info;
}

static void
scan_workers (void *arg)
{
    monitor_t *self = arg;
    mr_error_t err = {.text = ""};
    found_t found = {.workers = NULL};
    mr_status_t status =
        mr_worker_each (pipeline_text (self, "run_dir"), collect_worker, &found, &err);
    if (status == MR_OK) {
        status = mr_registry_workers (self->registry, found.workers, found.count);
    }
    if (status != MR_OK && !self->scan_failed) {
        mr_log_warn ("cannot look for workers: %s", err.text);
    }
    self->scan_failed = status != MR_OK;
    free (found.workers);
}

/* See that our files are in their places; end when nobody can find us any more. */
static void
hold (monitor_t *self, int64_t mono_ns)
{
    mr_error_t err = {.text = ""};
    int64_t patience_ms =
        MR_PRESENCE_WORKER_MS +
        mr_config_number (mr_config_section (self->config, "pipeline"), "stop_timeout");
    mr_status_t status = mr_worker_hold (self->worker, &err);
    if (status == MR_OK) {
        status = mr_hub_hold (self->hub, &err);
    }
    if (mr_presence_look (&self->presence, status, &err, patience_ms, mono_ns)) {
        self->exit_code = MR_EXIT_TEMPORARY;
        mr_loop_stop (self->loop);
    }
}

static void
on_tick (void *arg, int64_t mono_ns)
{
    monitor_t *self = arg;
    hold (self, mono_ns);
    scan_workers (self);
    mr_registry_tick (self->registry, mono_ns);
}

static void
save_snapshot (monitor_t *self)
{
    mr_error_t err = {.text = ""};
    mr_status_t status =
        mr_snapshot_save (self->registry, self->snapshot_path, mr_clock_wall_ns (), &err);
    if (status != MR_OK && !self->snapshot_failed) {
        mr_log_error ("the totals are not saved, a restart would lose them: %s", err.text);
    } else if (status == MR_OK && self->snapshot_failed) {
        mr_log_info ("the totals are saved again");
    }
    self->snapshot_failed = status != MR_OK;
}

static void
on_snapshot (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    save_snapshot (arg);
}

static void
log_figures (monitor_t *self)
{
    mr_buffer_t line;
    mr_buffer_init (&line, 64 << 10);
    mr_report_t report = self->pages.report;
    report.mono_ns = mr_clock_mono_ns ();
    report.wall_ns = mr_clock_wall_ns ();
    if (mr_report_line (&report, &line) == MR_OK) {
        mr_log_info ("%.*s", (int)line.size, line.data);
    }
    mr_buffer_release (&line);
}

static void
on_log_timer (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    log_figures (arg);
}

static void
on_signal (void *arg, short revents)
{
    (void)revents;
    monitor_t *self = arg;
    struct signalfd_siginfo info;
    while (read (self->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            mr_log_reopen ();
            mr_log_info ("log reopened");
        } else {
            mr_loop_stop (self->loop);
        }
    }
}

/* ---- start ---- */

typedef struct chain {
    const char *stages[MR_REGISTRY_STAGES];
    char names[MR_REGISTRY_STAGES][MR_WORKER_NAME_BYTES];
    size_t count;
} chain_t;

static void
collect_stage (const char *word, void *arg)
{
    chain_t *chain = arg;
    if (chain->count < MR_REGISTRY_STAGES) {
        snprintf (chain->names[chain->count], sizeof chain->names[0], "%s", word);
        chain->stages[chain->count] = chain->names[chain->count];
        chain->count++;
    }
}

static mr_status_t
make_registry (monitor_t *self, mr_error_t *err)
{
    chain_t chain = {.count = 0};
    mr_config_words (pipeline_text (self, "chain"), collect_stage, &chain);
    return mr_registry_new (chain.stages, chain.count, &self->registry, err);
}

static mr_status_t
load_snapshot (monitor_t *self, mr_error_t *err)
{
    snprintf (self->snapshot_path, sizeof self->snapshot_path, "%s/monitor.snapshot.json",
              pipeline_text (self, "data_dir"));
    mr_status_t status = make_registry (self, err);
    if (status != MR_OK) {
        return status;
    }
    status = mr_snapshot_load (self->registry, self->snapshot_path, err);
    if (status == MR_INVALID) {
        mr_log_warn ("%s; totals start from what the workers say", err->text);
        mr_registry_destroy (&self->registry);
        return make_registry (self, err);
    }
    return status == MR_CLOSED ? MR_OK : status;
}

static mr_status_t
open_places (monitor_t *self, mr_error_t *err)
{
    mr_status_t status = mr_pipeline_dirs_make (self->config, err);
    if (status == MR_OK) { /* from here on a stop clears the lock file away */
        status = mr_process_signals (&self->signal_fd, err);
    }
    if (status == MR_OK) {
        status =
            mr_worker_claim (pipeline_text (self, "run_dir"), "monitor", -1, &self->worker, err);
    }
    return status == MR_OK ? mr_process_log (self->config, "monitor", self->args.quiet, err)
                           : status;
}

static mr_status_t
open_http (monitor_t *self, mr_error_t *err)
{
    const char *address = mr_config_text (own_section (self), "http");
    if (address == NULL || strcmp (address, "off") == 0) {
        mr_log_info ("http is off");
        return MR_OK;
    }
    mr_http_options_t options = {
        .address = address,
        .loop = self->loop,
        .routes = mr_pages_routes (),
        .arg = &self->pages,
    };
    mr_status_t status = mr_http_new (&options, &self->http, err);
    if (status != MR_OK) {
        mr_error_prefix (err, "%s: [monitor] http", mr_config_path (self->config));
    }
    if (status == MR_AGAIN) {
        mr_error_t cause = *err;
        mr_error_set (err,
                      "%s; another program has this port: stop it, or choose another HOST:PORT, "
                      "or off",
                      cause.text);
    }
    if (status == MR_OK && !mr_http_is_loopback (self->http)) {
        mr_log_warn ("http://%s/ can be read by everybody who reaches this machine, "
                     "without a password",
                     mr_http_address (self->http));
    }
    return status;
}

static mr_status_t
start_timers (monitor_t *self, mr_error_t *err)
{
    int snapshot_ms = (int)mr_config_number (own_section (self), "snapshot");
    int log_ms = (int)mr_config_number (own_section (self), "log_interval");
    if (mr_loop_add (self->loop, mr_loop_fd (self->signal_fd), ZMQ_POLLIN, on_signal, self) == 0 ||
        mr_loop_timer (self->loop, TICK_MS, on_tick, self) == 0 ||
        mr_loop_timer (self->loop, snapshot_ms, on_snapshot, self) == 0 ||
        mr_loop_timer (self->loop, log_ms, on_log_timer, self) == 0) {
        return mr_error_errno (err, "loop");
    }
    return MR_OK;
}

static mr_status_t
start (monitor_t *self, mr_error_t *err)
{
    mr_process_descriptors ();
    mr_status_t status = open_places (self, err);
    if (status == MR_OK) {
        status = load_snapshot (self, err);
    }
    if (status != MR_OK) {
        return status;
    }
    self->pages = (mr_pages_t){
        .report =
            {
                .registry = self->registry,
                .pipeline = pipeline_text (self, "name"),
                .mono_start_ns = mr_clock_mono_ns (),
            },
        .look = scan_workers,
        .arg = self,
    };
    self->zmq = zmq_ctx_new ();
    status = self->zmq != NULL ? mr_loop_new (&self->loop) : MR_SYSTEM;
    if (status != MR_OK) {
        return mr_error_errno (err, "cannot start libzmq");
    }
    status = open_http (self, err);
    if (status == MR_OK) {
        status =
            mr_hub_new (self->zmq, self->loop, pipeline_text (self, "run_dir"), &self->hub, err);
    }
    if (status == MR_OK) {
        mr_hub_on_event (self->hub, on_event, self);
        status = start_timers (self, err);
    }
    return status;
}

static void
tell_ready (monitor_t *self)
{
    scan_workers (self);
    mr_registry_tick (self->registry, mr_clock_mono_ns ());
    mr_worker_set_state (self->worker, MR_WORKER_RUNNING);
    if (self->http != NULL) {
        mr_log_info ("ready, http://%s/", mr_http_address (self->http));
    } else {
        mr_log_info ("ready");
    }
    if (self->args.ready_fd >= 0) {
        (void)!write (self->args.ready_fd, "\n", 1);
        close (self->args.ready_fd);
    }
}

static int
run (monitor_t *self)
{
    mr_error_t err = {.text = ""};
    mr_status_t status = start (self, &err);
    if (status != MR_OK) {
        mr_log_error ("%s", err.text);
        return mr_process_failed (status, &err, self->args.ready_fd);
    }
    tell_ready (self);
    if (mr_loop_run (self->loop) != MR_OK) {
        mr_log_error ("cannot wait for messages: %s", zmq_strerror (errno));
        return MR_EXIT_FAILED;
    }
    log_figures (self);
    save_snapshot (self);
    return self->exit_code;
}

static void
stop (monitor_t *self)
{
    mr_http_destroy (&self->http);
    mr_hub_destroy (&self->hub);
    mr_loop_destroy (&self->loop);
    if (self->zmq != NULL) {
        while (zmq_ctx_term (self->zmq) != 0 && errno == EINTR) {
        }
    }
    mr_registry_destroy (&self->registry);
    if (self->signal_fd >= 0) {
        close (self->signal_fd);
    }
    if (self->worker != NULL) {
        mr_log_info ("stopped");
    }
    mr_worker_release (&self->worker);
    mr_config_destroy (&self->config);
}

static void
print_fault (const char *text, void *arg)
{
    (void)arg;
    fprintf (stderr, "%s\n", text);
}

int
mr_monitor_main (int argc, char **argv)
{
    static const mr_program_t program = {
        .name = "monitor",
        .help = "Watches the pipeline: the event bus, its figures over HTTP, a page, /metrics.",
        .signals = "SIGTERM and SIGINT stop it; SIGHUP reopens the log file.",
        .busy = "port taken or another monitor runs",
    };
    monitor_t self = {.signal_fd = -1};
    int code = mr_program_args_parse (argc, argv, &program, &self.args);
    if (code >= 0) {
        return code;
    }
    mr_log_init ("monitor", MR_LOG_INFO);
    if (self.args.check) {
        int faults = mr_config_check (self.args.config_path, NULL, print_fault, NULL);
        return faults == 0 ? MR_EXIT_OK : MR_EXIT_CONFIG;
    }
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_config_load (self.args.config_path, NULL, &self.config, &err);
    if (status != MR_OK) {
        fprintf (stderr, "%s\n", err.text);
        return mr_process_failed (status, &err, self.args.ready_fd);
    }
    code = run (&self);
    stop (&self);
    return code;
}
