#include "launcher/chaos/chaos.h"

#include "common/base/clock.h"
#include "launcher/audit.h"
#include "launcher/chaos/load.h"
#include "launcher/chaos/tail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>

enum {
    STEP_MS = 20,
    DRAIN_MS = 60000,
    RECORD_ROOM = 300,       /* bytes on the disk for a record: sink, spool, journal */
    FASTEST = 400000,        /* records/s */
    SPARE_BYTES = 512 << 20, /* logs, and files that are kept in stock */
};

typedef struct chaos {
    const mr_chaos_options_t *options;
    mr_chaos_result_t *result;
    mr_scratch_t scratch;
    mr_plan_t plan;
    mr_harm_t *harm;
    mr_tail_t *tail;
    mr_load_t *loads[MR_CHAOS_PRODUCERS];
    const char *doing;
    int allowed; /* so often somebody may have asked for the end */
    int64_t began_ns;
} chaos_t;

static void
count (chaos_t *self)
{
    self->result->sent = self->result->acknowledged = 0;
    for (int i = 0; i < MR_CHAOS_PRODUCERS; i++) {
        if (self->loads[i] != NULL) {
            self->result->acknowledged += mr_load_acknowledged (self->loads[i]);
            self->result->sent += mr_load_made (self->loads[i]);
        }
    }
}

static bool
on_tick (void *arg)
{
    chaos_t *self = arg;
    count (self);
    mr_chaos_progress_t progress = {
        .doing = self->doing,
        .elapsed_ms = (mr_clock_mono_ns () - self->began_ns) / MR_NS_PER_MS,
        .sent = self->result->sent,
        .acknowledged = self->result->acknowledged,
        .harm = mr_harm_counts (self->harm),
    };
    return self->options->tick (self->options->arg, &progress) <= self->allowed;
}

/* ---- beginning ---- */

static mr_status_t
check_room (const chaos_t *self, mr_error_t *err)
{
    struct statvfs disk;
    double rate =
        self->options->rate > 0 && self->options->rate < FASTEST ? self->options->rate : FASTEST;
    double needed = rate * (double)self->options->for_ms / 1000 * RECORD_ROOM + (double)SPARE_BYTES;
    if (statvfs (self->scratch.folder, &disk) != 0) {
        return mr_error_errno (err, "%s", self->scratch.folder);
    }
    double free_bytes = (double)disk.f_bavail * (double)disk.f_frsize;
    if (free_bytes < needed) {
        mr_error_set (err,
                      "%s has %.0f MiB free, and up to %.0f may be needed: take a smaller --rate "
                      "or --for, or another directory by TMPDIR",
                      self->scratch.folder, free_bytes / (1 << 20), needed / (1 << 20));
        return MR_SYSTEM;
    }
    return MR_OK;
}

static mr_status_t
load_plan (chaos_t *self, mr_error_t *err)
{
    mr_config_t *config = NULL;
    mr_status_t status = mr_config_load (self->scratch.config, NULL, &config, err);
    if (status == MR_OK) {
        status = mr_plan_read (config, &self->plan, err);
    }
    if (status == MR_OK) {
        status = mr_plan_make_dirs (&self->plan, err);
    }
    mr_config_destroy (&config);
    return status;
}

static mr_status_t
start_load (chaos_t *self, mr_error_t *err)
{
    mr_status_t status = mr_tail_start (self->scratch.folder, &self->tail, err);
    for (unsigned i = 0; i < MR_CHAOS_PRODUCERS && status == MR_OK; i++) {
        char endpoint[PATH_MAX + 32];
        snprintf (endpoint, sizeof endpoint, "ipc://%s/in%u", self->plan.run_dir, i);
        status = mr_load_start (endpoint, i, self->options->rate / MR_CHAOS_PRODUCERS,
                                &self->loads[i], err);
    }
    return status;
}

