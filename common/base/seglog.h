/* seglog: the segment log that ingest's journal and the exporter's spool are made of.
 *
 * Frames (a payload and eight words of the caller's) are appended to segment files of one directory
 * and read by position, by anybody on this machine. Checksums tell whole frames from torn ones;
 * opening costs the same whatever the backlog: the last segment is read, the others are not.
 *
 * Rules that every caller may build on:
 *   - A frame whose append returned MR_OK is found again, whole, at its position, after kill -9 of
 *     anything; after power loss too if it lies below mr_seglog_synced.
 *   - A frame whose append returned MR_AGAIN is nowhere. MR_SYSTEM says that it may be there: the
 *     log is in doubt, and stays so until mr_seglog_mend or a later append returns MR_OK.
 *   - Positions only grow. A log's id is random and new when its directory was emptied.
 *   - Segments are recycled: a trimmed file becomes the next segment, its pages still in memory,
 *     which costs a fifth to a half of the CPU of a new file. New files get their blocks in large
 *     steps.
 *
 * Bytes on disk: seglog_format.h. One writer at a time: the caller holds a lock of its own. One
 * thread owns an mr_seglog_t; mr_seglog_sync and mr_seglog_synced may be called from one other.
 * Readers: seglog_reader.h. Looking inside, checking, cutting: seglog_walk.h. */
#ifndef MR_COMMON_BASE_SEGLOG_H
#define MR_COMMON_BASE_SEGLOG_H

#include "common/base/buffer.h"
#include "common/base/file_ops.h"
#include "common/base/seglog_format.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct mr_seglog mr_seglog_t;

enum {
    MR_SEGLOG_DATA = 1,    /* counts among the last K, is indexed */
    MR_SEGLOG_CONTROL = 2, /* does neither */
    MR_SEGLOG_KEEP_MAX = 16,
    MR_SEGLOG_INDEX_MAX = 65536,
    MR_SEGLOG_POOL_MAX = 64,
    MR_SEGLOG_IOV_MAX = 64,
    MR_SEGLOG_SEGMENT_MIN = 4096,
    MR_SEGLOG_PAYLOAD_MAX = 1 << 30,
};

typedef struct mr_seglog_options {
    const char *dir;        /* made when missing (not its parent) */
    uint16_t kind;          /* what is in it, 1 .. 65535, e.g. journal or spool; checked at open */
    bool read_only;         /* look at it, change nothing; append and trim are then bugs */
    uint64_t id;            /* 0: take what is there; else an existing log must have this id */
    uint64_t segment_bytes; /* begin a new segment beyond this, or beyond twice the snapshot where
                               that is more; 16 MiB is a good size */
    uint32_t max_payload_bytes; /* 1 .. MR_SEGLOG_PAYLOAD_MAX */
    unsigned pool_segments;     /* trimmed files kept for reuse, 0 .. MR_SEGLOG_POOL_MAX */
    unsigned keep_frames;       /* K: the last K data frames survive any trim, 0 .. 16 */
    unsigned index_frames;      /* the last so many data frames are found by word, 0 .. 65536 */
    unsigned index_word;        /* by which word, 0 .. 7; its values should ascend */
    uint64_t keep_bytes;        /* trim keeps segments while the log holds at most so much ... */
    int64_t keep_ms;            /* ... and they are younger than this; both 0: keeps none */
    const mr_file_ops_t *ops;   /* NULL: the real file system */
    int64_t (*wall_ns) (void);  /* NULL: mr_clock_wall_ns */
    /* Written at the start of each segment: what the caller must know to read on from there alone
     * (totals, producers' numbers). Called by open (empty directory only), append, reserve, roll;
     * not MR_OK: the caller of those gets that status. NULL: none. */
    mr_status_t (*snapshot) (void *arg, mr_buffer_t *out);
    void *arg;
} mr_seglog_options_t;

/* One frame to append; everything is borrowed for the call. */
typedef struct mr_seglog_entry {
    uint8_t type;  /* MR_SEGLOG_DATA or MR_SEGLOG_CONTROL */
    uint8_t flags; /* the caller's */
    uint64_t words[MR_SEGLOG_WORDS];
    const struct iovec *iov; /* payload, 0 .. max_payload_bytes together */
    int iov_count;           /* 0 .. MR_SEGLOG_IOV_MAX */
} mr_seglog_entry_t;

/* One frame as it lies in the log. */
typedef struct mr_seglog_frame {
    uint64_t position;
    uint64_t next; /* position behind it */
    uint64_t ordinal;
    uint8_t type;
    uint8_t flags;
    uint64_t words[MR_SEGLOG_WORDS];
    const char *payload; /* NULL when only headers are read */
    uint32_t payload_bytes;
    int fd;               /* borrowed: for copy_file_range and sendfile; never moves its offset */
    uint64_t file_offset; /* of the payload in fd */
} mr_seglog_frame_t;

