#include "stages/exporter/exporter.h"

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/delivery/durability.h"
#include "common/delivery/spool.h"
#include "common/wire/jsontext.h"
#include "stages/exporter/latency.h"
#include "stages/exporter/metric_output.h"
#include "stages/exporter/outputs.h"
#include "stages/exporter/retention.h"
#include "stages/exporter/spool_report.h"
#include "stages/exporter/windows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOCK_WAIT_MS = 2000 };

#define FAILING_SINK_NS (5 * MR_NS_PER_S) /* so long a stop waits for it */

/* A batch in the spool; nothing of it that points into its frame may be used. */
typedef struct taken {
    mr_batch_t batch;
    int64_t began_ns;
} taken_t;

typedef struct exporter {
    mr_stage_t *stage;
    mr_spool_t *spool;
    mr_windows_t windows;
    mr_retention_t retention;
    mr_metric_output_t *metrics;
    mr_outputs_t *outputs;
    mr_latency_t latency;
    uint64_t limit_bytes;
    uint64_t segment_bytes;
    uint64_t trimmed_at; /* end of the spool when it was last trimmed */
    uint64_t refused;    /* stale copies */
    uint64_t freed;      /* claims given back */
    bool fsync;
    bool gone;                    /* the spool's path leads elsewhere */
    taken_t taken[MR_SPOOL_KEEP]; /* with fsync: those that wait for the disk */
    unsigned taken_count;
    int64_t quiet_ns;  /* when nothing more could come; 0: not yet */
    char waiting[256]; /* why no batch is taken; "" if they are */
} exporter_t;

static void
destroy (void **self_p)
{
    exporter_t *self = *self_p;
    mr_outputs_destroy (&self->outputs);
    mr_metric_output_destroy (&self->metrics);
    mr_retention_release (&self->retention);
    mr_windows_close (&self->windows);
    mr_spool_close (&self->spool);
    free (self);
    *self_p = NULL;
}

/* ---- why nothing is taken ---- */

static void
wait_because (exporter_t *self, const char *why)
{
    if (strncmp (self->waiting, why, sizeof self->waiting - 1) != 0) {
        snprintf (self->waiting, sizeof self->waiting, "%.255s", why);
        mr_log_warn ("%s; producers wait", self->waiting);
    }
}

static void
go_on (exporter_t *self)
{
    if (self->waiting[0] != '\0') {
        self->waiting[0] = '\0';
        mr_log_info ("takes batches again");
    }
}

/* Whether the spool is not where its path says any more: what it would take, nobody would find. */
static bool
is_gone (exporter_t *self)
{
    mr_error_t err;
    bool gone = mr_spool_in_place (self->spool, &err) != MR_OK;
    if (gone) {
        wait_because (self, err.text);
    } else if (self->gone) {
        go_on (self);
    }
    self->gone = gone;
    return gone;
}

static bool
is_full (exporter_t *self)
{
    const char *sink = "";
    if (self->gone && is_gone (self)) {
        return true;
    }
    if (!mr_outputs_full (self->outputs, self->limit_bytes, &sink)) {
        return false;
    }
    char why[sizeof self->waiting];
    snprintf (why, sizeof why, "spool full for sink %s", sink);
    wait_because (self, why);
    return true;
}

/* ---- the spool ---- */

static void
trim (exporter_t *self)
{
    uint64_t position = mr_outputs_position (self->outputs);
    uint64_t folded = mr_metric_output_position (self->metrics);
    self->trimmed_at = mr_seglog_end (mr_spool_log (self->spool));
    mr_retention_trim (&self->retention, position < folded ? position : folded);
}

static void
appended (exporter_t *self)
{
    if (mr_seglog_end (mr_spool_log (self->spool)) - self->trimmed_at >= self->segment_bytes) {
        trim (self);
    }
}

