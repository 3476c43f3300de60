#include "stages/exporter/pump.h"

#include "common/base/clock.h"
#include "common/base/crashpoint.h"
#include "common/base/log.h"
#include "stages/exporter/pump_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_BYTES = 1 << 20,
    GATHER_LIMIT = 256 << 20,
    IDLE_MS = 1000,
    SYNC_LAGS = 8, /* so many lag_bytes may be delivered without a sync of the cursor */
};

/* ---- cursor and spool ---- */

static void
on_damage (void *arg, const mr_seglog_damage_t *damage)
{
    mr_pump_t *self = arg;
    mr_log_error ("sink %s: %" PRIu64 " bytes of the spool at %" PRIu64
                  " cannot be delivered: %s%s%s",
                  self->name, damage->bytes, damage->position, damage->what,
                  damage->kept[0] != '\0' ? "; kept as " : "", damage->kept);
    pthread_mutex_lock (&self->lock);
    self->damaged_bytes += damage->bytes;
    pthread_mutex_unlock (&self->lock);
}

/* It was not in the configuration for a while, and nobody waited for it. What went meanwhile was
 * not for it, like what came before it began. */
static void
skip_what_went (mr_pump_t *self)
{
    const mr_pump_start_t *start = &self->options.start;
    mr_cursor_state_t *state = &self->state;
    uint64_t known =
        state->base + state->delivered + state->unmatched + state->rejected + state->dropped;
    uint64_t went = start->rows_first - known;
    if (state->position >= start->first || start->rows_first == UINT64_MAX ||
        start->rows_first < known) {
        return;
    }
    if (self->rows.input != MR_ROWS_METRICS && went > 0) {
        state->base += went;
        mr_log_warn ("sink %s: it is back; %" PRIu64 " rows that came and went meanwhile are not "
                     "for it",
                     self->name, went);
    }
    state->position = start->first;
    state->inode = 0; /* what stands in its file now is not what is due now, and stays there */
    mr_cursor_move (self->cursor, state);
}

/* Where this sink goes on. A cursor of another spool: that one is gone, everything in this one is
 * due. A new one: what comes from now on. */
static void
find_place (mr_pump_t *self)
{
    const mr_pump_start_t *start = &self->options.start;
    self->state = *mr_cursor_state (self->cursor);
    uint64_t input = (uint64_t)self->rows.input;
    bool is_new = self->state.spool == 0 || self->state.input != input;
    if (self->state.spool == start->spool && !is_new) {
        if (self->state.position > start->end) {
            mr_log_error ("sink %s: the spool has lost its end; going on there", self->name);
            self->state.position = start->end;
            mr_cursor_move (self->cursor, &self->state); /* its sink may be away for long */
        }
        skip_what_went (self);
        return;
    }
    mr_cursor_state_t fresh = {
        .spool = start->spool,
        .input = input,
        .position = is_new ? start->end : start->first,
        .base = is_new ? start->rows_end : 0,
        .device = self->state.device,
        .inode = self->state.inode,
        .length = self->state.length,
    };
    if (!is_new) {
        mr_log_warn ("sink %s: this is another spool; all in it is due", self->name);
    }
    self->state = fresh;
    mr_cursor_move (self->cursor, &self->state);
}

static mr_status_t
sync_cursor (mr_pump_t *self, mr_error_t *err)
{
    mr_status_t status = mr_cursor_sync (self->cursor, err);
    if (status == MR_OK) {
        self->synced_ns = mr_clock_mono_ns ();
        atomic_store (&self->synced, mr_cursor_state (self->cursor)->position);
    }
    return status;
}

/* A sink whose cursor is not there begins at the spool's end: that it began is made durable, in
 * every case, before the spool takes anything for it. */
static mr_status_t
open_cursor (mr_pump_t *self, mr_error_t *err)
{
    mr_status_t status = mr_cursor_open (self->cursor_path, &self->cursor, err);
    if (status != MR_OK) {
        return status;
    }
    bool is_new = mr_cursor_state (self->cursor)->spool == 0;
    find_place (self);
    mr_pump_show (self);
    status = is_new || self->options.fsync ? sync_cursor (self, err) : MR_OK;
    if (status != MR_OK) {
        mr_cursor_close (&self->cursor);
    }
    return status;
}

