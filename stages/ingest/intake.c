#include "stages/ingest/intake.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/wire/producer.h"
#include "stages/ingest/batcher.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum {
    MAX_SOURCES = 256,
    DEAD_SAMPLE_BYTES = 1024, /* of a record that is too long */
};

struct mr_intake {
    mr_stage_t *stage;
    mr_batcher_t *batcher;
    mr_window_t *window;
    mr_ledger_t *ledger;
    mr_source_t sources[MAX_SOURCES];
    int source_count;
    size_t max_record;
    int64_t linger_ns;
    int64_t first_mono_ns; /* when the first record of the present batch came */
    int64_t first_wall_ns;
    int linger_timer;  /* 0: not running */
    uint64_t too_long; /* records in the present batch */
    zmq_msg_t pending; /* has a seq, waits for room downstream */
    bool has_pending;
    bool enabled;
    bool refused;     /* a source wanted to hand in and was told to wait */
    int serve_timer;  /* 0: not running */
    unsigned serving; /* whose turn it is to be served first */
    bool stopping;
};

static void pump (mr_intake_t *self);

mr_status_t
mr_intake_new (mr_stage_t *stage, mr_intake_t **ret_intake, mr_error_t *err)
{
    mr_intake_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "ingest");
    }
    const mr_config_t *config = mr_stage_config (stage);
    const mr_config_section_t *ingest = mr_config_section (config, "ingest");
    self->stage = stage;
    self->enabled = true;
    self->max_record = (size_t)mr_config_number (ingest, "max_record");
    self->linger_ns = mr_config_number (ingest, "linger_ms") * MR_NS_PER_MS;
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/%s.ledger",
              mr_config_text (mr_config_section (config, "pipeline"), "data_dir"),
              mr_stage_worker (stage));
    mr_status_t status = mr_ledger_open (path, &self->ledger, err);
    if (status == MR_OK &&
        (mr_window_new ((uint32_t)mr_config_number (ingest, "window"),
                        mr_ledger_counts (self->ledger).batches, &self->window) != MR_OK ||
         mr_batcher_new ((uint32_t)mr_config_number (ingest, "batch_records"),
                         (size_t)mr_config_number (ingest, "batch_bytes"),
                         &self->batcher) != MR_OK)) {
        status = mr_error_errno (err, "ingest");
    }
    if (status != MR_OK) {
        mr_intake_destroy (&self);
        return status;
    }
    *ret_intake = self;
    return MR_OK;
}

void
mr_intake_destroy (mr_intake_t **self_p)
{
    mr_intake_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (int i = 0; i < self->source_count; i++) {
        self->sources[i].destroy (self->sources[i].self);
    }
    if (self->has_pending) {
        zmq_msg_close (&self->pending);
    }
    mr_batcher_destroy (&self->batcher);
    mr_window_destroy (&self->window);
    mr_ledger_close (&self->ledger);
    free (self);
    *self_p = NULL;
}

mr_status_t
mr_intake_add_source (mr_intake_t *self, const mr_source_t *source)
{
    if (self->source_count == MAX_SOURCES) {
        return MR_SYSTEM;
    }
    self->sources[self->source_count++] = *source;
    return MR_OK;
}

static void
on_room (void *arg)
{
    pump (arg);
}

