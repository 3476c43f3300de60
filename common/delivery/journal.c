#include "common/delivery/journal.h"

#include "common/base/clock.h"
#include "common/base/crashpoint.h"
#include "common/base/seglog.h"
#include "common/base/seglog_reader.h"
#include "common/delivery/ceiling.h"
#include "common/delivery/dirlock.h"
#include "common/delivery/journal_format.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POOL_SEGMENTS = 8, GROWN_SEGMENTS = 8 };

struct mr_journal {
    char dir[PATH_MAX];
    int lock_fd;
    mr_seglog_t *log;
    mr_journal_state_t state;
    uint64_t next_seq;
    uint64_t top_seq;
    uint64_t received;
    uint64_t watermark; /* as last written */
    uint64_t ceiling;   /* seqs up to here may be given out */
    uint64_t lost;
    uint64_t lost_seq;
    uint64_t unknown;
    uint64_t gone_seq;
    uint64_t sure_seq;
    bool damaged_end; /* no batch is behind the last damage that was met */
    uint64_t begun;   /* segments of this life when it was last settled */
    bool without_frames;
    bool displaced; /* mr_journal_in_place */
    _Atomic uint64_t synced_seq;
    _Atomic uint64_t appended_seq;
    _Atomic uint64_t synced_watermark;
    _Atomic uint64_t appended_watermark;
};

/* ---- state: snapshot and the frames behind it ---- */

static mr_status_t
snapshot (void *arg, mr_buffer_t *out)
{
    mr_journal_t *self = arg;
    mr_journal_snapshot_t head = {
        .next_seq = self->next_seq,
        .top_seq = self->top_seq,
        .received = self->received,
        .watermark = self->watermark,
        .lost = self->lost,
        .lost_seq = self->lost_seq,
        .unknown = self->unknown,
        .gone_seq = self->gone_seq,
    };
    mr_status_t status = mr_journal_snapshot_encode (&head, out);
    return status == MR_OK ? self->state.save (self->state.arg, out) : status;
}

static mr_status_t
load_snapshot (mr_journal_t *self, const mr_buffer_t *text, mr_error_t *err)
{
    mr_journal_snapshot_t head;
    if (mr_journal_snapshot_decode (text->data, text->size, &head) != MR_OK ||
        self->state.load (self->state.arg, head.memory, head.memory_bytes) != MR_OK) {
        mr_error_set (
            err,
            "%s: what its newest file begins with is broken; restore it or move the journal "
            "away to begin a new one",
            self->dir);
        return MR_INVALID;
    }
    self->next_seq = head.next_seq;
    self->top_seq = head.top_seq;
    self->received = head.received;
    self->watermark = head.watermark;
    self->lost = head.lost;
    self->lost_seq = head.lost_seq;
    self->unknown = head.unknown;
    self->gone_seq = head.gone_seq;
    return MR_OK;
}

static mr_status_t
apply_control (mr_journal_t *self, const mr_seglog_frame_t *frame)
{
    const uint64_t *words = frame->words;
    if (frame->flags == MR_JOURNAL_WATERMARK) {
        self->watermark = words[0];
    } else if (frame->flags == MR_JOURNAL_LOST) {
        self->lost = words[MR_JOURNAL_LOST_TOTAL];
        self->lost_seq = words[MR_JOURNAL_LOST_SEQ];
    } else if (frame->flags == MR_JOURNAL_GONE) {
        self->gone_seq = words[MR_JOURNAL_GONE_SEQ];
    }
    self->unknown = mr_journal_unknown (frame, self->unknown);
    return frame->flags == MR_JOURNAL_NOTE ? self->state.note (self->state.arg, words) : MR_OK;
}

static mr_status_t
apply (mr_journal_t *self, const mr_seglog_frame_t *frame)
{
    if (frame->type == MR_SEGLOG_CONTROL) {
        return apply_control (self, frame);
    }
    self->damaged_end = false;
    uint64_t frame_bytes = frame->words[MR_JOURNAL_WORD_FRAME_BYTES];
    self->top_seq = frame->words[MR_JOURNAL_WORD_SEQ];
    self->next_seq = self->top_seq + 1;
    self->received = frame->words[MR_JOURNAL_WORD_TOTAL];
    if (frame_bytes > frame->payload_bytes) {
        return MR_INVALID;
    }
    return self->state.apply (self->state.arg, frame->payload + frame_bytes,
                              frame->payload_bytes - frame_bytes);
}

typedef struct {
    mr_journal_t *journal;
    mr_error_t *err;
} reading_t;

