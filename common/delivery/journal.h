/* journal: the log of batches of one ingest worker, DATA/ingest.<slot>.journal/. What was
 * acknowledged is here. Its log id is the journal id of every batch; a deleted journal is a new id.
 *
 * Frames of the log (common/base/seglog.h):
 *   data     payload: the batch frame, and behind it the caller's trailer (producers' numbers)
 *            words: seq, received, received so far (this one included), created_ns, frame bytes
 * control  flags MR_JOURNAL_WATERMARK: words: watermark
 *            flags MR_JOURNAL_NOTE: words: the caller's
 *            flags MR_JOURNAL_LOST: words: seq, its records, records lost so far (these included),
 *            batches so far of which nobody knows the records
 *            flags MR_JOURNAL_GONE: words: seq, batches up to it that are not in the journal, ...
 *            ... batches so far of which nobody knows the records
 * Each segment begins with the numbers below and the caller's state, so that trimmed segments are
 * not missed. Whoever writes holds the lock file in the directory. One thread, apart from
 * mr_journal_sync. */
#ifndef MR_COMMON_DELIVERY_JOURNAL_H
#define MR_COMMON_DELIVERY_JOURNAL_H

#include "common/base/buffer.h"
#include "common/base/seglog.h"
#include "common/base/status.h"
#include "common/wire/batch.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_journal mr_journal_t;

enum {
    MR_JOURNAL_KIND = 1,
    MR_JOURNAL_WATERMARK = 1, /* flags of a control frame */
    MR_JOURNAL_NOTE = 2,
    MR_JOURNAL_LOST = 3,
    MR_JOURNAL_GONE = 4,
    MR_JOURNAL_NOTE_WORDS = 4,
    MR_JOURNAL_SEQ_BLOCK = 4096,
    MR_JOURNAL_TRAILER_MAX = 8 << 20,
};

/* Words of a data frame. */
enum {
    MR_JOURNAL_WORD_SEQ,
    MR_JOURNAL_WORD_RECEIVED,
    MR_JOURNAL_WORD_TOTAL,
    MR_JOURNAL_WORD_CREATED,
    MR_JOURNAL_WORD_FRAME_BYTES, /* 0: the frame was kept in memory by who appended it */
};

/* Words of a LOST frame. */
enum {
    MR_JOURNAL_LOST_SEQ,
    MR_JOURNAL_LOST_RECORDS,
    MR_JOURNAL_LOST_TOTAL,
    MR_JOURNAL_LOST_UNKNOWN, /* as MR_JOURNAL_GONE_UNKNOWN */
};

/* Words of a GONE frame. */
enum {
    MR_JOURNAL_GONE_SEQ,
    MR_JOURNAL_GONE_BATCHES,
    MR_JOURNAL_GONE_UNKNOWN, /* batches so far, these included */
};

/* The caller's own state that lives in the journal. */
typedef struct mr_journal_state {
    /* Append all of it. */
    mr_status_t (*save) (void *arg, mr_buffer_t *out);
    /* Take it over from a snapshot; MR_INVALID: it is broken. */
    mr_status_t (*load) (void *arg, const void *data, size_t bytes);
    /* A batch with this trailer came behind the snapshot. */
    mr_status_t (*apply) (void *arg, const void *trailer, size_t bytes);
    /* A note with these words (MR_JOURNAL_NOTE_WORDS) came behind the snapshot. */
    mr_status_t (*note) (void *arg, const uint64_t *words);
    void *arg;
} mr_journal_state_t;

/* Batches, so far, of which nobody knows how many records they had: as this frame says, which comes
 * behind a place where there were `before`. */
uint64_t mr_journal_unknown (const mr_seglog_frame_t *frame, uint64_t before);

typedef struct mr_journal_options {
    const char *data_dir;
    int slot;
    uint64_t segment_bytes;
    uint64_t retain_bytes; /* settled segments stay while the journal holds at most so much, ... */
    int64_t retain_ms;     /* ... and they are younger than this; both 0: they go at once */
    int lock_wait_ms;
    bool without_frames; /* write everything but the batch frames: the caller keeps those */
    mr_journal_state_t state;
} mr_journal_options_t;

/* What the journal says of itself. */
typedef struct mr_journal_info {
    uint64_t id;
    uint64_t next_seq;  /* the next batch gets this */
    uint64_t top_seq;   /* of the last batch in it; 0: none */
    uint64_t received;  /* records, through top_seq */
    uint64_t watermark; /* the last one noted */
    uint64_t lost;      /* records of batches that were given up: mr_journal_lose */
    uint64_t lost_seq;  /* the last of those; 0: none */
    uint64_t unknown;   /* batches whose frames are gone, with how many records nobody knows */
    uint64_t gone_seq;  /* the last that mr_journal_miss told of; 0: none */
    uint64_t sure_seq;  /* when it was opened nothing up to this number was missing at its end */
} mr_journal_info_t;

