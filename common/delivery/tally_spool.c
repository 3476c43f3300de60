#include "common/delivery/tally_spool.h"

#include "common/base/seglog_walk.h"

#include <stdlib.h>
#include <unistd.h>

enum { FRAMES = 64, FIRST_STARTS = 64 };

static mr_status_t
add_sums (const void *text, size_t bytes, mr_spool_sum_t *sum, mr_error_t *err)
{
    mr_spool_sum_t sums[MR_SPOOL_SUMS_MAX];
    uint32_t count = 0;
    mr_status_t status = bytes > 0 ? mr_spool_sums_decode (text, bytes, sums, &count, err) : MR_OK;
    for (uint32_t i = 0; i < count; i++) {
        if (sum->journal == 0 || sums[i].journal == sum->journal) {
            mr_spool_sum_add (sum, &sums[i]);
        }
    }
    return status;
}

static mr_status_t
open_reader (mr_tally_spool_t *self, uint64_t position, mr_error_t *err)
{
    mr_seglog_reader_options_t options = {
        .dir = self->dir, .position = position, .headers_only = true};
    return mr_seglog_reader_new (&options, &self->reader, err);
}

/* ---- the newest segment alone ---- */

static mr_status_t
read_newest (const char *dir, mr_buffer_t *text, uint64_t *ret_from, mr_error_t *err)
{
    mr_seglog_options_t options = {
        .dir = dir,
        .kind = MR_SPOOL_KIND,
        .read_only = true,
        .segment_bytes = MR_SEGLOG_SEGMENT_MIN,
        .max_payload_bytes = MR_BATCH_MAX_BYTES,
    };
    mr_seglog_t *log = NULL;
    mr_status_t status = mr_seglog_open (&options, &log, err);
    if (status == MR_OK) {
        status = mr_seglog_snapshot (log, text, ret_from, err);
        status = status == MR_CLOSED ? MR_OK : status; /* no header can be read: all frames then */
    }
    mr_seglog_close (&log);
    return status;
}

static mr_status_t
open_newest (mr_tally_spool_t *self, mr_error_t *err)
{
    uint64_t from = 0;
    mr_buffer_t text;
    mr_buffer_init (&text, MR_SEGLOG_SNAPSHOT_MAX);
    mr_status_t status = read_newest (self->dir, &text, &from, err);
    if (status == MR_OK) {
        status = add_sums (text.data, text.size, &self->start, err);
        if (status != MR_OK) {
            mr_error_prefix (err, "%s", self->dir);
        }
    }
    mr_buffer_release (&text);
    return status == MR_OK ? open_reader (self, from, err) : status;
}

/* ---- all of them ---- */

typedef struct noting {
    mr_tally_spool_t *spool;
    size_t room;
    bool met;
} noting_t;

/* One that is not whole tells nothing, and reading may begin before it; if the first one is not,
 * with nothing before it. */
static mr_status_t
note_start (void *arg, const mr_seglog_segment_t *segment)
{
    noting_t *noting = arg;
    mr_tally_spool_t *spool = noting->spool;
    bool first = !noting->met;
    noting->met = true;
    if (!segment->sound && !first) {
        return MR_OK;
    }
    if (spool->start_count == noting->room) {
        size_t room = noting->room == 0 ? FIRST_STARTS : 2 * noting->room;
        void *bigger = reallocarray (spool->starts, room, sizeof *spool->starts);
        if (bigger == NULL) {
            return MR_SYSTEM;
        }
        spool->starts = bigger;
        noting->room = room;
    }
    /* Behind the header: position 0 would be the oldest frame that there is, and none missed. */
    uint64_t behind = segment->start + segment->head.header_bytes;
    mr_tally_start_t *start = &spool->starts[spool->start_count++];
    *start = (mr_tally_start_t){.position = segment->sound ? behind : segment->start,
                                .sum = spool->start};
    return segment->sound
               ? add_sums (segment->snapshot, segment->head.snapshot_bytes, &start->sum, NULL)
               : MR_OK;
}

static mr_status_t
note_starts (mr_tally_spool_t *self, mr_error_t *err)
{
    noting_t noting = {.spool = self};
    mr_seglog_walk_options_t walk = {
        .dir = self->dir,
        .headers_only = true,
        .visitor = {.segment = note_start, .arg = &noting},
    };
    mr_seglog_walked_t walked;
    mr_error_set (err, "%s: no memory, or the start of a segment is broken", self->dir);
    return mr_seglog_walk (&walk, &walked, err);
}

/* ---- both ---- */

mr_status_t
mr_tally_spool_open (const char *data_dir, const mr_tally_which_t *which,
                     mr_tally_spool_t *ret_spool, mr_error_t *err)
{
    mr_tally_spool_t spool = {.start = {.journal = which->journal}};
    mr_spool_path (data_dir, which->slot, spool.dir);
    if (access (spool.dir, F_OK) != 0) {
        return MR_CLOSED;
    }
    mr_status_t status = which->every ? note_starts (&spool, err) : open_newest (&spool, err);
    if (status == MR_OK) {
        *ret_spool = spool;
    } else {
        mr_tally_spool_close (&spool);
    }
    return status;
}