/* Give the batch its identity and enter it everywhere; from here on it is never forgotten. */
static void
seal (mr_intake_t *self)
{
    mr_batch_t batch;
    mr_batcher_batch (self->batcher, &batch);
    size_t bytes = mr_batch_encoded_bytes (&batch);
    MR_ASSERT (bytes != 0);
    if (zmq_msg_init_size (&self->pending, bytes) != 0) {
        mr_log_error ("no memory for a batch of %zu bytes", bytes);
        abort (); /* nothing of it was acknowledged yet */
    }
    batch.journal = mr_ledger_counts (self->ledger).journal;
    batch.seq = mr_ledger_made (self->ledger, batch.received);
    batch.attempt = 1;
    batch.origin = (uint16_t)mr_stage_slot (self->stage);
    batch.created_ns = self->first_wall_ns;
    mr_batch_encode (&batch, zmq_msg_data (&self->pending));
    self->has_pending = true;
    mr_window_sent (self->window, batch.seq);
    mr_batcher_clear (self->batcher);
    for (int i = 0; i < self->source_count; i++) {
        if (self->sources[i].taken != NULL) {
            self->sources[i].taken (self->sources[i].self);
        }
    }
    const mr_stage_callbacks_t *callbacks = mr_stage_callbacks (self->stage);
    double ms = (double)(mr_clock_mono_ns () - self->first_mono_ns) / 1e6;
    callbacks->on_success (self->stage, "receive", ms, batch.received);
    if (self->too_long > 0) {
        mr_failure_t failure = {.error_type = "record_too_long",
                                .count = self->too_long,
                                .message = "longer than [ingest] max_record"};
        callbacks->on_error (self->stage, "receive", &failure);
        self->too_long = 0;
    }
}

static bool
due (const mr_intake_t *self)
{
    if (mr_batcher_count (self->batcher) == 0) {
        return false;
    }
    return mr_batcher_full (self->batcher) || self->stopping ||
           mr_window_in_flight (self->window) == 0 ||
           mr_clock_mono_ns () - self->first_mono_ns >= self->linger_ns;
}

static void
on_linger (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    mr_intake_t *self = arg;
    self->linger_timer = 0;
    pump (self);
}

/* One timer serves all batches: it is armed for the present one only when it has run out. */
static void
arm_linger (mr_intake_t *self)
{
    if (self->linger_timer == 0 && mr_batcher_count (self->batcher) > 0 && !self->has_pending &&
        !mr_window_full (self->window)) {
        self->linger_timer = mr_loop_at (mr_stage_loop (self->stage),
                                         self->first_mono_ns + self->linger_ns, on_linger, self);
    }
}

static bool
send_pending (mr_intake_t *self)
{
    if (!self->has_pending) {
        return true;
    }
    if (mr_stage_send (self->stage, &self->pending) != MR_OK) {
        mr_stage_when_room (self->stage, on_room, self);
        return false;
    }
    self->has_pending = false;
    return true;
}

/* Sources take turns at being the first to fill the room there is: otherwise the one that is asked
 * first would, when it is busy, leave nothing to the others. */
static void
on_serve (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    mr_intake_t *self = arg;
    self->serve_timer = 0;
    unsigned count = (unsigned)self->source_count;
    unsigned first = self->serving++;
    for (unsigned i = 0; i < count && self->enabled; i++) {
        const mr_source_t *source = &self->sources[(first + i) % count];
        source->serve (source->self);
    }
}

/* Whoever was refused has records that no socket announces any more. */
static void
enable_sources (mr_intake_t *self, bool enabled)
{
    if (enabled && (!self->enabled || self->refused) && self->serve_timer == 0) {
        self->serve_timer = mr_loop_at (mr_stage_loop (self->stage), 0, on_serve, self);
        self->refused = self->serve_timer == 0;
    }
    if (self->enabled != enabled) {
        self->enabled = enabled;
        for (int i = 0; i < self->source_count; i++) {
            self->sources[i].enable (self->sources[i].self, enabled);
        }
    }
}

/* Send what can be sent. */
static void
advance (mr_intake_t *self)
{
    while (send_pending (self) && due (self) && !mr_window_full (self->window)) {
        seal (self);
    }
}

static void
pump (mr_intake_t *self)
{
    advance (self);
    enable_sources (self, !self->stopping && !mr_batcher_full (self->batcher));
    arm_linger (self);
}

bool
mr_intake_ready (mr_intake_t *self)
{
    if (self->stopping) {
        return false;
    }
    if (mr_batcher_full (self->batcher)) {
        advance (self);
    }
    self->refused = self->refused || mr_batcher_full (self->batcher);
    return !mr_batcher_full (self->batcher);
}

