#include "launcher/deepsink.h"

#include "common/base/hash.h"
#include "common/base/seglog_walk.h"
#include "common/delivery/sinkpath.h"
#include "common/delivery/spool.h"
#include "launcher/deepsink_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_FRAMES = 256 };

void
mr_deepsink_tell (const mr_deepsink_look_t *look, const char *file, uint64_t offset,
                  const char *format, ...)
{
    mr_deep_fault_t fault = {.offset = offset};
    va_list args;
    va_start (args, format);
    int bytes = snprintf (fault.what, sizeof fault.what,
                          "sink %s of exporter.%d: ", look->sink.name, look->sink.slot);
    vsnprintf (fault.what + bytes, sizeof fault.what - (size_t)bytes, format, args);
    va_end (args);
    snprintf (fault.file, sizeof fault.file, "%s", file);
    look->visitor->fault (look->visitor->arg, &fault);
}

/* ---- the spool ---- */

static uint64_t
rows_of (const mr_deepsink_look_t *look, const mr_seglog_frame_t *frame)
{
    bool data = frame->type == MR_SEGLOG_DATA;
    switch ((mr_cursor_input_t)look->sink.state.input) {
    case MR_CURSOR_RECORDS:
        return data ? frame->words[MR_SPOOL_WORD_EXPORTED] : 0;
    case MR_CURSOR_DEAD:
        return data ? frame->words[MR_SPOOL_WORD_DEAD] : 0;
    case MR_CURSOR_METRICS:
        return !data && frame->words[MR_SPOOL_WORD_SINK] == look->key
                   ? frame->words[MR_SPOOL_WORD_ROWS]
                   : 0;
    }
    return 0;
}

static mr_status_t
on_segment (void *arg, const mr_seglog_segment_t *segment)
{
    mr_deepsink_look_t *look = arg;
    mr_spool_sum_t sums[MR_SPOOL_SUMS_MAX];
    uint32_t count = 0;
    if (segment->sound) {
        look->spool = segment->head.log_id;
    }
    look->begins = look->begins || segment->start == look->sink.state.position;
    bool oldest = segment->start == look->first;
    if (!oldest || !segment->sound ||
        mr_spool_sums_decode (segment->snapshot, segment->head.snapshot_bytes, sums, &count,
                              NULL) != MR_OK) {
        return MR_OK;
    }
    look->counted = look->sink.state.input != MR_CURSOR_METRICS;
    for (uint32_t i = 0; i < count; i++) {
        look->before +=
            look->sink.state.input == MR_CURSOR_RECORDS ? sums[i].exported : sums[i].dead;
    }
    return MR_OK;
}

static mr_status_t
on_frame (void *arg, const mr_seglog_frame_t *frame)
{
    mr_deepsink_look_t *look = arg;
    uint64_t position = look->sink.state.position;
    look->begins = look->begins || frame->position == position || frame->next == position;
    uint64_t rows = rows_of (look, frame);
    if (frame->position >= position || rows == 0) {
        return MR_OK;
    }
    if (look->count == look->capacity) {
        size_t capacity = look->capacity == 0 ? FIRST_FRAMES : 2 * look->capacity;
        void *bigger = reallocarray (look->frames, capacity, sizeof *look->frames);
        if (bigger == NULL) {
            return MR_SYSTEM;
        }
        look->frames = bigger;
        look->capacity = capacity;
    }
    bool data = frame->type == MR_SEGLOG_DATA;
    look->below += rows;
    look->frames[look->count++] = (mr_deepsink_frame_t){
        .position = frame->position,
        .journal = data ? frame->words[MR_SPOOL_WORD_JOURNAL] : 0,
        .seq = data ? frame->words[MR_SPOOL_WORD_SEQ] : 0,
        .rows = rows,
        .after_hole = look->hole,
    };
    look->hole = false;
    return MR_OK;
}

