#include "stages/exporter/pump_private.h"

#include "common/base/clock.h"
#include "common/base/crashpoint.h"
#include "common/base/log.h"
#include "common/delivery/spool.h"

#include <inttypes.h>

enum {
    FRAMES_AT_ONCE = 16,
    BYTES_AT_ONCE = 4 << 20, /* of rows, before they are written */
};

_Static_assert((int)FRAMES_AT_ONCE <= (int)MR_SINK_IOV_MAX, "one piece a frame");

/* What one round brings. */
typedef struct round {
    struct iovec iov[FRAMES_AT_ONCE];
    bool gathered[FRAMES_AT_ONCE]; /* iov_base is an offset in self->gather */
    int count;
    size_t bytes;
    uint64_t rows;
    int64_t created_ns; /* of the last batch; 0: none */
    mr_cursor_state_t state;
    mr_share_t *held[FRAMES_AT_ONCE]; /* frames that the pieces point into */
    int held_count;
} round_t;

void
mr_pump_commit (mr_pump_t *self)
{
    if (self->sink.place != NULL) {
        self->sink.place (self->sink.self, &self->state);
    }
    MR_CRASH_POINT ("pump.commit.begin");
    mr_cursor_commit (self->cursor, &self->state);
    MR_CRASH_POINT ("pump.commit.done");
    mr_pump_show (self);
}

void
mr_pump_start_over (mr_pump_t *self)
{
    self->sink.close (self->sink.self);
    self->is_open = false;
    if (self->cursor != NULL) {
        self->state = *mr_cursor_state (self->cursor);
    }
    if (self->reader != NULL) {
        mr_seglog_reader_seek (self->reader, self->state.position);
    }
}

/* ---- one round: frames to rows, rows to the sink, commit ---- */

static mr_status_t
add_rows (mr_pump_t *self, round_t *round, const char *lines, size_t bytes)
{
    if (bytes == 0) {
        return MR_OK;
    }
    struct iovec *piece = &round->iov[round->count];
    piece->iov_len = bytes;
    round->gathered[round->count] = lines == self->rows.out.data;
    if (round->gathered[round->count]) {
        piece->iov_base = (void *)(uintptr_t)self->gather.size; /* NOLINT: an offset until later */
        if (mr_buffer_append (&self->gather, lines, bytes) != MR_OK) {
            return MR_SYSTEM;
        }
    } else {
        piece->iov_base = (void *)(uintptr_t)lines;
    }
    round->count++;
    round->bytes += bytes;
    return MR_OK;
}

uint64_t
mr_pump_due_rows (const mr_pump_t *self, const mr_seglog_frame_t *frame)
{
    bool is_data = frame->type == MR_SEGLOG_DATA;
    switch (self->rows.input) {
    case MR_ROWS_RECORDS:
        return is_data ? frame->words[MR_SPOOL_WORD_EXPORTED] : 0;
    case MR_ROWS_DEAD:
        return is_data ? frame->words[MR_SPOOL_WORD_DEAD] : 0;
    case MR_ROWS_METRICS:
        return !is_data && frame->flags == MR_SPOOL_METRICS &&
                       frame->words[MR_SPOOL_WORD_SINK] == self->options.key
                   ? frame->words[MR_SPOOL_WORD_ROWS]
                   : 0;
    }
    return 0;
}

typedef struct lines {
    const char *text;
    size_t bytes;
    uint32_t count;
} lines_t;

/* known: the frame's batch, if it is at hand. */
static mr_status_t
make_rows (mr_pump_t *self, const mr_seglog_frame_t *frame, const mr_batch_t *known,
           lines_t *ret_lines)
{
    if (self->rows.input == MR_ROWS_METRICS) {
        mr_buffer_t lines = {.data = (char *)(uintptr_t)frame->payload,
                             .size = frame->payload_bytes};
        return mr_rows_select (&self->rows, &lines, &ret_lines->text, &ret_lines->bytes,
                               &ret_lines->count);
    }
    mr_batch_t batch;
    mr_error_t err;
    mr_status_t status = MR_OK;
    if (known == NULL) {
        status = mr_batch_decode (frame->payload, frame->payload_bytes, &batch, &err);
        known = &batch;
    }
    if (status == MR_OK) {
        status = mr_rows_make (&self->rows, known, &ret_lines->text, &ret_lines->bytes,
                               &ret_lines->count);
    }
    return status;
}

static mr_status_t
add_frame (mr_pump_t *self, round_t *round, const mr_seglog_frame_t *frame, const mr_batch_t *known)
{
    lines_t lines = {.text = NULL};
    uint64_t due = mr_pump_due_rows (self, frame);
    mr_status_t status = due > 0 ? make_rows (self, frame, known, &lines) : MR_OK;
    if (status == MR_SYSTEM) {
        return status;
    }
    round->state.position = frame->next;
    if (status != MR_OK || lines.count > due) { /* whole, but not a batch that we understand */
        mr_log_error ("sink %s: the frame at %" PRIu64 " of the spool is broken: %" PRIu64
                      " rows rejected",
                      self->name, frame->position, due);
        round->state.rejected += due;
        return MR_OK;
    }
    round->state.delivered += lines.count;
    round->state.unmatched += due - lines.count;
    round->rows += lines.count;
    if (frame->type == MR_SEGLOG_DATA && lines.count > 0) {
        round->created_ns = (int64_t)frame->words[MR_SPOOL_WORD_CREATED];
    }
    return add_rows (self, round, lines.text, lines.bytes);
}