/* With fsync the spool keeps what lies behind the synced position. Once a second is enough for
 * that, and costs little beside the syncs of the sink. */
static bool
must_sync (const mr_pump_t *self)
{
    uint64_t ahead = self->state.position - atomic_load (&self->synced);
    return self->options.fsync && ahead > 0 &&
           (ahead >= SYNC_LAGS * self->options.lag_bytes || atomic_load (&self->hurry) ||
            mr_clock_mono_ns () - self->synced_ns >= IDLE_MS * MR_NS_PER_MS);
}

static mr_status_t
open_reader (mr_pump_t *self, mr_error_t *err)
{
    mr_seglog_reader_options_t options = {
        .dir = self->spool_dir,
        .position = self->state.position,
        .buffer_bytes = READ_BYTES,
        .synced_only = self->options.fsync,
        .keep_damage = true,
        .report = on_damage,
        .arg = self,
    };
    return mr_seglog_reader_new (&options, &self->reader, err);
}

static mr_status_t
get_ready (mr_pump_t *self, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    if (self->cursor == NULL) {
        status = open_cursor (self, err);
    }
    if (status == MR_OK && must_sync (self)) {
        status = sync_cursor (self, err);
    }
    if (status == MR_OK && self->reader == NULL) {
        status = open_reader (self, err);
    }
    if (status == MR_OK && !self->is_open) {
        status = self->sink.open (self->sink.self, &self->state, mr_cursor_same_boot (self->cursor),
                                  err);
        if (status == MR_OK) {
            self->is_open = true;
            self->settled = false;
            mr_pump_commit (self);
            status = self->options.fsync ? sync_cursor (self, err) : MR_OK;
        }
    }
    return status;
}

/* ---- the thread ---- */

static void
look_after_sink (mr_pump_t *self)
{
    int64_t now_ns = mr_clock_mono_ns ();
    bool asked = atomic_exchange (&self->reopen, false);
    if (!self->is_open || self->sink.moved == NULL ||
        (!asked && now_ns - self->checked_ns < IDLE_MS * MR_NS_PER_MS)) {
        return;
    }
    self->checked_ns = now_ns;
    bool moved = self->sink.moved (self->sink.self);
    mr_error_t harm;
    if (self->sink.harmed != NULL && self->sink.harmed (self->sink.self, &harm)) {
        mr_pump_event_t event = {.failed = true, .latency = -1};
        snprintf (event.text, sizeof event.text, "%.255s", harm.text);
        mr_pump_push_event (self, &event);
    }
    if (moved) {
        MR_CRASH_POINT ("pump.reopen.begin");
        mr_pump_start_over (self);
    }
}

/* As mr_pump_round. */
static mr_status_t
step (mr_pump_t *self, mr_error_t *err)
{
    atomic_store (&self->awake, false);
    mr_status_t status = self->cursor == NULL ? get_ready (self, err) : MR_OK;
    uint64_t below = atomic_load (&self->drop_below);
    if (status == MR_OK && below > self->state.position) {
        status = mr_pump_give_up (self, below, err);
    }
    if (status == MR_OK) {
        look_after_sink (self);
        status = get_ready (self, err);
    }
    if (status != MR_OK) {
        return MR_SYSTEM;
    }
    status = mr_pump_round (self, err);
    if (status == MR_AGAIN && !self->settled) {
        status = self->sink.settle == NULL ? MR_OK : self->sink.settle (self->sink.self, err);
        self->settled = status == MR_OK;
        status = status == MR_OK ? MR_AGAIN : MR_SYSTEM;
        mr_pump_recover (self);
    }
    return status;
}