static mr_status_t
prepare (chaos_t *self, mr_error_t *err)
{
    /* The disk is filled only where everything is done. */
    bool small = strcmp (self->options->kill, "all") == 0;
    mr_status_t status = mr_scratch_make (small, &self->scratch, err);
    if (status != MR_OK) {
        return status;
    }
    if (small) {
        self->result->no_disk_full = self->scratch.why_not;
    } else {
        mr_error_set (&self->result->no_disk_full, "only with --kill all");
    }
    status = check_room (self, err);
    if (status == MR_OK) {
        status = load_plan (self, err);
    }
    mr_harm_options_t options = {
        .scratch = &self->scratch,
        .plan = &self->plan,
        .seed = self->options->seed,
        .kill = self->options->kill,
        .every_ms = self->options->every_ms,
        .tick = on_tick,
        .arg = self,
    };
    if (status == MR_OK) {
        status = mr_harm_new (&options, &self->harm, err);
    }
    if (status != MR_OK) {
        mr_scratch_remove (&self->scratch);
    }
    return status;
}

/* ---- the run ---- */

static const char *
load_fault (const chaos_t *self)
{
    for (int i = 0; i < MR_CHAOS_PRODUCERS; i++) {
        const char *fault = mr_load_fault (self->loads[i]);
        if (fault != NULL) {
            return fault;
        }
    }
    return NULL;
}

static mr_status_t
do_harm (chaos_t *self, mr_error_t *err)
{
    int64_t harm_ns = mr_clock_mono_ns ();
    int64_t end_ns = harm_ns + self->options->for_ms * MR_NS_PER_MS;
    mr_status_t status = MR_OK;
    while (status == MR_OK && mr_clock_mono_ns () < end_ns) {
        status = mr_harm_one (self->harm, end_ns, err);
        if (status == MR_OK && load_fault (self) != NULL) {
            mr_error_set (err, "%s", load_fault (self));
            status = MR_INVALID;
        }
    }
    self->result->harm_ms = (mr_clock_mono_ns () - harm_ns) / MR_NS_PER_MS;
    return status == MR_CLOSED ? MR_OK : status; /* ended early, by somebody */
}

/* Everything that was made is acknowledged. */
static mr_status_t
finish_load (chaos_t *self, mr_error_t *err)
{
    int64_t end_ns = mr_clock_mono_ns () + self->options->settle_ms * MR_NS_PER_MS;
    bool done = false;
    for (int i = 0; i < MR_CHAOS_PRODUCERS; i++) {
        mr_load_end (self->loads[i]);
    }
    while (!done) {
        done = true;
        for (int i = 0; i < MR_CHAOS_PRODUCERS; i++) {
            done = done && mr_load_done (self->loads[i]);
        }
        if (load_fault (self) != NULL) {
            mr_error_set (err, "%s", load_fault (self));
            return MR_INVALID;
        }
        if (!done && mr_clock_mono_ns () >= end_ns) {
            mr_error_set (err, "not all that was sent is acknowledged after %.0f s",
                          (double)self->options->settle_ms / 1000);
            return MR_SYSTEM;
        }
        if (!mr_harm_pause (self->harm, done ? 0 : STEP_MS)) {
            return MR_CLOSED;
        }
    }
    return MR_OK;
}

/* Wait until the sinks have it, as far as the audit can see: `down` is shorter then. Whether it is
 * so is judged later. */
static mr_status_t
wait_settled (chaos_t *self)
{
    char data_dir[PATH_MAX];
    int64_t end_ns = mr_clock_mono_ns () + DRAIN_MS * MR_NS_PER_MS;
    snprintf (data_dir, sizeof data_dir, "%.4000s/data", self->scratch.folder);
    bool settled = false;
    while (!settled && mr_clock_mono_ns () < end_ns) {
        json_t *audit = NULL;
        if (mr_audit_read (data_dir, NULL, &audit, NULL) == MR_OK) {
            settled = json_integer_value (json_object_get (audit, "in_flight")) == 0 &&
                      json_integer_value (json_object_get (audit, "pending")) == 0;
            json_decref (audit);
        }
        if (!mr_harm_pause (self->harm, STEP_MS)) {
            return MR_CLOSED;
        }
    }
    return MR_OK;
}