static mr_status_t
apply_frame (void *arg, const mr_seglog_frame_t *frame)
{
    reading_t *reading = arg;
    mr_status_t status = apply (reading->journal, frame);
    if (status != MR_OK) {
        mr_error_set (reading->err,
                      "%s: the frame at position %llu cannot be understood (%s); restore the "
                      "journal or move it away to begin a new one",
                      reading->journal->dir, (unsigned long long)frame->position,
                      mr_status_name (status));
    }
    return status;
}

static void
note_damage (void *arg, const mr_seglog_damage_t *damage)
{
    ((mr_journal_t *)arg)->damaged_end = !damage->trimmed;
}

static mr_status_t
read_state (mr_journal_t *self, mr_error_t *err)
{
    mr_buffer_t text;
    mr_buffer_init (&text, MR_SEGLOG_SNAPSHOT_MAX);
    uint64_t from = 0;
    mr_status_t status = mr_seglog_snapshot (self->log, &text, &from, err);
    if (status == MR_OK) {
        status = load_snapshot (self, &text, err);
    } else if (status == MR_CLOSED) {
        status = MR_OK;
    }
    mr_buffer_release (&text);
    reading_t reading = {self, err};
    mr_seglog_reader_options_t options = {
        .dir = self->dir, .position = from, .report = note_damage, .arg = self};
    if (status == MR_OK) {
        status = mr_seglog_each (&options, apply_frame, &reading, err);
    }
    uint64_t used = self->watermark > self->gone_seq ? self->watermark : self->gone_seq;
    if (self->next_seq <= used) {
        self->next_seq = used + 1; /* numbers that never came are settled, too */
    }
    self->sure_seq = self->damaged_end ? self->top_seq : self->next_seq - 1;
    return status;
}

/* ---- open ---- */

static mr_status_t
open_log (mr_journal_t *self, const mr_journal_options_t *journal, mr_error_t *err)
{
    mr_seglog_options_t options = {
        .dir = self->dir,
        .kind = MR_JOURNAL_KIND,
        .segment_bytes = journal->segment_bytes,
        .keep_bytes = journal->retain_bytes,
        .keep_ms = journal->retain_ms,
        .max_payload_bytes = MR_BATCH_MAX_BYTES + MR_JOURNAL_TRAILER_MAX,
        .pool_segments = POOL_SEGMENTS,
        .index_frames = MR_SEGLOG_INDEX_MAX,
        .index_word = MR_JOURNAL_WORD_SEQ,
        .snapshot = snapshot,
        .arg = self,
    };
    return mr_seglog_open (&options, &self->log, err);
}

mr_status_t
mr_journal_open (const mr_journal_options_t *options, mr_journal_t **ret_journal, mr_error_t *err)
{
    mr_journal_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "journal");
    }
    self->lock_fd = -1;
    self->next_seq = 1;
    self->state = options->state;
    self->without_frames = options->without_frames;
    mr_journal_path (options->data_dir, options->slot, self->dir);
    mr_status_t status = mr_dirlock_take (self->dir, options->lock_wait_ms, &self->lock_fd, err);
    if (status == MR_OK) {
        status = open_log (self, options, err);
    }
    if (status == MR_OK) {
        status = read_state (self, err);
    }
    if (status == MR_OK) {
        status = mr_ceiling_open (self->dir, &self->next_seq, &self->ceiling, err);
    }
    if (status != MR_OK) {
        mr_journal_close (&self);
        return status;
    }
    atomic_store (&self->appended_seq, self->top_seq);
    atomic_store (&self->appended_watermark, self->watermark);
    *ret_journal = self;
    return MR_OK;
}

void
mr_journal_close (mr_journal_t **self_p)
{
    mr_journal_t *self = *self_p;
    if (self != NULL) {
        mr_seglog_close (&self->log);
        mr_dirlock_release (self->lock_fd);
        free (self);
        *self_p = NULL;
    }
}

mr_journal_info_t
mr_journal_info (const mr_journal_t *self)
{
    return (mr_journal_info_t){
        .id = mr_seglog_id (self->log),
        .next_seq = self->next_seq,
        .top_seq = self->top_seq,
        .received = self->received,
        .watermark = self->watermark,
        .lost = self->lost,
        .lost_seq = self->lost_seq,
        .unknown = self->unknown,
        .gone_seq = self->gone_seq,
        .sure_seq = self->sure_seq,
    };
}

void
mr_journal_skip (mr_journal_t *self, uint64_t seq)
{
    uint64_t used = seq < self->ceiling ? seq : self->ceiling;
    if (self->next_seq <= used) {
        self->next_seq = used + 1;
    }
}