/* What the exporter's thread handed on, as far as it follows. MR_AGAIN: nothing does. */
static mr_status_t
gather_handed (mr_pump_t *self, round_t *round)
{
    uint64_t end = mr_seglog_reader_end (self->reader);
    mr_handed_t handed;
    mr_status_t status = MR_AGAIN;
    while ((status == MR_OK || status == MR_AGAIN) && round->held_count < FRAMES_AT_ONCE &&
           round->bytes < BYTES_AT_ONCE &&
           mr_handover_take (&self->handover, round->state.position, end, &handed)) {
        round->held[round->held_count++] = handed.share;
        status = add_frame (self, round, &handed.frame, &handed.batch);
    }
    return status;
}

static mr_status_t
gather_spool (mr_pump_t *self, round_t *round, mr_error_t *err)
{
    mr_seglog_frame_t frames[FRAMES_AT_ONCE];
    unsigned count = 0;
    if (mr_seglog_reader_position (self->reader) < round->state.position) {
        mr_seglog_reader_seek (self->reader, round->state.position);
    }
    mr_status_t status = mr_seglog_reader_next (self->reader, frames, FRAMES_AT_ONCE, &count, err);
    for (unsigned i = 0; i < count && status == MR_OK && round->bytes < BYTES_AT_ONCE; i++) {
        status = add_frame (self, round, &frames[i], NULL);
        if (status != MR_OK) {
            mr_error_set (err, "no memory for its rows");
        }
    }
    if (status == MR_OK && mr_seglog_reader_position (self->reader) != round->state.position) {
        mr_seglog_reader_seek (self->reader, round->state.position);
    }
    return status;
}

static mr_status_t
gather (mr_pump_t *self, round_t *round, mr_error_t *err)
{
    mr_buffer_clear (&self->gather);
    round->state = self->state;
    mr_status_t status = gather_handed (self, round);
    if (status == MR_AGAIN) {
        status = gather_spool (self, round, err);
    } else if (status != MR_OK) {
        mr_error_set (err, "no memory for its rows");
    }
    for (int i = 0; i < round->count; i++) {
        if (round->gathered[i]) {
            round->iov[i].iov_base = self->gather.data + (uintptr_t)round->iov[i].iov_base;
        }
    }
    return status;
}

static void
tell_delivered (mr_pump_t *self, const round_t *round, int64_t began_ns)
{
    if (round->rows == 0) {
        return;
    }
    mr_pump_event_t event = {
        .ms = (double)(mr_clock_mono_ns () - began_ns) / 1e6,
        .count = round->rows,
        .latency =
            round->created_ns == 0 ? -1 : (double)(mr_clock_wall_ns () - round->created_ns) / 1e6,
    };
    mr_pump_push_event (self, &event);
}

/* At the spool's end: what lies behind the last frame (a segment's header, damage) is nothing. */
static void
pass_over (mr_pump_t *self)
{
    uint64_t position = mr_seglog_reader_position (self->reader);
    if (position > self->state.position) {
        self->state.position = position;
        mr_pump_commit (self);
    }
}

static mr_status_t
deliver (mr_pump_t *self, round_t *round, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    if (round->count > 0) {
        status = self->sink.write (self->sink.self, round->iov, round->count, err);
        if (status == MR_OK && self->options.fsync && self->sink.sync != NULL) {
            status = self->sink.sync (self->sink.self, err);
        }
    }
    if (status != MR_OK) {
        return MR_SYSTEM;
    }
    self->state = round->state;
    mr_pump_commit (self);
    mr_pump_recover (self);
    return MR_OK;
}

mr_status_t
mr_pump_round (mr_pump_t *self, mr_error_t *err)
{
    int64_t began_ns = mr_clock_mono_ns ();
    round_t round = {.count = 0};
    mr_status_t status = gather (self, &round, err);
    if (status == MR_AGAIN) {
        pass_over (self);
    } else if (status == MR_OK) {
        status = deliver (self, &round, err);
    }
    for (int i = 0; i < round.held_count; i++) {
        mr_share_release (&round.held[i]);
    }
    if (status == MR_OK) {
        tell_delivered (self, &round, began_ns);
    }
    return status;
}

/* ---- giving up what is due ---- */

mr_status_t
mr_pump_give_up (mr_pump_t *self, uint64_t below, mr_error_t *err)
{
    mr_seglog_reader_options_t options = {
        .dir = self->spool_dir, .position = self->state.position, .headers_only = true};
    mr_seglog_reader_t *reader = NULL;
    mr_status_t status = mr_seglog_reader_new (&options, &reader, err);
    uint64_t before = self->state.dropped;
    while (status == MR_OK && self->state.position < below) {
        mr_seglog_frame_t frame;
        unsigned count;
        status = mr_seglog_reader_next (reader, &frame, 1, &count, err);
        if (status == MR_OK) {
            bool records = self->rows.input == MR_ROWS_RECORDS && frame.type == MR_SEGLOG_DATA;
            uint64_t journal = records ? frame.words[MR_SPOOL_WORD_JOURNAL] : 0;
            mr_cursor_drop (&self->state, journal, mr_pump_due_rows (self, &frame));
            self->state.position = frame.next;
        }
    }
    mr_seglog_reader_destroy (&reader);
    if (status != MR_OK && status != MR_AGAIN) {
        return status;
    }
    MR_CRASH_POINT ("pump.drop.counted");
    mr_cursor_commit (self->cursor, &self->state);
    mr_pump_show (self);
    mr_pump_start_over (self);
    mr_log_warn ("sink %s: the spool is full: %" PRIu64 " rows dropped", self->name,
                 self->state.dropped - before);
    return MR_OK;
}
