#include "common/delivery/spool.h"

#include "common/base/crashpoint.h"
#include "common/base/log.h"
#include "common/base/seglog_reader.h"
#include "common/base/slots.h"
#include "common/delivery/dirlock.h"
#include "common/delivery/journal.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POOL_SEGMENTS = 8 };

struct mr_spool {
    char dir[PATH_MAX];
    char data_dir[PATH_MAX];
    uint8_t slot;
    bool fsync;
    int lock_fd;
    const mr_file_ops_t *ops;
    mr_seglog_t *log;
    mr_spool_sum_t sums[MR_SPOOL_SUMS_MAX];
    uint32_t sum_count;
    /* A claim that could not be honoured and waits for the log to be mended. window NULL: none. */
    struct {
        mr_window_t *window;
        uint64_t seq;
    } held;
    /* With fsync: appended, in this order, and not yet durable. They are the last frames of the
     * log, so that settling finds them. */
    struct {
        mr_window_t *window;
        uint64_t seq;
    } waiting[MR_SPOOL_KEEP];
    unsigned waiting_count;
};

void
mr_spool_path (const char *data_dir, int slot, char *ret_path)
{
    int bytes = snprintf (ret_path, PATH_MAX, "%s/exporter.%d.spool", data_dir, slot);
    MR_ASSERT (bytes > 0 && bytes < PATH_MAX); /* the configuration bounds data_dir */
}

static mr_status_t
snapshot (void *arg, mr_buffer_t *out)
{
    const mr_spool_t *self = arg;
    return mr_spool_sums_encode (self->sums, self->sum_count, out);
}

static mr_seglog_options_t
log_options (const char *dir)
{
    return (mr_seglog_options_t){
        .dir = dir,
        .kind = MR_SPOOL_KIND,
        .max_payload_bytes = MR_BATCH_MAX_BYTES,
        .pool_segments = POOL_SEGMENTS,
        .keep_frames = MR_SPOOL_KEEP,
        .index_frames = 0,
    };
}

/* The ids of the journals that are there; whatever cannot be read is not. */
static uint32_t
living_journals (const mr_spool_t *self, uint64_t ids[MR_SLOTS_MAX])
{
    uint32_t count = 0;
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        char dir[PATH_MAX];
        mr_journal_info_t info;
        mr_error_t err;
        mr_journal_path (self->data_dir, slot, dir);
        if (mr_journal_peek (dir, &info, &err) == MR_OK) {
            ids[count++] = info.id;
        }
    }
    return count;
}

/* The sum of this journal. When there are too many, those of deleted ones are forgotten. */
static mr_spool_sum_t *
sum_of (mr_spool_t *self, uint64_t journal)
{
    for (uint32_t i = 0; i < self->sum_count; i++) {
        if (self->sums[i].journal == journal) {
            return &self->sums[i];
        }
    }
    if (self->sum_count == MR_SPOOL_SUMS_MAX) {
        uint64_t living[MR_SLOTS_MAX];
        uint32_t count = living_journals (self, living);
        mr_spool_sums_forget (self->sums, &self->sum_count, living, count);
    }
    mr_spool_sum_t *sum = &self->sums[self->sum_count++];
    *sum = (mr_spool_sum_t){.journal = journal};
    return sum;
}

static void
add_frame (mr_spool_t *self, const uint64_t *words)
{
    mr_spool_sum_add_frame (sum_of (self, words[MR_SPOOL_WORD_JOURNAL]), words);
}

static mr_status_t
read_frame (void *arg, const mr_seglog_frame_t *frame)
{
    if (frame->type == MR_SEGLOG_DATA) {
        add_frame (arg, frame->words);
    }
    return MR_OK;
}

/* The last snapshot and the frames behind it: one segment, whatever the backlog. */
static mr_status_t
read_sums (mr_spool_t *self, mr_error_t *err)
{
    mr_buffer_t text;
    mr_buffer_init (&text, MR_SEGLOG_SNAPSHOT_MAX);
    uint64_t from = 0;
    mr_status_t status = mr_seglog_snapshot (self->log, &text, &from, err);
    if (status == MR_OK) {
        status = mr_spool_sums_decode (text.data, text.size, self->sums, &self->sum_count, err);
        if (status != MR_OK) {
            mr_error_prefix (err, "%s", self->dir);
        }
    } else if (status == MR_CLOSED) {
        status = MR_OK;
    }
    mr_buffer_release (&text);
    mr_seglog_reader_options_t options = {
        .dir = self->dir, .position = from, .headers_only = true, .ops = self->ops};
    return status == MR_OK ? mr_seglog_each (&options, read_frame, self, err) : status;
}