static void
report_spooled (exporter_t *self, const taken_t *taken)
{
    double ms = (double)(mr_clock_mono_ns () - taken->began_ns) / 1e6;
    mr_stage_callbacks (self->stage)->on_success (self->stage, "spool", ms, taken->batch.count);
    if (!mr_outputs_take_records (self->outputs)) {
        int64_t age_ns = mr_clock_wall_ns () - taken->batch.created_ns;
        mr_latency_add (&self->latency, (double)age_ns / 1e6);
    }
}

/* With fsync: one sync for all that was taken, and for rows of metrics; then it is done, and sinks
 * may read it. false: the disk refuses. */
static bool
commit (exporter_t *self)
{
    mr_error_t err;
    if (self->gone && is_gone (self)) {
        return false;
    }
    if (mr_spool_commit (self->spool, &err) != MR_OK) {
        wait_because (self, err.text);
        return false;
    }
    for (unsigned i = 0; i < self->taken_count; i++) {
        report_spooled (self, &self->taken[i]);
        mr_stage_settled (self->stage, &self->taken[i].batch);
    }
    if (self->taken_count > 0) {
        go_on (self);
    }
    self->taken_count = 0;
    if (self->fsync) {
        mr_outputs_wake (self->outputs);
    }
    return true;
}

static void
append_rows (void *arg, const mr_spool_metrics_t *rows)
{
    exporter_t *self = arg;
    if (is_full (self)) {
        return;
    }
    mr_error_t err;
    if (mr_spool_append_metrics (self->spool, rows, &err) != MR_OK) {
        mr_log_warn ("rows of metrics are left out, the next ones make up for them: %s", err.text);
        return;
    }
    mr_outputs_wake (self->outputs);
    appended (self);
}

/* ---- life ---- */

static const mr_config_section_t *
section (const exporter_t *self, const char *name)
{
    return mr_config_section (mr_stage_config (self->stage), name);
}

static mr_status_t
open_spool (exporter_t *self, mr_error_t *err)
{
    mr_spool_options_t options = {
        .data_dir = mr_config_text (section (self, "pipeline"), "data_dir"),
        .slot = mr_stage_slot (self->stage),
        .segment_bytes = self->segment_bytes,
        .retain_bytes = (uint64_t)mr_config_number (section (self, "exporter"), "retain_bytes"),
        .retain_ms = mr_config_number (section (self, "exporter"), "retain_for"),
        .fsync = self->fsync,
        .lock_wait_ms = LOCK_WAIT_MS,
    };
    mr_status_t status = mr_spool_open (&options, &self->spool, err);
    unsigned freed = 0;
    if (status == MR_OK) {
        status = mr_windows_open (&self->windows, options.data_dir, self->spool, &freed, err);
    }
    if (status == MR_OK) {
        status = mr_retention_init (&self->retention, self->spool, &self->windows, err);
    }
    if (freed > 0) {
        mr_log_info ("%u batches that an earlier life had begun to write are sent again", freed);
        self->freed += freed;
    }
    return status;
}

/* Each sink of metrics has rows at its own interval. */
static mr_status_t
add_metric_rows (exporter_t *self, mr_error_t *err)
{
    const mr_config_t *config = mr_stage_config (self->stage);
    const mr_config_section_t *sink = NULL;
    while ((sink = mr_config_next_section (config, "sink", sink)) != NULL) {
        const char *name = mr_config_section_name (sink);
        if (mr_config_number (sink, "input") == MR_ROWS_METRICS &&
            mr_metric_output_add (self->metrics, mr_hash64 (name, strlen (name)),
                                  mr_config_number (sink, "interval")) != MR_OK) {
            return mr_error_errno (err, "metrics");
        }
    }
    return MR_OK;
}

