#include "stages/ingest/intake.h"

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/wire/producer.h"
#include "stages/ingest/intake_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum {
    SETTLE_BATCHES = 64, /* between two notes of the watermark, under load */
    RETRY_MS = 200,      /* between two tries of a journal that takes nothing */
};

mr_status_t
mr_intake_add_source (mr_intake_t *self, const mr_source_t *source)
{
    if (self->source_count == MR_INTAKE_SOURCES_MAX) {
        return MR_SYSTEM;
    }
    self->sources[self->source_count++] = *source;
    return MR_OK;
}

/* ---- sealing ---- */

static void
report_sealed (mr_intake_t *self, uint32_t received)
{
    const mr_stage_callbacks_t *callbacks = mr_stage_callbacks (self->stage);
    double ms = (double)(mr_clock_mono_ns () - self->first_mono_ns) / 1e6;
    callbacks->on_success (self->stage, "receive", ms, received);
    if (self->too_long > 0) {
        mr_failure_t failure = {.error_type = MR_ERR_RECORD_TOO_LONG,
                                .count = self->too_long,
                                .message = "longer than [ingest] max_record"};
        callbacks->on_error (self->stage, "receive", &failure);
        self->too_long = 0;
    }
}

static mr_status_t
write_journal (mr_intake_t *self, const mr_batch_t *batch, const void *frame, size_t bytes,
               mr_error_t *err)
{
    int64_t began_ns = mr_clock_mono_ns ();
    mr_journal_entry_t entry = {.frame = frame, .frame_bytes = bytes, .batch = batch};
    entry.trailer = mr_producers_changes (self->memory.producers, &entry.trailer_bytes);
    mr_status_t status = mr_journal_append (self->journal, &entry, err);
    if (status == MR_OK) {
        double ms = (double)(mr_clock_mono_ns () - began_ns) / 1e6;
        mr_stage_callbacks (self->stage)->on_success (self->stage, "journal", ms, batch->received);
    }
    return status;
}

static void
no_memory (void)
{
    mr_log_error ("no memory to take a record in");
    abort (); /* an input that cannot be answered would lose it silently */
}

static void
free_frame (void *frame, void *hint)
{
    (void)hint;
    free (frame);
}

/* Journal first, then the window, then the acknowledgement, then the push. The batch stays
 * in the batcher until the journal has it. false: it takes nothing now. */
static bool
seal (mr_intake_t *self)
{
    mr_batch_t batch;
    mr_batcher_batch (self->batcher, &batch);
    mr_journal_info_t info = mr_journal_info (self->journal);
    batch.journal = info.id;
    batch.seq = info.next_seq;
    batch.attempt = 1;
    batch.origin = (uint16_t)mr_stage_slot (self->stage);
    batch.created_ns = self->first_wall_ns;
    const void *frame;
    size_t bytes;
    if (mr_batcher_encode (self->batcher, &batch, &frame, &bytes) != MR_OK) {
        no_memory (); /* nothing of it was acknowledged yet */
    }
    mr_error_t err;
    if (write_journal (self, &batch, frame, bytes, &err) != MR_OK) {
        mr_intake_set_full (self, true, err.text);
        return false;
    }
    mr_intake_set_full (self, false, "");
    mr_producers_clear_changes (self->memory.producers);
    zmq_msg_t msg;
    if (zmq_msg_init_data (&msg, mr_batcher_take (self->batcher), bytes, free_frame, NULL) != 0) {
        no_memory (); /* the next life finds it in the journal */
    }
    mr_sender_add (self->sender, batch.seq, &msg);
    self->sealed_mono_ns = mr_clock_mono_ns ();
    self->awaited = false;
    for (int i = 0; i < self->source_count; i++) {
        if (self->sources[i].taken != NULL) {
            self->sources[i].taken (self->sources[i].self, batch.seq);
        }
    }
    if (self->syncer != NULL) {
        mr_syncer_wake (self->syncer);
    } else {
        mr_intake_acknowledge (self, batch.seq);
    }
    report_sealed (self, batch.received);
    return true;
}

