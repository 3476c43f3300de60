#include "common/base/seglog.h"
#include "common/base/seglog_reader.h"
#include "common/delivery/journal.h"
#include "common/delivery/journal_format.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { TRIES = 20 };

void
mr_journal_path (const char *data_dir, int slot, char *ret_path)
{
    int bytes = snprintf (ret_path, PATH_MAX, "%s/ingest.%d.journal", data_dir, slot);
    MR_ASSERT (bytes > 0 && bytes < PATH_MAX); /* the configuration bounds data_dir */
}

uint64_t
mr_journal_unknown (const mr_seglog_frame_t *frame, uint64_t before)
{
    uint64_t says = 0;
    if (frame->type == MR_SEGLOG_CONTROL && frame->flags == MR_JOURNAL_GONE) {
        says = frame->words[MR_JOURNAL_GONE_UNKNOWN];
    } else if (frame->type == MR_SEGLOG_CONTROL && frame->flags == MR_JOURNAL_LOST) {
        says = frame->words[MR_JOURNAL_LOST_UNKNOWN]; /* 0 in those of older versions */
    }
    return says > before ? says : before;
}

/* What is read of it, and whether retention took frames before they were. */
typedef struct reading {
    mr_journal_snapshot_t head;
    bool overtaken;
} reading_t;

/* The last ones that stand behind the snapshot, if any do. */
static mr_status_t
note_control (void *arg, const mr_seglog_frame_t *frame)
{
    mr_journal_snapshot_t *head = &((reading_t *)arg)->head;
    if (frame->type == MR_SEGLOG_CONTROL && frame->flags == MR_JOURNAL_WATERMARK &&
        frame->words[0] > head->watermark) {
        head->watermark = frame->words[0];
    }
    head->unknown = mr_journal_unknown (frame, head->unknown);
    return MR_OK;
}

static void
note_gap (void *arg, const mr_seglog_damage_t *damage)
{
    reading_t *self = arg;
    self->overtaken = self->overtaken || damage->trimmed;
}

static mr_status_t
read_snapshot (mr_seglog_t *log, const char *dir, mr_journal_info_t *ret_info, mr_error_t *err)
{
    mr_buffer_t text;
    mr_buffer_init (&text, MR_SEGLOG_SNAPSHOT_MAX);
    uint64_t from = 0;
    reading_t reading = {.overtaken = false};
    mr_status_t status = mr_seglog_snapshot (log, &text, &from, err);
    if (status == MR_OK &&
        mr_journal_snapshot_decode (text.data, text.size, &reading.head) != MR_OK) {
        mr_error_set (err,
                      "%s: what its newest file begins with is broken; restore it or move the "
                      "journal away to begin a new one",
                      dir);
        status = MR_INVALID;
    }
    mr_buffer_release (&text);
    if (status == MR_CLOSED) {
        status = MR_OK; /* no segment header is readable: from the oldest frame on */
    }
    if (status == MR_OK) {
        mr_seglog_reader_options_t options = {.dir = dir,
                                              .position = from,
                                              .headers_only = true,
                                              .report = note_gap,
                                              .arg = &reading};
        status = mr_seglog_each (&options, note_control, &reading, err);
    }
    if (status == MR_OK && reading.overtaken) {
        mr_error_set (err, "%s moves too fast to be caught; try again", dir);
        return MR_AGAIN;
    }
    const mr_journal_snapshot_t *head = &reading.head;
    *ret_info = (mr_journal_info_t){
        .id = mr_seglog_id (log),
        .next_seq = head->next_seq,
        .top_seq = head->top_seq,
        .received = head->received,
        .watermark = head->watermark,
        .lost = head->lost,
        .lost_seq = head->lost_seq,
        .unknown = head->unknown,
        .gone_seq = head->gone_seq,
    };
    return status;
}

static mr_status_t
peek_once (const char *dir, mr_journal_info_t *ret_info, mr_error_t *err)
{
    mr_seglog_options_t options = {
        .dir = dir,
        .kind = MR_JOURNAL_KIND,
        .read_only = true,
        .segment_bytes = MR_SEGLOG_SEGMENT_MIN,
        .max_payload_bytes = MR_BATCH_MAX_BYTES + MR_JOURNAL_TRAILER_MAX,
    };
    mr_seglog_t *log = NULL;
    if (access (dir, F_OK) != 0) {
        return MR_CLOSED;
    }
    mr_status_t status = mr_seglog_open (&options, &log, err);
    if (status == MR_OK) {
        status = read_snapshot (log, dir, ret_info, err);
    }
    mr_seglog_close (&log);
    return status;
}

mr_status_t
mr_journal_peek (const char *dir, mr_journal_info_t *ret_info, mr_error_t *err)
{
    mr_status_t status = MR_AGAIN;
    for (int i = 0; i < TRIES && status == MR_AGAIN; i++) {
        status = peek_once (dir, ret_info, err);
    }
    return status;
}