void
mr_tally_spool_close (mr_tally_spool_t *self)
{
    mr_seglog_reader_destroy (&self->reader);
    free (self->starts);
    self->starts = NULL;
    self->start_count = 0;
}

mr_status_t
mr_tally_spool_begin (mr_tally_spool_t *self, uint64_t through, mr_error_t *err)
{
    if (self->reader != NULL) {
        return self->start.max_seq <= through ? MR_OK : MR_AGAIN;
    }
    for (size_t i = self->start_count; i > 0; i--) {
        const mr_tally_start_t *start = &self->starts[i - 1];
        if (start->sum.max_seq <= through) {
            self->start = start->sum;
            return open_reader (self, start->position, err);
        }
    }
    return MR_AGAIN;
}

/* ---- frames ---- */

static void
add_frame (mr_tally_spool_t *self, const mr_seglog_frame_t *frame, uint64_t through,
           mr_spool_sum_t *sum)
{
    const uint64_t *words = frame->words;
    bool wanted = sum->journal == 0 || words[MR_SPOOL_WORD_JOURNAL] == sum->journal;
    if (frame->type == MR_SEGLOG_DATA && wanted) {
        mr_spool_sum_add_frame (words[MR_SPOOL_WORD_SEQ] <= through ? sum : &self->above, words);
    }
}

mr_status_t
mr_tally_spool_add (mr_tally_spool_t *self, uint64_t through, mr_spool_sum_t *sum, mr_error_t *err)
{
    mr_seglog_reader_stats_t before;
    mr_seglog_reader_stats_t after;
    mr_seglog_reader_stats (self->reader, &before);
    mr_seglog_frame_t frames[FRAMES];
    mr_status_t status;
    unsigned count;
    while ((status = mr_seglog_reader_next (self->reader, frames, FRAMES, &count, err)) == MR_OK) {
        for (unsigned i = 0; i < count; i++) {
            add_frame (self, &frames[i], through, sum);
        }
    }
    mr_seglog_reader_stats (self->reader, &after);
    if (status == MR_AGAIN && after.trimmed_bytes == before.trimmed_bytes) {
        return MR_OK; /* the end */
    }
    return status;
}

/* ---- all journals ---- */

typedef struct summing {
    mr_spool_sum_t *sums;
    uint32_t *count;
    bool overtaken; /* by retention: frames that had to be added are gone */
} summing_t;

static mr_status_t
sum_frame (void *arg, const mr_seglog_frame_t *frame)
{
    const summing_t *self = arg;
    uint64_t journal = frame->words[MR_SPOOL_WORD_JOURNAL];
    uint32_t i = 0;
    if (frame->type != MR_SEGLOG_DATA) {
        return MR_OK;
    }
    while (i < *self->count && self->sums[i].journal != journal) {
        i++;
    }
    if (i == *self->count && i < MR_SPOOL_SUMS_MAX) {
        self->sums[(*self->count)++] = (mr_spool_sum_t){.journal = journal};
    }
    if (i < *self->count) {
        mr_spool_sum_add_frame (&self->sums[i], frame->words);
    }
    return MR_OK;
}

static void
note_gap (void *arg, const mr_seglog_damage_t *damage)
{
    summing_t *self = arg;
    self->overtaken = self->overtaken || damage->trimmed;
}

mr_status_t
mr_tally_spool_sums (const char *data_dir, int slot, mr_spool_sum_t *ret_sums, uint32_t *ret_count,
                     mr_error_t *err)
{
    char dir[PATH_MAX];
    uint64_t from = 0;
    mr_buffer_t text;
    mr_spool_path (data_dir, slot, dir);
    if (access (dir, F_OK) != 0) {
        return MR_CLOSED;
    }
    *ret_count = 0;
    mr_buffer_init (&text, MR_SEGLOG_SNAPSHOT_MAX);
    mr_status_t status = read_newest (dir, &text, &from, err);
    if (status == MR_OK && text.size > 0) {
        status = mr_spool_sums_decode (text.data, text.size, ret_sums, ret_count, err);
    }
    mr_buffer_release (&text);
    summing_t summing = {.sums = ret_sums, .count = ret_count};
    mr_seglog_reader_options_t options = {
        .dir = dir, .position = from, .headers_only = true, .report = note_gap, .arg = &summing};
    if (status == MR_OK) {
        status = mr_seglog_each (&options, sum_frame, &summing, err);
    }
    if (status == MR_OK && summing.overtaken) {
        mr_error_set (err, "%s moves too fast to be caught; try again", dir);
        return MR_AGAIN;
    }
    return status;
}
