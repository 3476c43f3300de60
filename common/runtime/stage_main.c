#include "common/runtime/stage_private.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/runtime/fatal.h"
#include "common/runtime/pipeline_dirs.h"
#include "common/runtime/process.h"
#include "common/runtime/program_args.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum {
    TICK_MS = 1000,
    DRAIN_STEP_MS = 5,
    ALONE_MS = 1000,
    DONE_HWM = 100000,
    HINT_LINGER_MS = 500, /* done messages and notices only save time */
};

/* ---- start ---- */

static const char *
pipeline_text (const mr_stage_t *self, const char *key)
{
    return mr_config_text (mr_config_section (self->config, "pipeline"), key);
}

/* Large blocks come and go with each batch: keep them in the heap rather than map and unmap them.
 */
static void
keep_heap (void)
{
    mallopt (M_MMAP_THRESHOLD, 32 << 20);
    mallopt (M_TRIM_THRESHOLD, 16 << 20);
}

static mr_status_t
open_bus (mr_stage_t *self, mr_error_t *err)
{
    mr_bus_options_t options = {
        .zmq = self->zmq,
        .loop = self->loop,
        .run_dir = pipeline_text (self, "run_dir"),
        .domain = self->ops->name,
        .worker = mr_stage_worker (self),
        .slot = self->slot,
        .incarnation = mr_stage_incarnation (self),
    };
    return mr_bus_new (&options, &self->bus, err);
}

static void
ignore_room (void *arg)
{
    (void)arg;
}

static mr_status_t
open_links (mr_stage_t *self, mr_error_t *err)
{
    const char *run_dir = pipeline_text (self, "run_dir");
    bool is_last = self->next_stage[0] == '\0';
    mr_peers_options_t options = {
        .zmq = self->zmq,
        .loop = self->loop,
        .run_dir = run_dir,
        .stage = is_last ? self->first_stage : self->next_stage,
        .hwm = is_last ? DONE_HWM : MR_DATA_HWM,
        .immediate = !is_last,
        .lost = is_last ? NULL : mr_stage_on_lost,
        .linger_ms = is_last ? HINT_LINGER_MS
                             : (int)mr_config_number (mr_config_section (self->config, "pipeline"),
                                                      "stop_timeout"),
        .room = mr_stage_on_room,
        .arg = self,
    };
    mr_status_t status = mr_peers_new (&options, &self->peers, err);
    if (status == MR_OK && !is_last && !self->is_source) {
        options.stage = self->first_stage;
        options.hwm = DONE_HWM;
        options.immediate = false;
        options.linger_ms = HINT_LINGER_MS;
        options.lost = NULL;
        options.room = ignore_room;
        status = mr_peers_new (&options, &self->sources, err);
    }
    if (status != MR_OK) {
        return status;
    }
    if (!self->is_source && mr_worker_predecessor (self->worker) != NULL) {
        mr_stage_report_death (self);
        mr_stage_notify_loss (self); /* whoever was here before may have held batches */
    }
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/%s.ipc", run_dir, mr_stage_worker (self));
    mr_inbox_options_t inbox = {
        .zmq = self->zmq,
        .loop = self->loop,
        .path = path,
        .hwm = self->is_source ? DONE_HWM : MR_DATA_HWM,
        .readable = mr_stage_on_readable,
        .arg = self,
    };
    return mr_inbox_new (&inbox, &self->inbox, err);
}

static mr_status_t
start (mr_stage_t *self, mr_error_t *err)
{
    if (mr_fatal_watch (mr_worker_page (self->worker)) != MR_OK) {
        return mr_error_errno (err, "signal handlers");
    }
    self->zmq = zmq_ctx_new ();
    if (self->zmq == NULL) {
        return mr_error_errno (err, "cannot start libzmq");
    }
    zmq_ctx_set (self->zmq, ZMQ_MAX_SOCKETS, 4096);
    self->callbacks = mr_stage_flow_callbacks;
    self->callbacks.stage = self;
    mr_status_t status = mr_loop_new (&self->loop);
    if (status == MR_OK) {
        status = open_bus (self, err);
    }
    if (status == MR_OK) {
        status = self->ops->create (self, &self->state, err);
    }
    if (status == MR_OK) {
        status = open_links (self, err);
    }
    return status;
}

/* ---- the end ---- */

static void
publish_counters (mr_stage_t *self, const char *state)
{
    mr_buffer_t members;
    mr_buffer_init (&members, MR_BATCH_MAX_BYTES);
    mr_status_t status = mr_buffer_printf (
        &members, ",\"blocked_ms\":%lld",
        (long long)(mr_stage_blocked_ns (self, mr_clock_mono_ns ()) / MR_NS_PER_MS));
    if (status == MR_OK && self->ops->counters != NULL) {
        status = self->ops->counters (self->state, &members);
    }
    if (status == MR_OK) {
        mr_bus_counters (self->bus, state, &members);
    }
    mr_buffer_release (&members);
}

