/* spool: the log of finished batches of one exporter, DATA/exporter.<slot>.spool/, and the step by
 * which a batch gets there exactly once: reserve, claim, append, done. ARCHITECTURE.md, "Delivery".
 * Whoever appends or settles holds the lock file in that directory, which is never removed.
 *
 * Frames of the log (common/base/seglog.h):
 *   data     payload: the batch frame as it came;
 *            words: journal, seq, exported, filtered, dead, attempt, config hash, created_ns
 *   control  flags MR_SPOOL_METRICS: payload: metric rows, NDJSON; words: sink, rows
 * Each segment begins with the sums of all frames before it, for each journal.
 * One thread, apart from readers of their own. */
#ifndef MR_COMMON_DELIVERY_SPOOL_H
#define MR_COMMON_DELIVERY_SPOOL_H

#include "common/base/seglog.h"
#include "common/base/status.h"
#include "common/delivery/window.h"
#include "common/wire/batch.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_spool mr_spool_t;

enum {
    MR_SPOOL_KIND = 2,
    MR_SPOOL_METRICS = 1, /* flags of a control frame */
    MR_SPOOL_SUMS_MAX = 256,
    MR_SPOOL_KEEP = 16, /* last frames that no trim removes: settling looks at them */
};

/* Words of a data frame. */
enum {
    MR_SPOOL_WORD_JOURNAL,
    MR_SPOOL_WORD_SEQ,
    MR_SPOOL_WORD_EXPORTED,
    MR_SPOOL_WORD_FILTERED,
    MR_SPOOL_WORD_DEAD,
    MR_SPOOL_WORD_ATTEMPT,
    MR_SPOOL_WORD_CONFIG,
    MR_SPOOL_WORD_CREATED,
};

/* Words of a METRICS frame. */
enum {
    MR_SPOOL_WORD_SINK, /* for whom: hash of the sink's name */
    MR_SPOOL_WORD_ROWS,
};

/* What a spool holds, or held, of one journal; records. */
typedef struct mr_spool_sum {
    uint64_t journal; /* 0: of journals forgotten because there were too many, all together */
    uint64_t max_seq; /* the highest appended */
    uint64_t batches;
    uint64_t exported;
    uint64_t filtered;
    uint64_t dead;
} mr_spool_sum_t;

/* Make room: all but the sums of living journals (fewer than MR_SPOOL_SUMS_MAX - 1) become one, of
 * journal 0, which stands for all that are forgotten. */
void mr_spool_sums_forget (mr_spool_sum_t *sums, uint32_t *count, const uint64_t *living,
                           uint32_t living_count);

/* Add what another sum counts, or the frame with these words (MR_SPOOL_WORD_*); max_seq becomes the
 * higher one. The journal stays: whether it fits is the caller's to know. */
void mr_spool_sum_add (mr_spool_sum_t *self, const mr_spool_sum_t *other);
void mr_spool_sum_add_frame (mr_spool_sum_t *self, const uint64_t *words);

/* Sums as a segment's snapshot, and back. entries: at most MR_SPOOL_SUMS_MAX.
 * MR_INVALID: not a snapshot of sums. */
MR_CHECK mr_status_t mr_spool_sums_encode (const mr_spool_sum_t *sums, uint32_t count,
                                           mr_buffer_t *out);
MR_CHECK mr_status_t mr_spool_sums_decode (const void *data, size_t bytes, mr_spool_sum_t *ret_sums,
                                           uint32_t *ret_count, mr_error_t *err);

/* What came before the oldest segment that is still there, of all journals together.
 *   dir  of the spool
 * MR_OK; MR_CLOSED: there is no segment, or its start is broken; MR_CONFIG; MR_SYSTEM. */
MR_CHECK mr_status_t mr_spool_sums_before (const char *dir, mr_spool_sum_t *ret_sum,
                                           mr_error_t *err);

/* "DATA/exporter.<slot>.spool"; ret_path: PATH_MAX bytes. */
void mr_spool_path (const char *data_dir, int slot, char *ret_path);