/* "DATA/ingest.<slot>.journal"; ret_path: PATH_MAX bytes. */
void mr_journal_path (const char *data_dir, int slot, char *ret_path);

/* Take the lock, cut the torn tail, read the state. After another start of this machine numbers
 * that may have been used are skipped (ceiling.h). MR_OK; MR_AGAIN: the lock is held, or the
 * disk takes no data; MR_CONFIG; MR_SYSTEM. */
MR_CHECK mr_status_t mr_journal_open (const mr_journal_options_t *options,
                                      mr_journal_t **ret_journal, mr_error_t *err);
void mr_journal_close (mr_journal_t **self_p);

mr_journal_info_t mr_journal_info (const mr_journal_t *self);

/* Whether the journal's path still leads to what this journal writes. Once it does not, nothing
 * more is appended (MR_AGAIN) until it does again.
 * MR_OK; MR_CLOSED: it was removed, moved away or replaced; err: what, and what to do. */
MR_CHECK mr_status_t mr_journal_in_place (mr_journal_t *self, mr_error_t *err);

/* What a journal says of itself at the start of its newest segment, but the watermark and the
 * unknown batches that it noted last, from any process and without its lock. dir: as
 * mr_journal_path. MR_OK; MR_CLOSED: there is none; MR_AGAIN: it moves too fast; MR_INVALID;
 * MR_SYSTEM. */
MR_CHECK mr_status_t mr_journal_peek (const char *dir, mr_journal_info_t *ret_info,
                                      mr_error_t *err);

/* Numbers up to this one (UINT64_MAX: nobody knows which) may be in use, though the journal does
 * not say so: go on above. None beyond the ceiling was ever given out. */
void mr_journal_skip (mr_journal_t *self, uint64_t seq);

/* A batch to append: its seq is next_seq. */
typedef struct mr_journal_entry {
    const void *frame;
    size_t frame_bytes;
    const mr_batch_t *batch; /* what frame encodes */
    const void *trailer;
    size_t trailer_bytes;
} mr_journal_entry_t;

/* MR_OK; MR_AGAIN: the disk takes nothing now, nothing was appended, err says why; MR_SYSTEM: the
 * log is in doubt; the next append mends it first. */
MR_CHECK mr_status_t mr_journal_append (mr_journal_t *self, const mr_journal_entry_t *entry,
                                        mr_error_t *err);

/* Append a note of the caller's. As mr_journal_append. */
MR_CHECK mr_status_t mr_journal_note (mr_journal_t *self,
                                      const uint64_t words[MR_JOURNAL_NOTE_WORDS], mr_error_t *err);

/* Note that a batch is given up for good, and how many records that costs. As mr_journal_append. */
MR_CHECK mr_status_t mr_journal_lose (mr_journal_t *self, uint64_t seq, mr_error_t *err);

/* Note that `batches` with numbers up to seq, above sure_seq and gone_seq, were appended and are
 * not in the journal any more: its end was damaged. As mr_journal_append. */
MR_CHECK mr_status_t mr_journal_miss (mr_journal_t *self, uint64_t seq, uint64_t batches,
                                      mr_error_t *err);

/* Make all that was appended durable; may be called from one other thread. */
MR_CHECK mr_status_t mr_journal_sync (mr_journal_t *self, mr_error_t *err);

/* The highest seq, and the highest noted watermark, that a sync made durable: what was appended
 * before it began. 0: none did yet. */
uint64_t mr_journal_synced_seq (const mr_journal_t *self);
uint64_t mr_journal_synced_watermark (const mr_journal_t *self);

/* The batch frame again; valid until the next call on this journal.
 * MR_OK; MR_CLOSED: the frame was never written (without_frames); MR_INVALID: it is damaged or
 * gone; MR_SYSTEM. */
MR_CHECK mr_status_t mr_journal_read (mr_journal_t *self, uint64_t seq, const void **ret_frame,
                                      size_t *ret_bytes, mr_error_t *err);

/* Note the watermark (a control frame, when it changed) and let go of segments below it: of as many
 * as were begun since the call before and some more, so that to call it now and then is enough,
 * whether the watermark moves or not. MR_AGAIN: the disk refused; call again later. */
MR_CHECK mr_status_t mr_journal_settle (mr_journal_t *self, uint64_t watermark, mr_error_t *err);

/* Whether so many segments were begun since it was settled that to settle should not wait. */
bool mr_journal_has_grown (const mr_journal_t *self);

#endif
