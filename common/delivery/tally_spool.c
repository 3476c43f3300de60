#include "common/delivery/tally_spool.h"

#include "common/base/seglog_walk.h"

#include <limits.h>
#include <unistd.h>

enum { FRAMES = 64 };

static void
add_sums (const mr_buffer_t *text, mr_spool_sum_t *sum, mr_status_t *status, mr_error_t *err)
{
    mr_spool_sum_t sums[MR_SPOOL_SUMS_MAX];
    uint32_t count = 0;
    if (*status == MR_OK && text->size > 0) {
        *status = mr_spool_sums_decode (text->data, text->size, sums, &count, err);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (sum->journal == 0 || sums[i].journal == sum->journal) {
            mr_spool_sum_add (sum, &sums[i]);
        }
    }
}

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

typedef struct oldest {
    mr_buffer_t *text;
    uint64_t start;
    bool met;
} oldest_t;

static mr_status_t
take_oldest (void *arg, const mr_seglog_segment_t *segment)
{
    oldest_t *oldest = arg;
    oldest->start = segment->start;
    oldest->met = true;
    if (!segment->sound) {
        return MR_CLOSED;
    }
    mr_status_t status =
        mr_buffer_append (oldest->text, segment->snapshot, segment->head.snapshot_bytes);
    return status == MR_OK ? MR_CLOSED : status; /* that was all */
}

static mr_status_t
read_oldest (const char *dir, mr_buffer_t *text, uint64_t *ret_from, mr_error_t *err)
{
    oldest_t oldest = {.text = text};
    mr_seglog_walk_options_t walk = {
        .dir = dir,
        .headers_only = true,
        .visitor = {.segment = take_oldest, .arg = &oldest},
    };
    mr_seglog_walked_t walked;
    mr_status_t status = mr_seglog_walk (&walk, &walked, err);
    *ret_from = oldest.start;
    return status == MR_CLOSED && oldest.met ? MR_OK : status;
}

mr_status_t
mr_tally_spool_open (const char *data_dir, const mr_tally_which_t *which,
                     mr_tally_spool_t *ret_spool, mr_error_t *err)
{
    char dir[PATH_MAX];
    mr_spool_path (data_dir, which->slot, dir);
    if (access (dir, F_OK) != 0) {
        return MR_CLOSED;
    }
    mr_tally_spool_t spool = {.start = {.journal = which->journal}};
    uint64_t from = 0;
    mr_buffer_t text;
    mr_buffer_init (&text, MR_SEGLOG_SNAPSHOT_MAX);
    mr_status_t status =
        which->oldest ? read_oldest (dir, &text, &from, err) : read_newest (dir, &text, &from, err);
    add_sums (&text, &spool.start, &status, err);
    mr_buffer_release (&text);
    if (status == MR_OK) {
        mr_seglog_reader_options_t options = {.dir = dir, .position = from, .headers_only = true};
        status = mr_seglog_reader_new (&options, &spool.reader, err);
    }
    if (status == MR_OK) {
        *ret_spool = spool;
    }
    return status;
}

void
mr_tally_spool_close (mr_tally_spool_t *self)
{
    mr_seglog_reader_destroy (&self->reader);
}

static void
add_frame (const mr_seglog_frame_t *frame, uint64_t through, mr_spool_sum_t *sum)
{
    const uint64_t *words = frame->words;
    bool wanted = sum->journal == 0 || words[MR_SPOOL_WORD_JOURNAL] == sum->journal;
    if (frame->type == MR_SEGLOG_DATA && wanted && words[MR_SPOOL_WORD_SEQ] <= through) {
        mr_spool_sum_add_frame (sum, words);
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
            add_frame (&frames[i], through, sum);
        }
    }
    mr_seglog_reader_stats (self->reader, &after);
    if (status == MR_AGAIN && after.trimmed_bytes == before.trimmed_bytes) {
        return MR_OK; /* the end */
    }
    return status;
}