static void
take_quantiles (chaos_t *self)
{
    const mr_quantiles_t *durations = mr_tail_stop (self->tail);
    self->result->p50_ms = mr_quantiles_ms (durations, 0.5);
    self->result->p99_ms = mr_quantiles_ms (durations, 0.99);
    self->result->p999_ms = mr_quantiles_ms (durations, 0.999);
    self->result->max_ms = mr_quantiles_ms (durations, 1);
}

static mr_status_t
judge (chaos_t *self, mr_error_t *err)
{
    uint64_t made[MR_CHAOS_PRODUCERS];
    for (int i = 0; i < MR_CHAOS_PRODUCERS; i++) {
        made[i] = mr_load_made (self->loads[i]);
    }
    count (self);
    take_quantiles (self);
    mr_status_t status =
        mr_proof_read (self->scratch.folder, made, MR_CHAOS_PRODUCERS, &self->result->proof, err);
    self->result->judged = status == MR_OK;
    return status;
}

static mr_status_t
run (chaos_t *self, mr_error_t *err)
{
    self->doing = "start";
    mr_status_t status = mr_harm_up (self->harm, err);
    if (status == MR_OK) {
        status = start_load (self, err);
    }
    if (status == MR_OK) {
        self->doing = "harm";
        self->began_ns = mr_clock_mono_ns ();
        status = do_harm (self, err);
    }
    if (status == MR_OK) {
        self->doing = "drain";
        self->allowed = 1;
        status = mr_harm_end (self->harm, err);
    }
    if (status == MR_OK) {
        status = finish_load (self, err);
    }
    if (status == MR_OK) {
        status = wait_settled (self);
    }
    if (status == MR_OK) {
        status = mr_harm_down (self->harm, err);
    }
    return status == MR_OK ? judge (self, err) : status;
}

bool
mr_chaos_proven (const mr_chaos_result_t *self)
{
    return self->judged && self->fault.text[0] == '\0' && self->sent == self->acknowledged &&
           self->sent > 0 && mr_proof_holds (&self->proof);
}

/* Nothing stays but what the user needs to see why. */
static void
clean_up (chaos_t *self)
{
    mr_error_t err;
    mr_chaos_result_t *result = self->result;
    if (!mr_harm_kill_all (self->harm)) {
        mr_error_set (&result->fault, "not all processes in %s can be killed", self->plan.run_dir);
    }
    mr_tail_destroy (&self->tail);
    for (int i = 0; i < MR_CHAOS_PRODUCERS; i++) {
        mr_load_destroy (&self->loads[i]);
    }
    result->harm = *mr_harm_counts (self->harm);
    mr_harm_destroy (&self->harm);
    if (mr_chaos_proven (result) || result->interrupted) {
        mr_scratch_remove (&self->scratch);
        return;
    }
    snprintf (result->folder, sizeof result->folder, "%s", self->scratch.folder);
    if (mr_scratch_keep (&self->scratch, &err) != MR_OK && result->fault.text[0] == '\0') {
        result->fault = err;
    }
}

mr_status_t
mr_chaos_run (const mr_chaos_options_t *options, mr_chaos_result_t *ret_result, mr_error_t *err)
{
    chaos_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "chaos");
    }
    memset (ret_result, 0, sizeof *ret_result);
    self->options = options;
    self->result = ret_result;
    self->doing = "start";
    self->began_ns = mr_clock_mono_ns ();
    /* Workers whose launcher is killed become our children, so that none is left unreaped. */
    (void)prctl (PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL);
    mr_status_t status = prepare (self, err);
    if (status == MR_OK) {
        mr_status_t ran = run (self, &ret_result->fault);
        ret_result->interrupted = ran == MR_CLOSED;
        if (ran == MR_OK || ran == MR_CLOSED) {
            ret_result->fault.text[0] = '\0';
        }
        clean_up (self);
    }
    free (self);
    return status;
}