static mr_status_t
on_damage (void *arg, const mr_seglog_damage_t *damage, uint64_t segment)
{
    mr_deepsink_look_t *look = arg;
    (void)segment;
    bool below = damage->position < look->sink.state.position;
    look->damaged = look->damaged || below;
    look->hole = look->hole || (below && !damage->trimmed);
    return MR_OK;
}

/* Headers alone: where the frames are, and how many rows they have. MR_CLOSED: there is no spool.
 */
static mr_status_t
read_spool (mr_deepsink_look_t *look, mr_error_t *err)
{
    char dir[PATH_MAX];
    mr_spool_path (look->data_dir, look->sink.slot, dir);
    mr_seglog_walk_options_t walk = {.dir = dir, .headers_only = true, .until = 1};
    mr_seglog_walked_t walked = {0};
    mr_status_t status = mr_seglog_walk (&walk, &walked, err); /* where it begins */
    if (status == MR_OK) {
        look->first = walked.first;
        walk.until = 0;
        walk.visitor = (mr_seglog_visitor_t){on_segment, on_frame, on_damage, look};
        status = mr_seglog_walk (&walk, &walked, err);
    }
    look->end = walked.end;
    look->begins = look->begins || look->sink.state.position == walked.end;
    return status;
}

static void
judge_counts (const mr_deepsink_look_t *look)
{
    const mr_cursor_state_t *state = &look->sink.state;
    uint64_t accounted =
        state->base + state->delivered + state->unmatched + state->rejected + state->dropped;
    uint64_t due = look->before + look->below;
    bool overtaken = state->position < look->first;
    if (look->counted && !look->damaged && !overtaken && accounted != due) {
        mr_deepsink_tell (look, look->cursor_file, 0,
                          "the cursor accounts for %" PRIu64 " rows (base %" PRIu64
                          ", delivered %" PRIu64 ", unmatched %" PRIu64 ", rejected %" PRIu64
                          ", dropped %" PRIu64 "); up to its position the spool had %" PRIu64,
                          accounted, state->base, state->delivered, state->unmatched,
                          state->rejected, state->dropped, due);
    }
}

/* false: nothing more can be said of this sink. */
static bool
judge_position (const mr_deepsink_look_t *look)
{
    uint64_t position = look->sink.state.position;
    if (position > look->end) {
        mr_deepsink_tell (look, look->cursor_file, 0,
                          "the cursor says %" PRIu64 ", beyond the end of its spool at %" PRIu64,
                          position, look->end);
        return false;
    }
    if (!look->begins && position > look->first && !look->damaged) {
        mr_deepsink_tell (look, look->cursor_file, 0,
                          "the cursor says %" PRIu64 ", where no frame of its spool begins",
                          position);
        return false;
    }
    return true;
}

/* ---- one sink ---- */

/* What the configuration says of it. MR_CONFIG: its `match` is wrong now. */
static mr_status_t
find_sink (mr_deepsink_look_t *look, const mr_config_t *config, mr_error_t *err)
{
    mr_deepsink_t *sink = &look->sink;
    mr_rows_input_t input = (mr_rows_input_t)sink->state.input;
    look->key = mr_hash64 (sink->name, strlen (sink->name));
    if (strcmp (sink->name, MR_CURSOR_DEAD_STORE) == 0) {
        look->is_configured = true;
        look->is_file = true;
        snprintf (look->path, sizeof look->path, "%s/dead/exporter.%d.jsonl", look->data_dir,
                  sink->slot);
        return mr_rows_init (&look->rows, input, NULL, false, err);
    }
    const mr_config_section_t *section = NULL;
    while (config != NULL && (section = mr_config_next_section (config, "sink", section)) != NULL) {
        if (strcmp (mr_config_section_name (section), sink->name) != 0) {
            continue;
        }
        look->is_configured = true;
        look->is_file = strcmp (mr_config_text (section, "type"), "file") == 0;
        if (!look->is_file) {
            snprintf (sink->note, sizeof sink->note, "a sink of this type cannot be read back");
            return MR_OK;
        }
        mr_status_t status =
            mr_sink_path (mr_config_text (section, "path"), sink->slot, look->path, err);
        return status == MR_OK
                   ? mr_rows_init (&look->rows, input, mr_config_text (section, "match"),
                                   mr_config_number (section, "envelope") != 0, err)
                   : status;
    }
    snprintf (sink->note, sizeof sink->note, "%s",
              config == NULL ? "no configuration says where it is" : "not in the configuration");
    return MR_OK;
}