static void
note_first (mr_intake_t *self)
{
    if (mr_batcher_count (self->batcher) == 0) {
        self->first_mono_ns = mr_clock_mono_ns ();
        self->first_wall_ns = mr_clock_wall_ns ();
    }
}

static void
no_memory (void)
{
    mr_log_error ("no memory to take a record in");
    abort (); /* an input that cannot be answered would lose it silently */
}

void
mr_intake_record (mr_intake_t *self, const char *record, size_t bytes)
{
    if (bytes > 0 && record[bytes - 1] == '\n') {
        bytes--;
    }
    if (bytes > 0 && record[bytes - 1] == '\r') {
        bytes--;
    }
    if (bytes > self->max_record) {
        mr_intake_too_long (self, record, bytes, bytes);
        return;
    }
    if (mr_producer_blank (record, bytes)) {
        return;
    }
    note_first (self);
    if (mr_batcher_add (self->batcher, record, bytes) != MR_OK) {
        no_memory ();
    }
}

void
mr_intake_too_long (mr_intake_t *self, const char *start, size_t bytes, size_t total_bytes)
{
    char message[128];
    snprintf (message, sizeof message, "%zu bytes, more than [ingest] max_record = %zu",
              total_bytes, self->max_record);
    mr_dead_t dead = {
        .attempts = 1,
        .ts_ns = mr_clock_wall_ns (),
        .stage = mr_dead_text ("ingest"),
        .worker = mr_dead_text (mr_stage_worker (self->stage)),
        .error_type = mr_dead_text ("record_too_long"),
        .rule = mr_dead_text ("max_record"),
        .message = mr_dead_text (message),
        .record = start,
        .record_bytes = (uint32_t)(bytes < DEAD_SAMPLE_BYTES ? bytes : DEAD_SAMPLE_BYTES),
        .original_bytes = total_bytes < UINT32_MAX ? (uint32_t)total_bytes : UINT32_MAX,
    };
    note_first (self);
    if (mr_batcher_add_dead (self->batcher, &dead) != MR_OK) {
        no_memory ();
    }
    self->too_long++;
}

bool
mr_intake_request_fits (const mr_intake_t *self, uint32_t records, size_t bytes)
{
    return mr_batcher_fits (self->batcher, records, bytes);
}

bool
mr_intake_request_record (mr_intake_t *self, const char *record, size_t bytes)
{
    note_first (self);
    return mr_batcher_add (self->batcher, record, bytes) == MR_OK;
}

bool
mr_intake_empty (const mr_intake_t *self)
{
    return mr_batcher_count (self->batcher) == 0;
}

void
mr_intake_turn_over (mr_intake_t *self)
{
    pump (self);
}

void
mr_intake_done (mr_intake_t *self, const mr_control_t *done)
{
    if (done->journal != mr_ledger_counts (self->ledger).journal) {
        mr_log_warn ("batch %llu of another journal is done; not counted",
                     (unsigned long long)done->seq);
        return;
    }
    if (mr_window_done (self->window, done->seq) || done->seq <= mr_window_first (self->window)) {
        mr_ledger_settled (self->ledger, done->exported, done->filtered, done->dead);
    }
    pump (self);
}

void
mr_intake_stop (mr_intake_t *self)
{
    self->stopping = true;
    for (int i = 0; i < self->source_count; i++) {
        self->sources[i].stop (self->sources[i].self);
    }
    pump (self);
}

bool
mr_intake_drained (const mr_intake_t *self)
{
    return !self->has_pending && mr_batcher_count (self->batcher) == 0 &&
           mr_window_in_flight (self->window) == 0;
}

size_t
mr_intake_max_record (const mr_intake_t *self)
{
    return self->max_record;
}

const mr_window_t *
mr_intake_window (const mr_intake_t *self)
{
    return self->window;
}

mr_ledger_counts_t
mr_intake_ledger (const mr_intake_t *self)
{
    return mr_ledger_counts (self->ledger);
}