static void *
run (void *arg)
{
    mr_pump_t *self = arg;
    while (!atomic_load (&self->stop)) {
        mr_error_t err;
        mr_error_set (&err, "failed");
        mr_status_t status = step (self, &err);
        if (status == MR_AGAIN) {
            if (!atomic_load (&self->stop)) {
                mr_pump_wait (self, IDLE_MS);
            }
        } else if (status != MR_OK) {
            mr_pump_start_over (self);
            mr_pump_fail (self, err.text);
        }
    }
    return NULL;
}

/* ---- for the exporter's thread ---- */

static void
init_lock (mr_pump_t *self)
{
    pthread_condattr_t attributes;
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_cond_init (&self->cond, &attributes);
    pthread_condattr_destroy (&attributes);
}

static mr_status_t
start_thread (mr_pump_t *self, mr_error_t *err)
{
    errno = pthread_create (&self->thread, NULL, run, self);
    if (errno != 0) {
        return mr_error_errno (err, "sink %s: no thread", self->name);
    }
    self->running = true;
    return MR_OK;
}

mr_status_t
mr_pump_new (const mr_pump_options_t *options, mr_rows_t *rows, mr_sink_t *sink,
             mr_pump_t **ret_pump, mr_error_t *err)
{
    mr_pump_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        mr_rows_release (rows);
        sink->destroy (sink->self);
        return mr_error_errno (err, "sink %s", options->name);
    }
    init_lock (self);
    self->options = *options;
    self->rows = *rows;
    self->sink = *sink;
    snprintf (self->name, sizeof self->name, "%s", options->name);
    snprintf (self->spool_dir, sizeof self->spool_dir, "%s", options->spool_dir);
    snprintf (self->cursor_path, sizeof self->cursor_path, "%s", options->cursor_path);
    mr_buffer_init (&self->gather, GATHER_LIMIT);
    mr_handover_init (&self->handover);
    atomic_store (&self->position, options->start.first);
    mr_status_t status = open_cursor (self, err);
    if (status == MR_OK || status == MR_INVALID) { /* a broken one is this sink's failure alone */
        status = start_thread (self, err);
    }
    if (status != MR_OK) {
        mr_pump_destroy (&self);
        return status;
    }
    *ret_pump = self;
    return MR_OK;
}

void
mr_pump_destroy (mr_pump_t **self_p)
{
    mr_pump_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    if (self->running) {
        atomic_store (&self->stop, true);
        if (self->sink.interrupt != NULL) {
            self->sink.interrupt (self->sink.self);
        }
        mr_pump_notify (self);
        pthread_join (self->thread, NULL);
    }
    self->sink.close (self->sink.self);
    self->sink.destroy (self->sink.self);
    mr_seglog_reader_destroy (&self->reader);
    mr_cursor_close (&self->cursor);
    mr_rows_release (&self->rows);
    mr_handover_release (&self->handover);
    mr_buffer_release (&self->gather);
    pthread_cond_destroy (&self->cond);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

void
mr_pump_hand (mr_pump_t *self, const mr_handed_t *handed)
{
    mr_handed_t one = *handed;
    bool due = mr_pump_due_rows (self, &one.frame) > 0;
    if (!due) {
        one.share = NULL;
        self->passed_over += one.frame.next - one.from;
    }
    bool here = mr_handover_give (&self->handover, &one);
    if (due || !here || self->passed_over >= self->options.lag_bytes) {
        self->passed_over = 0;
        mr_pump_notify (self);
    }
}

void
mr_pump_wake (mr_pump_t *self)
{
    mr_pump_notify (self);
}

void
mr_pump_hurry (mr_pump_t *self)
{
    atomic_store (&self->hurry, true);
    mr_pump_notify (self);
}

void
mr_pump_reopen (mr_pump_t *self)
{
    atomic_store (&self->reopen, true);
    mr_pump_notify (self);
}

void
mr_pump_drop (mr_pump_t *self, uint64_t position)
{
    MR_ASSERT (self->options.may_drop);
    atomic_store (&self->drop_below, position);
    if (self->sink.skip != NULL) {
        self->sink.skip (self->sink.self);
    }
    mr_pump_notify (self);
}

const char *
mr_pump_name (const mr_pump_t *self)
{
    return self->name;
}