typedef struct mr_seglog_stats {
    uint64_t id;
    uint64_t first;          /* start of the oldest segment */
    uint64_t end;            /* behind the last whole frame */
    uint64_t synced;         /* as mr_seglog_synced */
    uint64_t next_ordinal;   /* frames ever appended, about: lost ones may be missing */
    uint64_t segments;       /* files, the pool apart */
    uint64_t pool_segments;  /* files in the pool */
    uint64_t made;           /* segments begun with a new file, and ... */
    uint64_t recycled;       /* ... with a used one, since open */
    uint64_t torn_bytes;     /* cut at open: a frame that was not whole */
    uint64_t damaged_ranges; /* met in the last segment at open: skipped */
    uint64_t damaged_bytes;
} mr_seglog_stats_t;

/* Open or make a log: cut the torn tail, find the end, fill the index.
 *   options  copied, dir too; ops and arg must outlive the log
 *   ret_log  owned by the caller: mr_seglog_close
 * Returns MR_OK; MR_AGAIN: the disk takes no data now, try later; MR_CONFIG: a newer version,
 * another kind or id, no permission; MR_CLOSED: read_only and no log there; MR_SYSTEM. Damage is no
 * failure: it is skipped, counted and left for readers to report. */
MR_CHECK mr_status_t mr_seglog_open (const mr_seglog_options_t *options, mr_seglog_t **ret_log,
                                     mr_error_t *err);
/* Syncs nothing. *self_p may be NULL. */
void mr_seglog_close (mr_seglog_t **self_p);

/* The newest readable snapshot and the position from which frames follow it: a caller's state is
 * this plus those frames (one segment of them, as a rule). Replaces what is in `out` (limit at
 * least MR_SEGLOG_SNAPSHOT_MAX). Returns MR_OK; MR_CLOSED: no segment header is readable: out is
 * empty and ret_from the oldest position; MR_SYSTEM. */
MR_CHECK mr_status_t mr_seglog_snapshot (mr_seglog_t *self, mr_buffer_t *out, uint64_t *ret_from,
                                         mr_error_t *err);

/* Append one frame with one system call (a new segment apart). Returns
 * MR_OK; MR_INVALID: too large; MR_AGAIN: no space, I/O error, read-only: nothing is in the log,
 * the text says why, the next append may work; MR_SYSTEM: the log is in doubt (above). */
MR_CHECK mr_status_t mr_seglog_append (mr_seglog_t *self, const mr_seglog_entry_t *entry,
                                       uint64_t *ret_position, mr_error_t *err);

/* Make sure that the next append, of at most payload_bytes, finds its blocks on the disk. (Disks
 * that copy on write may still refuse it.) Returns as append does. */
MR_CHECK mr_status_t mr_seglog_reserve (mr_seglog_t *self, uint32_t payload_bytes, mr_error_t *err);

/* End doubt: cut what an append that failed may have left. MR_OK: there is none (any more). */
MR_CHECK mr_status_t mr_seglog_mend (mr_seglog_t *self, mr_error_t *err);

/* Begin a new segment now (so that age can trim the present one); no-op while it has no frame. */
MR_CHECK mr_status_t mr_seglog_roll (mr_seglog_t *self, mr_error_t *err);

/* Make everything appended before the call durable, file names too. Appends may go on meanwhile.
 * Of a read-only log: what lies there now; nobody else hears of it. Returns MR_OK; MR_AGAIN:
 * nothing more is durable than before; later calls write the bytes again. */
MR_CHECK mr_status_t mr_seglog_sync (mr_seglog_t *self, mr_error_t *err);
uint64_t mr_seglog_synced (const mr_seglog_t *self);

/* Behind the last whole frame. Bytes not yet delivered to somebody at P are end - P. */
uint64_t mr_seglog_end (const mr_seglog_t *self);
uint64_t mr_seglog_first (const mr_seglog_t *self);
uint64_t mr_seglog_id (const mr_seglog_t *self);
/* Whether the file that is appended to was removed under the log: nobody will find what it gets. */
bool mr_seglog_unlinked (const mr_seglog_t *self);
void mr_seglog_stats (const mr_seglog_t *self, mr_seglog_stats_t *ret_stats);

/* One frame again. The payload lives until the next read of this log. Returns MR_OK; MR_INVALID: no
 * whole frame there (damaged, trimmed, not a frame's position); MR_SYSTEM. */
MR_CHECK mr_status_t mr_seglog_read (mr_seglog_t *self, uint64_t position,
                                     mr_seglog_frame_t *ret_frame, mr_error_t *err);

/* Where the data frame with this value of the index word is, among the last index_frames. */
bool mr_seglog_find (const mr_seglog_t *self, uint64_t word, uint64_t *ret_position);

/* The last data frames, newest first, at most `max` and keep_frames; headers only, but their
 * payloads were checked: a frame that is not whole is left out. Returns how many. */
unsigned mr_seglog_last (mr_seglog_t *self, mr_seglog_frame_t *frames, unsigned max);

/* Remove or recycle whole segments below `position`, oldest first; never the last keep_frames data
 * frames, nor what keep_bytes and keep_ms keep (now_ns: wall clock). A call removes 8 and as many
 * as were begun since the call before, of small ones 256 or 128 MiB; the next one goes on.
 *   ret_removed  how many went; may be NULL
 * Returns MR_OK; MR_AGAIN: the disk refused; call again later. */
MR_CHECK mr_status_t mr_seglog_trim (mr_seglog_t *self, uint64_t position, int64_t now_ns,
                                     unsigned *ret_removed, mr_error_t *err);

#endif