mr_status_t
mr_spool_open (const mr_spool_options_t *options, mr_spool_t **ret_spool, mr_error_t *err)
{
    mr_spool_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "spool");
    }
    self->slot = (uint8_t)options->slot;
    self->fsync = options->fsync;
    self->ops = options->ops;
    self->lock_fd = -1;
    mr_spool_path (options->data_dir, options->slot, self->dir);
    snprintf (self->data_dir, sizeof self->data_dir, "%s", options->data_dir);
    mr_status_t status = mr_dirlock_take (self->dir, options->lock_wait_ms, &self->lock_fd, err);
    if (status == MR_OK) {
        mr_seglog_options_t log = log_options (self->dir);
        log.segment_bytes = options->segment_bytes;
        log.keep_bytes = options->retain_bytes;
        log.keep_ms = options->retain_ms;
        log.snapshot = snapshot;
        log.ops = options->ops;
        log.arg = self;
        status = mr_seglog_open (&log, &self->log, err);
    }
    if (status == MR_OK) {
        status = read_sums (self, err);
    }
    if (status == MR_OK && self->fsync) { /* settling stores DONE for what lies here */
        status = mr_seglog_sync (self->log, err);
    }
    if (status != MR_OK) {
        mr_spool_close (&self);
        return status;
    }
    *ret_spool = self;
    return MR_OK;
}

void
mr_spool_close (mr_spool_t **self_p)
{
    mr_spool_t *self = *self_p;
    if (self != NULL) {
        mr_seglog_close (&self->log);
        mr_dirlock_release (self->lock_fd);
        free (self);
        *self_p = NULL;
    }
}

/* ---- settling ---- */

typedef struct settling {
    mr_window_t *window;
    mr_seglog_frame_t last[MR_SPOOL_KEEP];
    unsigned count;
    uint8_t slot;
    unsigned freed;
} settling_t;

static void
settle_word (void *arg, uint64_t seq)
{
    settling_t *settling = arg;
    uint64_t journal = mr_window_journal (settling->window);
    for (unsigned i = 0; i < settling->count; i++) {
        const uint64_t *words = settling->last[i].words;
        if (words[MR_SPOOL_WORD_JOURNAL] == journal && words[MR_SPOOL_WORD_SEQ] == seq) {
            mr_window_done (settling->window, seq, settling->slot);
            MR_CRASH_POINT ("spool.settle.done");
            return;
        }
    }
    MR_CRASH_POINT ("spool.settle.release");
    mr_window_release (settling->window, seq, settling->slot);
    MR_CRASH_POINT ("spool.settle.released");
    settling->freed++;
}

static unsigned
settle (mr_seglog_t *log, uint8_t slot, mr_window_t *window)
{
    settling_t settling = {.window = window, .slot = slot};
    settling.count = mr_seglog_last (log, settling.last, MR_SPOOL_KEEP);
    mr_window_each_claimed (window, slot, settle_word, &settling);
    return settling.freed;
}

unsigned
mr_spool_settle (mr_spool_t *self, mr_window_t *window)
{
    return settle (self->log, self->slot, window);
}

mr_status_t
mr_spool_settle_dead (const mr_spool_options_t *options, mr_window_t *window, unsigned *ret_freed,
                      mr_error_t *err)
{
    char dir[PATH_MAX];
    mr_spool_path (options->data_dir, options->slot, dir);
    int fd = -1;
    mr_status_t status = mr_dirlock_take (dir, 0, &fd, err);
    if (status != MR_OK) {
        return status;
    }
    uint8_t slot = (uint8_t)options->slot;
    mr_seglog_options_t log_of_dead = log_options (dir);
    log_of_dead.segment_bytes = MR_SEGLOG_SEGMENT_MIN;
    log_of_dead.read_only = true;
    mr_seglog_t *log = NULL;
    status = mr_seglog_open (&log_of_dead, &log, err);
    if (status == MR_OK && options->fsync) {
        status = mr_seglog_sync (log, err);
    }
    if (status == MR_OK) {
        *ret_freed = settle (log, slot, window);
    } else if (status == MR_CLOSED) { /* it died before it made a log: it appended nothing */
        settling_t settling = {.window = window, .slot = slot};
        mr_window_each_claimed (window, slot, settle_word, &settling);
        *ret_freed = settling.freed;
        status = MR_OK;
    }
    mr_seglog_close (&log);
    mr_dirlock_release (fd);
    return status;
}

/* ---- taking a batch ---- */

static void
finish (mr_spool_t *self, mr_window_t *window, uint64_t seq)
{
    mr_window_done (window, seq, self->slot);
    MR_CRASH_POINT ("spool.accept.done");
}

/* Give back the claim that is held, if there is one. MR_OK: none is any more. */
static mr_status_t
resolve_held (mr_spool_t *self, bool *ret_released, mr_error_t *err)
{
    if (self->held.window == NULL) {
        return MR_OK;
    }
    mr_status_t status = mr_seglog_mend (self->log, err);
    if (status == MR_OK) {
        mr_window_release (self->held.window, self->held.seq, self->slot);
        MR_CRASH_POINT ("spool.held.released");
        self->held.window = NULL;
        *ret_released = true;
    }
    return status;
}