/* The spool begins behind what it still has to give. Of a sink that nobody waits for, that is as it
 * should be; and beside one that runs, the cursor may have moved on since it was read. */
static void
judge_overtaken (mr_deepsink_look_t *look)
{
    char path[2 * PATH_MAX];
    mr_cursor_state_t now;
    mr_error_t ignored;
    look->sink.overtaken = look->sink.state.position < look->first;
    snprintf (path, sizeof path, "%s/%s", look->data_dir, look->cursor_file);
    if (look->sink.overtaken && look->is_configured &&
        mr_cursor_read (path, &now, &ignored) == MR_OK && now.position < look->first) {
        mr_deepsink_tell (look, look->cursor_file, 0,
                          "the cursor says %" PRIu64 ", the spool begins at %" PRIu64
                          ": what was due in between is gone, or came while the sink was not in "
                          "the configuration",
                          now.position, look->first);
    }
}

static mr_status_t
look_at_sink (mr_deepsink_look_t *look, const mr_config_t *config, mr_error_t *err)
{
    mr_deepsink_t *sink = &look->sink;
    mr_status_t status = find_sink (look, config, err);
    if (status != MR_OK) {
        look->is_file = false;
        snprintf (sink->note, sizeof sink->note, "%.150s", err->text);
    }
    status = read_spool (look, err);
    if (status == MR_CLOSED || (status == MR_OK && look->spool != sink->state.spool)) {
        snprintf (sink->note, sizeof sink->note, "its cursor is of another spool");
    } else if (status == MR_OK && judge_position (look)) {
        judge_overtaken (look);
        judge_counts (look);
        status = look->is_file ? mr_deepsink_compare (look, err) : MR_OK;
    }
    if (look->is_file) {
        mr_rows_release (&look->rows);
    }
    look->visitor->sink (look->visitor->arg, sink);
    return status == MR_CLOSED ? MR_OK : status;
}

/* ---- all of them ---- */

typedef struct reading {
    const char *data_dir;
    const mr_config_t *config;
    const mr_deepsink_visitor_t *visitor;
    mr_error_t *err;
} reading_t;

static mr_status_t
read_one (void *arg, const mr_cursor_place_t *place)
{
    const reading_t *reading = arg;
    char cursor_file[PATH_MAX];
    snprintf (cursor_file, sizeof cursor_file, "exporter.%d.cursors/%s.cursor", place->slot,
              place->name);
    mr_deepsink_look_t *look = calloc (1, sizeof *look);
    if (look == NULL) {
        return mr_error_errno (reading->err, "audit");
    }
    look->visitor = reading->visitor;
    look->data_dir = reading->data_dir;
    look->cursor_file = cursor_file;
    look->sink.slot = place->slot;
    snprintf (look->sink.name, sizeof look->sink.name, "%s", place->name);
    mr_status_t status = mr_cursor_read (place->path, &look->sink.state, reading->err);
    if (status == MR_INVALID) {
        mr_deepsink_tell (look, cursor_file, 0, "the cursor is broken, or of another version");
        status = MR_OK;
    } else if (status == MR_OK) {
        status = look_at_sink (look, reading->config, reading->err);
    }
    free (look->frames);
    free (look);
    return status == MR_CLOSED ? MR_OK : status;
}

mr_status_t
mr_deepsink_read (const char *data_dir, const mr_config_t *config,
                  const mr_deepsink_visitor_t *visitor, mr_error_t *err)
{
    reading_t reading = {data_dir, config, visitor, err};
    mr_error_set (err, "no memory"); /* what fails otherwise says so itself */
    return mr_cursor_each (data_dir, read_one, &reading, err);
}
