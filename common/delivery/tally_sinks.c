#include "common/delivery/tally_sinks.h"

#include "common/delivery/tally_spool.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

enum { FRAMES = 64, TRIES = 20, PAUSE_MS = 2 };

static uint64_t
rows_of (const mr_seglog_frame_t *frame, uint64_t input)
{
    bool data = frame->type == MR_SEGLOG_DATA;
    switch ((mr_cursor_input_t)input) {
    case MR_CURSOR_RECORDS:
        return data ? frame->words[MR_SPOOL_WORD_EXPORTED] : 0;
    case MR_CURSOR_DEAD:
        return data ? frame->words[MR_SPOOL_WORD_DEAD] : 0;
    case MR_CURSOR_METRICS:
        return data ? 0 : frame->words[MR_SPOOL_WORD_ROWS];
    }
    return 0;
}

/* Rows from the cursor to the end, and where that end was. */
static mr_status_t
count_pending (const char *data_dir, mr_tally_sink_t *sink, uint64_t *ret_end, mr_error_t *err)
{
    char dir[PATH_MAX];
    mr_spool_path (data_dir, sink->slot, dir);
    mr_seglog_reader_options_t options = {
        .dir = dir, .position = sink->state.position, .headers_only = true};
    mr_seglog_reader_t *reader = NULL;
    mr_status_t status = mr_seglog_reader_new (&options, &reader, err);
    mr_seglog_frame_t frames[FRAMES];
    unsigned count;
    sink->pending = 0;
    while (status == MR_OK) {
        status = mr_seglog_reader_next (reader, frames, FRAMES, &count, err);
        for (unsigned i = 0; status == MR_OK && i < count; i++) {
            sink->pending += rows_of (&frames[i], sink->state.input);
        }
    }
    mr_seglog_reader_stats_t stats = {0};
    *ret_end = 0;
    if (reader != NULL) {
        *ret_end = mr_seglog_reader_position (reader);
        mr_seglog_reader_stats (reader, &stats);
    }
    sink->overtaken = stats.trimmed_bytes > 0;
    mr_seglog_reader_destroy (&reader);
    return status == MR_AGAIN ? MR_OK : status;
}

/* All rows that the spool ever held, of all journals. */
static mr_status_t
count_spooled (const char *data_dir, mr_tally_sink_t *sink, uint64_t *ret_end, mr_error_t *err)
{
    mr_tally_spool_t spool = {0};
    mr_tally_which_t which = {.slot = sink->slot};
    mr_status_t status = mr_tally_spool_open (data_dir, &which, &spool, err);
    if (status != MR_OK) {
        return status;
    }
    mr_spool_sum_t sum = spool.start;
    status = mr_tally_spool_add (&spool, UINT64_MAX, &sum, err);
    *ret_end = mr_seglog_reader_position (spool.reader);
    sink->spooled = sink->state.input == MR_CURSOR_RECORDS ? sum.exported : sum.dead;
    mr_tally_spool_close (&spool);
    return status;
}

/* Rows of metrics are the last thing that an exporter appends when it ends as it should. */
static mr_status_t
look_for_rows (const char *data_dir, mr_tally_sink_t *sink, mr_error_t *err)
{
    mr_tally_spool_t spool = {0};
    mr_tally_which_t which = {.slot = sink->slot};
    mr_status_t status = mr_tally_spool_open (data_dir, &which, &spool, err);
    if (status != MR_OK) {
        return status;
    }
    mr_seglog_frame_t frames[FRAMES];
    unsigned count;
    while ((status = mr_seglog_reader_next (spool.reader, frames, FRAMES, &count, err)) == MR_OK) {
        sink->rows_due = frames[count - 1].type == MR_SEGLOG_DATA;
    }
    mr_tally_spool_close (&spool);
    return status == MR_AGAIN ? MR_OK : status;
}

static mr_status_t
look_once (const char *data_dir, const char *path, mr_tally_sink_t *sink, mr_error_t *err)
{
    uint64_t pending_end = 0;
    uint64_t spooled_end = 1;
    mr_status_t status = mr_cursor_read (path, &sink->state, err);
    if (status == MR_OK) {
        status = count_pending (data_dir, sink, &pending_end, err);
    }
    if (status == MR_OK && sink->state.input != MR_CURSOR_METRICS) {
        status = count_spooled (data_dir, sink, &spooled_end, err);
    } else if (status == MR_OK) {
        status = look_for_rows (data_dir, sink, err);
    }
    const mr_cursor_state_t *state = &sink->state;
    uint64_t accounted = state->base + state->delivered + state->unmatched + state->rejected +
                         state->dropped + sink->pending;
    sink->exact = pending_end == spooled_end;
    sink->balanced = !sink->exact || accounted == sink->spooled;
    sink->spooled -= sink->exact ? state->base : 0;
    return status;
}

static mr_status_t
look (const char *data_dir, const char *path, mr_tally_sink_t *sink, mr_error_t *err)
{
    mr_status_t status = MR_AGAIN;
    for (int i = 0; i < TRIES; i++) {
        status = look_once (data_dir, path, sink, err);
        bool settled = sink->exact || sink->state.input == MR_CURSOR_METRICS;
        if (status != MR_AGAIN && (status != MR_OK || (settled && sink->balanced))) {
            break;
        }
        nanosleep (&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
    }
    return status == MR_AGAIN || status == MR_CLOSED ? MR_OK : status;
}

typedef struct visit {
    const char *data_dir;
    mr_tally_sink_fn *fn;
    void *arg;
    mr_error_t *err;
} visit_t;

static mr_status_t
visit (void *arg, const mr_cursor_place_t *place)
{
    const visit_t *self = arg;
    mr_tally_sink_t sink = {.slot = place->slot};
    snprintf (sink.name, sizeof sink.name, "%s", place->name);
    mr_status_t status = look (self->data_dir, place->path, &sink, self->err);
    if (status == MR_OK) {
        self->fn (self->arg, &sink);
    }
    return status;
}

mr_status_t
mr_tally_sinks (const char *data_dir, mr_tally_sink_fn *fn, void *arg, mr_error_t *err)
{
    visit_t self = {data_dir, fn, arg, err};
    return mr_cursor_each (data_dir, visit, &self, err);
}

mr_status_t
mr_tally_sinks_of (const char *data_dir, int slot, mr_tally_sink_fn *fn, void *arg, mr_error_t *err)
{
    visit_t self = {data_dir, fn, arg, err};
    return mr_cursor_each_of (data_dir, slot, visit, &self, err);
}