/* ---- append, sync, read ---- */

mr_status_t
mr_journal_in_place (mr_journal_t *self, mr_error_t *err)
{
    mr_status_t status = mr_dirlock_check (self->dir, self->lock_fd, self->log, err);
    self->displaced = status != MR_OK;
    return status;
}

/* MR_OK, or MR_AGAIN: it is not in its place. */
static mr_status_t
look_whether_back (mr_journal_t *self, mr_error_t *err)
{
    return self->displaced && mr_journal_in_place (self, err) != MR_OK ? MR_AGAIN : MR_OK;
}

static mr_status_t
append_frame (mr_journal_t *self, const mr_seglog_entry_t *frame, mr_error_t *err)
{
    uint64_t position;
    mr_status_t status = look_whether_back (self, err);
    return status == MR_OK ? mr_seglog_append (self->log, frame, &position, err) : status;
}

mr_status_t
mr_journal_append (mr_journal_t *self, const mr_journal_entry_t *entry, mr_error_t *err)
{
    const mr_batch_t *batch = entry->batch;
    MR_ASSERT (batch->seq == self->next_seq);
    mr_status_t status = look_whether_back (self, err); /* the ceiling's path is that of the log */
    if (status == MR_OK && batch->seq > self->ceiling) {
        status =
            mr_ceiling_raise (self->dir, batch->seq, MR_JOURNAL_SEQ_BLOCK, &self->ceiling, err);
    }
    if (status != MR_OK) {
        return status;
    }
    size_t frame_bytes = self->without_frames ? 0 : entry->frame_bytes;
    struct iovec iov[2] = {
        {.iov_base = (void *)(uintptr_t)entry->frame, .iov_len = frame_bytes},
        {.iov_base = (void *)(uintptr_t)entry->trailer, .iov_len = entry->trailer_bytes},
    };
    mr_seglog_entry_t frame = {
        .type = MR_SEGLOG_DATA,
        .words = {batch->seq, batch->received, self->received + batch->received,
                  (uint64_t)batch->created_ns, frame_bytes},
        .iov = iov,
        .iov_count = entry->trailer_bytes > 0 ? 2 : 1,
    };
    status = append_frame (self, &frame, err);
    if (status != MR_OK) {
        return status;
    }
    self->top_seq = batch->seq;
    self->next_seq = batch->seq + 1;
    self->received += batch->received;
    atomic_store (&self->appended_seq, batch->seq);
    MR_CRASH_POINT ("journal.append.done");
    return MR_OK;
}

mr_status_t
mr_journal_note (mr_journal_t *self, const uint64_t words[MR_JOURNAL_NOTE_WORDS], mr_error_t *err)
{
    mr_seglog_entry_t frame = {.type = MR_SEGLOG_CONTROL, .flags = MR_JOURNAL_NOTE};
    memcpy (frame.words, words, MR_JOURNAL_NOTE_WORDS * sizeof *words);
    mr_status_t status = append_frame (self, &frame, err);
    if (status == MR_OK) {
        MR_CRASH_POINT ("journal.note.written");
    }
    return status;
}

mr_status_t
mr_journal_sync (mr_journal_t *self, mr_error_t *err)
{
    uint64_t seq = atomic_load (&self->appended_seq);
    uint64_t watermark = atomic_load (&self->appended_watermark);
    mr_status_t status = mr_seglog_sync (self->log, err);
    if (status == MR_OK) {
        MR_CRASH_POINT ("journal.sync.done");
        atomic_store (&self->synced_watermark, watermark);
        atomic_store (&self->synced_seq, seq);
    }
    return status;
}

uint64_t
mr_journal_synced_seq (const mr_journal_t *self)
{
    return atomic_load (&self->synced_seq);
}

uint64_t
mr_journal_synced_watermark (const mr_journal_t *self)
{
    return atomic_load (&self->synced_watermark);
}

static mr_status_t
find (mr_journal_t *self, uint64_t seq, mr_seglog_frame_t *ret_frame, mr_error_t *err)
{
    uint64_t position;
    if (!mr_seglog_find (self->log, seq, &position)) {
        mr_error_set (err, "%s: batch %llu is not in it", self->dir, (unsigned long long)seq);
        return MR_INVALID;
    }
    return mr_seglog_read (self->log, position, ret_frame, err);
}