static mr_status_t
create (mr_stage_t *stage, void **ret_self, mr_error_t *err)
{
    exporter_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "exporter");
    }
    self->stage = stage;
    self->limit_bytes = (uint64_t)mr_config_number (section (self, "exporter"), "spool_limit");
    self->segment_bytes = (uint64_t)mr_config_number (section (self, "exporter"), "spool_segment");
    self->fsync = mr_config_number (section (self, "ingest"), "durability") == MR_DURABILITY_FSYNC;
    mr_status_t status = open_spool (self, err);
    if (status == MR_OK) {
        mr_metric_output_options_t options = {
            .stage = stage,
            .spool = self->spool,
            .fsync = self->fsync,
            .append = append_rows,
            .arg = self,
        };
        status = mr_metric_output_new (&options, &self->metrics, err);
    }
    if (status == MR_OK) {
        status = add_metric_rows (self, err);
    }
    if (status == MR_OK) {
        mr_outputs_options_t options = {
            .stage = stage,
            .spool = self->spool,
            .latency = &self->latency,
            .limit_bytes = self->limit_bytes,
            .fsync = self->fsync,
        };
        status = mr_outputs_new (&options, &self->outputs, err);
    }
    if (status != MR_OK) {
        void *failed = self;
        destroy (&failed);
        return status;
    }
    *ret_self = self;
    return MR_OK;
}

/* ---- batches ---- */

static mr_status_t
accept (exporter_t *self, const mr_stage_callbacks_t *callbacks, const mr_batch_t *batch)
{
    mr_error_t err;
    mr_window_t *window = NULL;
    bool released = false;
    mr_status_t status = mr_windows_find (&self->windows, self->spool, batch, &window, &err);
    if (status == MR_AGAIN && mr_spool_waiting (self->spool) > 0 && commit (self)) {
        status = mr_windows_find (&self->windows, self->spool, batch, &window, &err);
    }
    if (status == MR_OK) {
        mr_spool_offer_t offer = {.window = window, .batch = batch};
        mr_stage_frame (callbacks->stage, &offer.frame, &offer.bytes);
        status = mr_spool_accept (self->spool, &offer, &released, &err);
    }
    if (status == MR_CLOSED && window != NULL) {
        mr_window_count_refused (window);
    }
    if (released) {
        self->freed++;
        mr_stage_notify_loss (callbacks->stage);
    }
    if (status != MR_OK && status != MR_CLOSED) {
        wait_because (self, err.text);
        trim (self); /* what was delivered meanwhile makes room */
    }
    return status;
}

/* What was appended in [from, end) of the spool goes to the sinks by the short way. */
static void
hand_on (exporter_t *self, const mr_batch_t *batch, uint64_t from, uint64_t end)
{
    const void *data;
    mr_handed_t handed = {
        .from = from,
        .frame = {.position = from, .next = end, .type = MR_SEGLOG_DATA},
        .batch = *batch,
        .share = mr_stage_share (self->stage),
    };
    mr_spool_words (batch, handed.frame.words);
    mr_stage_frame (self->stage, &data, &handed.bytes);
    if (from < end && handed.share != NULL) {
        mr_outputs_hand (self->outputs, &handed);
    } else {
        mr_outputs_wake (self->outputs);
    }
    mr_share_release (&handed.share);
}

static void
handle (void *arg, mr_batch_t *batch, const mr_stage_callbacks_t *callbacks)
{
    exporter_t *self = arg;
    taken_t taken = {.batch = *batch, .began_ns = mr_clock_mono_ns ()};
    if (is_full (self) || (mr_spool_waiting (self->spool) == MR_SPOOL_KEEP && !commit (self))) {
        callbacks->on_later (callbacks->stage, batch);
        return;
    }
    uint64_t from = mr_seglog_end (mr_spool_log (self->spool));
    mr_status_t status = accept (self, callbacks, batch);
    if (status == MR_CLOSED) {
        self->refused++;
        callbacks->on_refused (callbacks->stage, batch);
        return;
    }
    if (status != MR_OK) {
        callbacks->on_later (callbacks->stage, batch);
        return;
    }
    uint64_t end = mr_seglog_end (mr_spool_log (self->spool));
    if (mr_metric_output_batch (self->metrics, batch, end) != MR_OK) {
        mr_log_error ("batch %" PRIu64 ": no memory for metrics", batch->seq);
        abort (); /* it is in the spool, from which the next life counts it */
    }
    if (self->fsync) {
        self->taken[self->taken_count++] = taken;
        callbacks->on_taken (callbacks->stage, batch);
    } else {
        go_on (self);
        report_spooled (self, &taken);
        callbacks->on_handled (callbacks->stage, batch);
    }
    hand_on (self, batch, from, end); /* with fsync sinks wait until it is synced */
    appended (self);
}