typedef struct mr_spool_options {
    const char *data_dir;
    int slot;
    uint64_t segment_bytes;
    uint64_t retain_bytes; /* trimming keeps segments while the spool holds at most so much, ... */
    int64_t retain_ms;     /* ... and they are younger than this; both 0: it keeps none */
    bool fsync;            /* done follows the disk's word */
    int lock_wait_ms; /* somebody who settles for a dead exporter holds the lock for a moment */
    const mr_file_ops_t *ops; /* of the log; NULL: the real file system */
} mr_spool_options_t;

/* Take the lock, cut the torn tail, read the sums; with fsync, make what is there durable.
 * MR_OK; MR_AGAIN: the lock is held, or the disk takes no data now; MR_CONFIG; MR_SYSTEM. */
MR_CHECK mr_status_t mr_spool_open (const mr_spool_options_t *options, mr_spool_t **ret_spool,
                                    mr_error_t *err);
void mr_spool_close (mr_spool_t **self_p);

/* Decide about all words of this window that our slot has claimed: the frame is here, or the batch
 * is free again. Before the first mr_spool_accept, for each window. Returns how many were freed. */
unsigned mr_spool_settle (mr_spool_t *self, mr_window_t *window);

/* A batch on offer. */
typedef struct mr_spool_offer {
    mr_window_t *window; /* of the journal that made it */
    const void *frame;   /* as it came */
    size_t bytes;
    const mr_batch_t *batch; /* decoded from it */
} mr_spool_offer_t;

/* What stands in the frame of a batch beside it: MR_SEGLOG_WORDS of them. */
void mr_spool_words (const mr_batch_t *batch, uint64_t *ret_words);

/* Take one batch. With fsync at most MR_SPOOL_KEEP may wait for mr_spool_commit: ask first.
 * MR_OK: appended, and its word says DONE (with fsync: CLAIMED, until it is committed); MR_CLOSED:
 * a stale copy, not taken (count it as a refused duplicate); MR_AGAIN: the disk takes nothing now,
 * offer it again, err says why; MR_SYSTEM: as AGAIN, and the spool is in doubt, which the next call
 * mends first.
 *   ret_released  a claim was given back: tell ingest */
MR_CHECK mr_status_t mr_spool_accept (mr_spool_t *self, const mr_spool_offer_t *offer,
                                      bool *ret_released, mr_error_t *err);

/* Batches that are taken and wait for the disk; always 0 without fsync. */
unsigned mr_spool_waiting (const mr_spool_t *self);

/* With fsync: make everything durable, then store DONE for all batches that wait. Without: nothing.
 * MR_OK; MR_AGAIN: the disk refuses; they go on waiting. */
MR_CHECK mr_status_t mr_spool_commit (mr_spool_t *self, mr_error_t *err);

/* Whether a claim is neither honoured nor given back yet; its window must stay open. */
bool mr_spool_is_holding (const mr_spool_t *self);

/* Rows that the exporter made itself. */
typedef struct mr_spool_metrics {
    uint64_t sink; /* as MR_SPOOL_WORD_SINK */
    const char *rows;
    size_t bytes;
    uint32_t count;
} mr_spool_metrics_t;

/* As mr_seglog_append. */
MR_CHECK mr_status_t mr_spool_append_metrics (mr_spool_t *self, const mr_spool_metrics_t *metrics,
                                              mr_error_t *err);

/* As mr_journal_in_place, but nothing is refused: that is the caller's. */
MR_CHECK mr_status_t mr_spool_in_place (const mr_spool_t *self, mr_error_t *err);

/* The log: its directory (for readers), positions, trimming. */
mr_seglog_t *mr_spool_log (mr_spool_t *self);
const char *mr_spool_dir (const mr_spool_t *self);

/* Sums of everything ever appended; valid until the next accept. */
const mr_spool_sum_t *mr_spool_sums (const mr_spool_t *self, uint32_t *ret_count);

/* Settle for an exporter that is dead: what it has claimed in this window.
 *   options    data_dir, slot, fsync: what is found is made durable before it is DONE
 *   ret_freed  words that are SENT again
 * MR_OK; MR_AGAIN: its lock is held, so it lives or another settles, or the disk refuses;
 * MR_SYSTEM. */
MR_CHECK mr_status_t mr_spool_settle_dead (const mr_spool_options_t *options, mr_window_t *window,
                                           unsigned *ret_freed, mr_error_t *err);

#endif