/* When a whole chain is told to stop at once, the stages below may be gone first. What is for them
 * is in the journal, and is sent again when the chain starts again. */
static bool
is_abandoned (mr_stage_t *self, int64_t mono_ns)
{
    if (mr_peers_any (self->peers)) {
        self->alone_since_ns = 0;
        return false;
    }
    if (self->alone_since_ns == 0) {
        self->alone_since_ns = mono_ns;
    }
    return mono_ns - self->alone_since_ns >= ALONE_MS * MR_NS_PER_MS;
}

static void
drop_pending (mr_stage_t *self)
{
    if (self->has_pending) {
        mr_log_info ("nobody is left to take the last batch; ingest sends it again");
        zmq_msg_close (&self->pending);
        self->has_pending = false;
        mr_stage_notify_loss (self);
        mr_inbox_enable (self->inbox, !self->has_kept);
    }
}

/* A source first lets everything that it took in come back as done, and only then lets the last
 * stage close the way back; the others first let their upstreams say farewell. */
static void
drain_step (void *arg, int64_t mono_ns)
{
    mr_stage_t *self = arg;
    bool drained = self->ops->drained == NULL || self->ops->drained (self->state);
    if (!self->left && self->next_stage[0] != '\0' && is_abandoned (self, mono_ns)) {
        drop_pending (self);
        if (self->is_source && !drained && !self->gave_up && !self->leaving) {
            mr_log_info ("nobody is left downstream; what is in flight stays in the journal");
            self->gave_up = true;
        }
    }
    drained = drained || self->gave_up;
    if (self->is_source && !drained) {
        return;
    }
    if (!self->withdrawn) {
        self->withdrawn = true;
        mr_inbox_withdraw (self->inbox);
        return;
    }
    if (!mr_inbox_quiet (self->inbox, mono_ns) || self->has_pending || self->has_kept) {
        return;
    }
    if (!self->quiet) {
        self->quiet = true;
        if (self->ops->quiet != NULL) {
            self->ops->quiet (self->state);
        }
        return;
    }
    if (!drained) {
        return;
    }
    if (!self->left) {
        self->left = true;
        mr_peers_leave (self->peers);
        if (self->sources != NULL) {
            mr_peers_leave (self->sources);
        }
    }
    if (mr_peers_gone (self->peers) && (self->sources == NULL || mr_peers_gone (self->sources))) {
        mr_loop_stop (self->loop);
    }
}

/* Told once more to stop. SIGTERM may come from several who mean the same: the launcher, its
 * successor, the system that goes down and tells everybody at once. */
static void
stop_again (mr_stage_t *self, bool at_once)
{
    if (self->leaving) {
        self->leaving = false;
        mr_log_info ("draining, and no longer waiting for what another life can do");
    } else if (at_once) {
        mr_log_warn ("stopped at once, without draining");
        _exit (MR_EXIT_FAILED);
    }
}

static void
begin_stop (mr_stage_t *self, bool at_once)
{
    if (self->stopping) {
        stop_again (self, at_once);
        return;
    }
    self->stopping = true;
    mr_log_info ("draining");
    mr_worker_set_state (self->worker, MR_WORKER_DRAINING);
    if (self->ops->stop_intake != NULL) {
        self->ops->stop_intake (self->state);
    }
    if (mr_loop_timer (self->loop, DRAIN_STEP_MS, drain_step, self) == 0) {
        mr_loop_stop (self->loop);
    }
}

static void
leave (mr_stage_t *self)
{
    if (!self->stopping) {
        begin_stop (self, false);
        self->leaving = true;
    }
}

static void
on_signal (void *arg, short revents)
{
    (void)revents;
    mr_stage_t *self = arg;
    struct signalfd_siginfo info;
    while (read (self->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGUSR1) {
            leave (self);
            continue;
        }
        if (info.ssi_signo != SIGHUP) {
            begin_stop (self, info.ssi_signo == SIGINT);
            continue;
        }
        mr_log_reopen ();
        if (self->ops->reopen != NULL) {
            self->ops->reopen (self->state);
        }
        mr_log_info ("files reopened");
    }
}

static void
on_tick (void *arg, int64_t mono_ns)
{
    mr_stage_t *self = arg;
    if (mr_stage_hold (self, mono_ns)) {
        self->exit_code = MR_EXIT_TEMPORARY;
        begin_stop (self, false);
    }
    if (self->ops->tick != NULL) {
        self->ops->tick (self->state, mono_ns);
    }
    publish_counters (self, self->stopping ? "draining" : "running");
}