/* When the present batch goes although it is not full: at the end of its linger, or, with nothing
 * in flight, as soon as the spacing to the one before is kept; a producer that waits for its answer
 * is not made to wait for that. */
static int64_t
due_ns (const mr_intake_t *self)
{
    int64_t lingered_ns = self->first_mono_ns + self->linger_ns;
    if (mr_sender_in_flight (self->sender) > 0) {
        return lingered_ns;
    }
    int64_t spaced_ns = self->awaited ? 0 : self->sealed_mono_ns + self->spacing_ns;
    return spaced_ns < lingered_ns ? spaced_ns : lingered_ns;
}

static bool
due (const mr_intake_t *self)
{
    if (mr_batcher_count (self->batcher) == 0) {
        return false;
    }
    return mr_batcher_full (self->batcher) || self->stopping ||
           mr_clock_mono_ns () >= due_ns (self);
}

static void
on_due (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    mr_intake_t *self = arg;
    self->due_timer = 0;
    mr_intake_pump (self);
}

/* A timer that was armed for a batch that is gone, or too early, costs one look; one that would
 * be too late is armed anew. */
static void
arm_due (mr_intake_t *self)
{
    if (mr_batcher_count (self->batcher) == 0 || self->full || !mr_sender_ready (self->sender)) {
        return;
    }
    int64_t at_ns = due_ns (self);
    if (self->due_timer != 0 && self->due_timer_ns > at_ns) {
        mr_loop_timer_remove (mr_stage_loop (self->stage), self->due_timer);
        self->due_timer = 0;
    }
    if (self->due_timer == 0) {
        self->due_timer = mr_loop_at (mr_stage_loop (self->stage), at_ns, on_due, self);
        self->due_timer_ns = at_ns;
    }
}

static void
on_retry (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    mr_intake_t *self = arg;
    self->retry_timer = 0;
    mr_intake_pump (self);
}

static void
arm_retry (mr_intake_t *self)
{
    if (self->full && self->retry_timer == 0) {
        self->retry_timer =
            mr_loop_at (mr_stage_loop (self->stage), mr_clock_mono_ns () + RETRY_MS * MR_NS_PER_MS,
                        on_retry, self);
    }
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
    mr_sender_pump (self->sender);
    while (due (self) && mr_sender_ready (self->sender) &&
           !(self->full && self->retry_timer != 0)) {
        if (!seal (self)) {
            arm_retry (self);
            return;
        }
        mr_sender_pump (self->sender);
    }
}

void
mr_intake_pump (mr_intake_t *self)
{
    advance (self);
    enable_sources (self, !self->stopping && !self->full && !mr_batcher_full (self->batcher));
    arm_due (self);
}

bool
mr_intake_ready (mr_intake_t *self)
{
    if (self->stopping || self->full) {
        return false;
    }
    if (mr_batcher_full (self->batcher)) {
        advance (self);
    }
    self->refused = self->refused || mr_batcher_full (self->batcher);
    return !self->full && !mr_batcher_full (self->batcher);
}

static void
note_first (mr_intake_t *self)
{
    if (mr_batcher_count (self->batcher) == 0) {
        self->first_mono_ns = mr_clock_mono_ns ();
        self->first_wall_ns = mr_clock_wall_ns ();
    }
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
        .error_type = mr_dead_text (mr_errortype_name (MR_ERR_RECORD_TOO_LONG)),
        .rule = mr_dead_text ("max_record"),
        .message = mr_dead_text (message),
        .record = start,
        .record_bytes = (uint32_t)(bytes < MR_INTAKE_SAMPLE_BYTES ? bytes : MR_INTAKE_SAMPLE_BYTES),
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
    self->awaited = true;
    return mr_batcher_add (self->batcher, record, bytes) == MR_OK;
}