void
mr_spool_words (const mr_batch_t *batch, uint64_t *ret_words)
{
    ret_words[MR_SPOOL_WORD_JOURNAL] = batch->journal;
    ret_words[MR_SPOOL_WORD_SEQ] = batch->seq;
    ret_words[MR_SPOOL_WORD_EXPORTED] = batch->count;
    ret_words[MR_SPOOL_WORD_FILTERED] = batch->filtered;
    ret_words[MR_SPOOL_WORD_DEAD] = batch->dead;
    ret_words[MR_SPOOL_WORD_ATTEMPT] = batch->attempt;
    ret_words[MR_SPOOL_WORD_CONFIG] = batch->config_hash;
    ret_words[MR_SPOOL_WORD_CREATED] = (uint64_t)batch->created_ns;
}

static mr_status_t
append (mr_spool_t *self, const mr_spool_offer_t *offer, bool *ret_released, mr_error_t *err)
{
    const mr_batch_t *batch = offer->batch;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)offer->frame, .iov_len = offer->bytes};
    mr_seglog_entry_t entry = {
        .type = MR_SEGLOG_DATA,
        .iov = &iov,
        .iov_count = 1,
    };
    mr_spool_words (batch, entry.words);
    uint64_t position;
    mr_status_t status = mr_seglog_append (self->log, &entry, &position, err);
    if (status != MR_OK) {
        self->held.window = offer->window;
        self->held.seq = batch->seq;
        mr_error_t ignored; /* err keeps the first cause */
        (void)!resolve_held (self, ret_released, &ignored);
        return status == MR_INVALID ? MR_SYSTEM : status;
    }
    add_frame (self, entry.words);
    MR_CRASH_POINT ("spool.accept.appended");
    if (self->fsync) {
        self->waiting[self->waiting_count].window = offer->window;
        self->waiting[self->waiting_count++].seq = batch->seq;
    } else {
        finish (self, offer->window, batch->seq);
    }
    return MR_OK;
}

mr_status_t
mr_spool_accept (mr_spool_t *self, const mr_spool_offer_t *offer, bool *ret_released,
                 mr_error_t *err)
{
    const mr_batch_t *batch = offer->batch;
    *ret_released = false;
    MR_ASSERT (self->waiting_count < MR_SPOOL_KEEP);
    mr_status_t status = resolve_held (self, ret_released, err);
    if (status != MR_OK) {
        return status;
    }
    mr_window_word_t word = mr_window_load (offer->window, batch->seq);
    if (word.seq != batch->seq || word.state != MR_WINDOW_SENT ||
        word.generation != batch->generation) {
        return MR_CLOSED;
    }
    status = mr_seglog_reserve (self->log, (uint32_t)offer->bytes, err);
    if (status != MR_OK) {
        return status;
    }
    MR_CRASH_POINT ("spool.accept.reserved");
    if (!mr_window_claim (offer->window, batch->seq, batch->generation, self->slot)) {
        return MR_CLOSED;
    }
    MR_CRASH_POINT ("spool.accept.claimed");
    return append (self, offer, ret_released, err);
}

unsigned
mr_spool_waiting (const mr_spool_t *self)
{
    return self->waiting_count;
}

mr_status_t
mr_spool_commit (mr_spool_t *self, mr_error_t *err)
{
    mr_status_t status = self->fsync ? mr_seglog_sync (self->log, err) : MR_OK;
    if (status != MR_OK) {
        return status;
    }
    for (unsigned i = 0; i < self->waiting_count; i++) {
        finish (self, self->waiting[i].window, self->waiting[i].seq);
    }
    self->waiting_count = 0;
    return MR_OK;
}

bool
mr_spool_is_holding (const mr_spool_t *self)
{
    return self->held.window != NULL || self->waiting_count > 0;
}

mr_status_t
mr_spool_append_metrics (mr_spool_t *self, const mr_spool_metrics_t *metrics, mr_error_t *err)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)metrics->rows, .iov_len = metrics->bytes};
    mr_seglog_entry_t entry = {
        .type = MR_SEGLOG_CONTROL,
        .flags = MR_SPOOL_METRICS,
        .words = {metrics->sink, metrics->count},
        .iov = &iov,
        .iov_count = 1,
    };
    uint64_t position;
    mr_status_t status = mr_seglog_append (self->log, &entry, &position, err);
    if (status == MR_OK) {
        MR_CRASH_POINT ("spool.metrics.appended");
    }
    return status;
}

mr_seglog_t *
mr_spool_log (mr_spool_t *self)
{
    return self->log;
}

mr_status_t
mr_spool_in_place (const mr_spool_t *self, mr_error_t *err)
{
    return mr_dirlock_check (self->dir, self->lock_fd, self->log, err);
}

const char *
mr_spool_dir (const mr_spool_t *self)
{
    return self->dir;
}

const mr_spool_sum_t *
mr_spool_sums (const mr_spool_t *self, uint32_t *ret_count)
{
    *ret_count = self->sum_count;
    return self->sums;
}