static void
tell_ready (mr_stage_t *self, int ready_fd)
{
    mr_worker_set_state (self->worker, MR_WORKER_RUNNING);
    if (ready_fd >= 0) {
        (void)!write (ready_fd, "\n", 1);
        close (ready_fd);
    }
    mr_log_info ("ready");
}

static void
stop (mr_stage_t *self)
{
    if (self->bus != NULL && self->state != NULL && self->inbox != NULL) {
        if (self->ops->finish != NULL) {
            self->ops->finish (self->state);
        }
        publish_counters (self, "stopped");
    }
    if (self->state != NULL) {
        self->ops->destroy (&self->state);
    }
    mr_inbox_destroy (&self->inbox);
    mr_peers_destroy (&self->peers);
    mr_peers_destroy (&self->sources);
    mr_bus_destroy (&self->bus);
    mr_loop_destroy (&self->loop);
    if (self->zmq != NULL) {
        while (zmq_ctx_term (self->zmq) != 0 && errno == EINTR) {
        }
    }
    if (self->worker != NULL) {
        mr_log_info ("stopped");
    }
    mr_worker_release (&self->worker);
    mr_config_destroy (&self->config);
}

static int
run (mr_stage_t *self, const mr_program_args_t *args, mr_error_t *err)
{
    mr_status_t status = mr_pipeline_dirs_make (self->config, err);
    if (status == MR_OK) { /* from here on whoever is told to stop clears its lock file away */
        status = mr_process_signals (&self->signal_fd, err);
    }
    if (status == MR_OK) {
        status = mr_worker_claim (pipeline_text (self, "run_dir"), self->ops->name, self->slot,
                                  &self->worker, err);
    }
    if (status == MR_OK) {
        status = mr_process_log (self->config, mr_stage_worker (self), args->quiet, err);
    }
    if (status == MR_OK) {
        status = start (self, err);
    }
    if (status == MR_OK &&
        (mr_loop_add (self->loop, mr_loop_fd (self->signal_fd), ZMQ_POLLIN, on_signal, self) == 0 ||
         mr_loop_timer (self->loop, TICK_MS, on_tick, self) == 0)) {
        status = mr_error_errno (err, "loop");
    }
    if (status != MR_OK) {
        mr_log_error ("%s", err->text);
        return mr_process_failed (status, err, args->ready_fd);
    }
    tell_ready (self, args->ready_fd);
    if (mr_loop_run (self->loop) != MR_OK) {
        mr_log_error ("cannot wait for messages: %s", zmq_strerror (errno));
        return MR_EXIT_FAILED;
    }
    return self->exit_code;
}

static void
print_fault (const char *text, void *arg)
{
    (void)arg;
    fprintf (stderr, "%s\n", text);
}

/* Load the configuration and look at all that can be wrong with it. With --check all faults are
 * printed, else the first. Returns the exit code. */
static int
configure (mr_stage_t *self, const mr_program_args_t *args)
{
    const mr_stage_ops_t *ops = self->ops;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_config_open (args->config_path, ops->schema, &self->config, &err);
    if (status == MR_OK) {
        mr_stage_find_place (self, !args->check);
        status = ops->check != NULL ? ops->check (self->config, args->check, &err) : MR_OK;
    }
    if (status == MR_OK && args->check) {
        return mr_config_report (self->config, print_fault, NULL) == 0 ? MR_EXIT_OK
                                                                       : MR_EXIT_CONFIG;
    }
    if (status == MR_OK) {
        status = mr_config_verdict (self->config, &err);
    }
    if (status != MR_OK) {
        fprintf (stderr, "%s\n", err.text);
        return status == MR_CONFIG ? MR_EXIT_CONFIG : MR_EXIT_FAILED;
    }
    return MR_EXIT_OK;
}

int
mr_stage_main (int argc, char **argv, const mr_stage_ops_t *ops)
{
    const mr_program_t program = {
        .name = ops->name,
        .help = ops->help,
        .signals = "SIGTERM or SIGINT drains and stops, a SIGINT after it stops at once; SIGUSR1 "
                   "stops for good, when\n"
                   "all of its journal or spool is done; SIGHUP reopens files.",
        .busy = "temporary",
        .has_slot = true,
    };
    mr_program_args_t args;
    int code = mr_program_args_parse (argc, argv, &program, &args);
    if (code >= 0) {
        return code;
    }
    mr_stage_t self = {.ops = ops, .slot = args.slot, .signal_fd = -1};
    mr_error_t err = {.text = ""};
    char who[MR_WORKER_NAME_BYTES];
    snprintf (who, sizeof who, "%s.%d", ops->name, args.slot);
    mr_log_init (who, MR_LOG_INFO);
    mr_process_descriptors ();
    keep_heap ();
    code = configure (&self, &args);
    if (code == MR_EXIT_OK && !args.check) {
        code = run (&self, &args, &err);
    }
    stop (&self);
    return code;
}