bool
mr_intake_empty (const mr_intake_t *self)
{
    return mr_batcher_count (self->batcher) == 0;
}

int64_t
mr_intake_due_ns (const mr_intake_t *self)
{
    return mr_batcher_count (self->batcher) == 0 || self->awaited ? 0 : due_ns (self);
}

void
mr_intake_turn_over (mr_intake_t *self)
{
    mr_intake_pump (self);
}

/* Note the watermark in the journal, let go of what is below it, and tell exporters, who wait for
 * it before they use their own files again: often enough that those are still in memory. */
static void
settle (mr_intake_t *self)
{
    mr_error_t err;
    uint64_t watermark = mr_sender_watermark (self->sender);
    mr_status_t status = mr_journal_settle (self->journal, watermark, &err);
    self->settled = watermark;
    if (status != MR_OK && status != MR_AGAIN) {
        mr_log_warn ("%s", err.text);
    } else if (self->syncer != NULL) {
        mr_syncer_wake (self->syncer); /* exporters hear of it when the disk has it */
    } else { /* what is noted is, also when a file below it could not go */
        mr_sender_noted (self->sender, mr_journal_info (self->journal).watermark);
    }
}

void
mr_intake_done (mr_intake_t *self, const mr_control_t *done)
{
    if (done->journal == mr_journal_info (self->journal).id) {
        mr_sender_done (self->sender, done->seq);
        if (mr_sender_watermark (self->sender) - self->settled >= SETTLE_BATCHES ||
            mr_journal_has_grown (self->journal)) {
            settle (self);
        }
        mr_intake_pump (self);
    }
}

void
mr_intake_report (mr_intake_t *self, const mr_control_t *report)
{
    mr_strike_t strike = {.seq = report->seq,
                          .index = report->index,
                          .incarnation = report->incarnation,
                          .evidence = report->evidence};
    mr_sender_strike (self->sender, &strike);
}

void
mr_intake_notice (mr_intake_t *self)
{
    mr_sender_notice (self->sender);
}

void
mr_intake_bad_request (mr_intake_t *self, const char *why)
{
    mr_error_set (&self->bad_request, "%s", why);
    self->bad_requests++;
}

static void
report_bad_requests (mr_intake_t *self)
{
    if (self->bad_requests == 0) {
        return;
    }
    mr_failure_t failure = {.error_type = MR_ERR_PRODUCER_FRAME,
                            .count = self->bad_requests,
                            .message = self->bad_request.text};
    mr_stage_callbacks (self->stage)->on_error (self->stage, "receive", &failure);
    self->bad_requests = 0;
}

static void
hold_sources (mr_intake_t *self)
{
    for (int i = 0; i < self->source_count && !self->stopping; i++) {
        if (self->sources[i].hold != NULL) {
            self->sources[i].hold (self->sources[i].self);
        }
    }
}

void
mr_intake_tick (mr_intake_t *self, int64_t mono_ns)
{
    hold_sources (self);
    report_bad_requests (self);
    mr_sender_tick (self->sender, mono_ns);
    mr_intake_look (self);
    settle (self);
}

void
mr_intake_finish (mr_intake_t *self)
{
    settle (self);
    if (self->syncer != NULL) {
        mr_error_t err;
        mr_syncer_destroy (&self->syncer);
        if (mr_journal_sync (self->journal, &err) == MR_OK) {
            mr_sender_noted (self->sender, mr_journal_synced_watermark (self->journal));
        }
    }
}

void
mr_intake_stop (mr_intake_t *self)
{
    self->stopping = true;
    for (int i = 0; i < self->source_count; i++) {
        self->sources[i].stop (self->sources[i].self);
    }
    mr_intake_pump (self);
}

bool
mr_intake_drained (const mr_intake_t *self)
{
    return mr_batcher_count (self->batcher) == 0 && mr_sender_idle (self->sender);
}