static void
turn_over (void *arg)
{
    exporter_t *self = arg;
    if (self->taken_count > 0) {
        (void)commit (self); /* else the next turn or tick tries again */
    }
}

static void
tick (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    exporter_t *self = arg;
    if (is_gone (self)) {
        return;
    }
    if (commit (self)) { /* totals are saved for frames that are durable */
        mr_metric_output_tick (self->metrics);
        mr_windows_refresh (&self->windows, self->spool);
    }
    trim (self);
}

/* ---- the end ---- */

static void
quiet (void *arg)
{
    exporter_t *self = arg;
    self->quiet_ns = mr_clock_mono_ns ();
    mr_metric_output_last_rows (self->metrics);
}

static bool
drained (void *arg)
{
    exporter_t *self = arg;
    bool given_up = !mr_stage_leaving (self->stage) && self->quiet_ns != 0 &&
                    mr_clock_mono_ns () - self->quiet_ns > FAILING_SINK_NS;
    return commit (self) && mr_outputs_drained (self->outputs, given_up);
}

/* Who stops may have no successor that would let the files go. */
static void
trim_all (exporter_t *self)
{
    const mr_seglog_t *log = mr_spool_log (self->spool);
    uint64_t safe;
    uint64_t first;
    mr_windows_refresh (&self->windows, self->spool);
    do {
        safe = self->retention.safe;
        first = mr_seglog_first (log);
        trim (self);
    } while (self->retention.safe != safe || mr_seglog_first (log) != first);
}

static void
finish (void *arg)
{
    exporter_t *self = arg;
    mr_outputs_publish (self->outputs);
    mr_metric_output_finish (self->metrics);
    trim_all (self);
}

static void
reopen (void *arg)
{
    exporter_t *self = arg;
    mr_outputs_reopen (self->outputs);
}

/* ---- counters ---- */

static mr_status_t
counters (void *arg, mr_buffer_t *json)
{
    exporter_t *self = arg;
    mr_status_t status = mr_latency_append (&self->latency, json);
    if (status == MR_OK) {
        status = mr_buffer_printf (
            json, ",\"refused\":%" PRIu64 ",\"freed\":%" PRIu64 ",\"waiting\":", self->refused,
            self->freed);
    }
    if (status == MR_OK) {
        status = mr_jsontext_string (json, self->waiting, strlen (self->waiting));
    }
    char failing[MR_OUTPUTS_FAILURE_BYTES] = "";
    (void)mr_outputs_failure (self->outputs, failing);
    if (status == MR_OK) {
        status = mr_buffer_printf (json, ",\"failing\":");
    }
    if (status == MR_OK) {
        status = mr_jsontext_string (json, failing, strlen (failing));
    }
    if (status == MR_OK) {
        status = mr_spool_report (self->spool, json);
    }
    return status == MR_OK ? mr_outputs_append (self->outputs, json) : status;
}

const mr_stage_ops_t mr_exporter_ops = {
    .name = "exporter",
    .help = "Writes records, metrics and dead letters to the sinks.",
    .check = mr_outputs_check,
    .create = create,
    .handle = handle,
    .turn_over = turn_over,
    .tick = tick,
    .quiet = quiet,
    .drained = drained,
    .counters = counters,
    .reopen = reopen,
    .finish = finish,
    .destroy = destroy,
};