mr_status_t
mr_journal_read (mr_journal_t *self, uint64_t seq, const void **ret_frame, size_t *ret_bytes,
                 mr_error_t *err)
{
    mr_seglog_frame_t frame;
    mr_status_t status = find (self, seq, &frame, err);
    if (status != MR_OK) {
        return status;
    }
    if (frame.words[MR_JOURNAL_WORD_FRAME_BYTES] == 0) {
        mr_error_set (err, "%s: batch %llu was in memory alone", self->dir,
                      (unsigned long long)seq);
        return MR_CLOSED;
    }
    if (frame.words[MR_JOURNAL_WORD_FRAME_BYTES] > frame.payload_bytes) {
        mr_error_set (err, "%s: batch %llu is broken", self->dir, (unsigned long long)seq);
        return MR_INVALID;
    }
    *ret_frame = frame.payload;
    *ret_bytes = frame.words[MR_JOURNAL_WORD_FRAME_BYTES];
    return MR_OK;
}

/* ---- what is given up ---- */

/* Records of a batch; from its neighbours where its own frame is damaged. 0: cannot be known. */
static uint64_t
records_of (mr_journal_t *self, uint64_t seq)
{
    mr_seglog_frame_t frame;
    mr_error_t ignored;
    if (find (self, seq, &frame, &ignored) == MR_OK) {
        return frame.words[MR_JOURNAL_WORD_RECEIVED];
    }
    uint64_t end = self->received;
    if (seq < self->top_seq) {
        if (find (self, seq + 1, &frame, &ignored) != MR_OK) {
            return 0;
        }
        end = frame.words[MR_JOURNAL_WORD_TOTAL] - frame.words[MR_JOURNAL_WORD_RECEIVED];
    }
    return find (self, seq - 1, &frame, &ignored) == MR_OK
               ? end - frame.words[MR_JOURNAL_WORD_TOTAL]
               : 0;
}

mr_status_t
mr_journal_lose (mr_journal_t *self, uint64_t seq, mr_error_t *err)
{
    uint64_t records = records_of (self, seq);
    uint64_t unknown = self->unknown + (records == 0 && seq > self->gone_seq ? 1 : 0);
    mr_seglog_entry_t frame = {.type = MR_SEGLOG_CONTROL,
                               .flags = MR_JOURNAL_LOST,
                               .words = {seq, records, self->lost + records, unknown}};
    mr_status_t status = append_frame (self, &frame, err);
    if (status == MR_OK) {
        self->lost += records;
        self->lost_seq = seq;
        self->unknown = unknown;
        MR_CRASH_POINT ("journal.lose.written");
    }
    return status;
}

mr_status_t
mr_journal_miss (mr_journal_t *self, uint64_t seq, uint64_t batches, mr_error_t *err)
{
    mr_seglog_entry_t frame = {.type = MR_SEGLOG_CONTROL,
                               .flags = MR_JOURNAL_GONE,
                               .words = {seq, batches, self->unknown + batches}};
    mr_status_t status = append_frame (self, &frame, err);
    if (status == MR_OK) {
        self->gone_seq = seq;
        self->unknown += batches;
    }
    return status;
}

/* ---- the watermark ---- */

static mr_status_t
write_watermark (mr_journal_t *self, uint64_t watermark, mr_error_t *err)
{
    mr_seglog_entry_t frame = {
        .type = MR_SEGLOG_CONTROL, .flags = MR_JOURNAL_WATERMARK, .words = {watermark}};
    mr_status_t status = append_frame (self, &frame, err);
    if (status == MR_OK) {
        self->watermark = watermark;
        atomic_store (&self->appended_watermark, watermark);
        MR_CRASH_POINT ("journal.watermark.written");
    }
    return status;
}

static uint64_t
segments_begun (const mr_journal_t *self)
{
    mr_seglog_stats_t stats;
    mr_seglog_stats (self->log, &stats);
    return stats.made + stats.recycled;
}

bool
mr_journal_has_grown (const mr_journal_t *self)
{
    return segments_begun (self) - self->begun >= GROWN_SEGMENTS;
}

mr_status_t
mr_journal_settle (mr_journal_t *self, uint64_t watermark, mr_error_t *err)
{
    self->begun = segments_begun (self);
    mr_status_t status =
        watermark == self->watermark ? MR_OK : write_watermark (self, watermark, err);
    if (status != MR_OK) {
        return status;
    }
    uint64_t position = mr_seglog_end (self->log);
    if (watermark < self->top_seq && !mr_seglog_find (self->log, watermark + 1, &position)) {
        return MR_OK; /* a number that was skipped: the next watermark will find its place */
    }
    return mr_seglog_trim (self->log, position, mr_clock_wall_ns (), NULL, err);
}
