/* seglog_private: what the files of the segment log share; nobody else includes it. */
#ifndef MR_COMMON_BASE_SEGLOG_PRIVATE_H
#define MR_COMMON_BASE_SEGLOG_PRIVATE_H

#include "common/base/seglog.h"
#include "common/base/seglog_reader.h"
#include "common/base/seglog_scan.h"

#include <pthread.h>

enum { MR_SEGLOG_CHUNK = 256 << 10, MR_SEGLOG_HEADER_CHUNK = 4 << 10 };

/* Starts of the segments in a directory, ascending. */
typedef struct mr_seglog_list {
    uint64_t *starts;
    size_t count;
    size_t capacity;
    bool failed; /* out of memory while listing */
} mr_seglog_list_t;

/* A log's directory, open; all borrowed. */
typedef struct mr_seglog_place {
    const mr_file_ops_t *ops;
    int dir;
    const char *name; /* for messages */
} mr_seglog_place_t;

/* The starts in names of one suffix; MR_SYSTEM when the directory cannot be listed. */
MR_CHECK mr_status_t mr_seglog_list_load (mr_seglog_list_t *self, const mr_seglog_place_t *place,
                                          const char *suffix, mr_error_t *err);
MR_CHECK bool mr_seglog_list_add (mr_seglog_list_t *self, uint64_t start);
void mr_seglog_list_release (mr_seglog_list_t *self);
/* Index of the last start at or below position; count: none. */
size_t mr_seglog_list_at (const mr_seglog_list_t *self, uint64_t position);

/* The last data frames: (word, position) of index_frames, and whole headers of keep_frames. */
typedef struct mr_seglog_index {
    uint64_t *words;
    uint64_t *positions;
    unsigned capacity;
    unsigned word;   /* which one is the key */
    uint64_t pushed; /* slot of the next is pushed % capacity */
    bool unsorted;   /* the keys did not ascend: search one by one */
    mr_seglog_frame_head_t last[MR_SEGLOG_KEEP_MAX];
    unsigned keep;
    uint64_t kept; /* slot of the next is kept % keep */
} mr_seglog_index_t;

MR_CHECK mr_status_t mr_seglog_index_init (mr_seglog_index_t *self, unsigned frames, unsigned word,
                                           unsigned keep);
void mr_seglog_index_release (mr_seglog_index_t *self);
void mr_seglog_index_clear (mr_seglog_index_t *self);
void mr_seglog_index_push (mr_seglog_index_t *self, const mr_seglog_frame_head_t *head);
/* Whether the last K are all there, K counted as wanted. */
bool mr_seglog_index_full (const mr_seglog_index_t *self);
/* The position of the oldest of the last K; UINT64_MAX when K is 0, 0 when there are fewer. */
uint64_t mr_seglog_index_oldest_kept (const mr_seglog_index_t *self);

struct mr_seglog {
    mr_seglog_options_t options;
    char *dir_name;
    const mr_file_ops_t *ops;
    mr_seglog_head_t *head; /* mapped, or &own_head */
    mr_seglog_head_t own_head;
    uint64_t boot[2];

    /* Held to change these and `fd`, and through a whole sync. */
    pthread_mutex_t lock;
    mr_seglog_list_t segments;
    uint64_t start;      /* position of the last segment's byte 0 */
    uint64_t sync_again; /* bytes from here on are written again first; UINT64_MAX: none */

    uint64_t id;
    uint64_t number;    /* of the last segment */
    uint64_t ordinal;   /* of the next frame */
    uint64_t header;    /* offset of the first frame in the last segment */
    uint64_t tail;      /* offset in the last segment */
    uint64_t allocated; /* bytes of it that surely have blocks */
    uint64_t trimmed;   /* segments begun in this life when it was last trimmed */
    uint64_t born;      /* the end at open: segments from here on were begun in this life */
    uint64_t roll_at;   /* where the next segment starts when must_roll */
    mr_seglog_index_t index;
    mr_seglog_reader_t *reader; /* for mr_seglog_read; made when first used */
    mr_hash_state_t *hash_state;
    mr_buffer_t snapshot;
    mr_seglog_stats_t stats;
    uint64_t pool[MR_SEGLOG_POOL_MAX];

    unsigned pool_count;
    int dir;
    int fd;         /* of the last segment; -1: none could be used */
    int head_fd;    /* -1: own_head is used */
    bool same_boot; /* head was written since the machine started */
    bool recycled;  /* the last segment's file was used before */
    bool must_roll; /* the last segment takes no more frames */
    bool doubt;     /* something may lie behind tail */
    atomic_bool dir_dirty;
};

struct mr_seglog_reader {
    mr_seglog_reader_options_t options;
    char *dir_name;
    const mr_file_ops_t *ops;
    int dir;
    const mr_seglog_head_t *head; /* NULL: not there yet */
    bool head_mapped;             /* by us */
    uint64_t boot[2];
    uint64_t id;
    uint64_t rest_end; /* the end that was found by checksums, while no head holds */
    uint64_t position;
    mr_seglog_scan_t here;  /* the open segment of next; fd -1: none */
    mr_seglog_scan_t there; /* of at */
    mr_seglog_reader_stats_t stats;
};

/* seglog_reader_open.c */
/* Close the file of `here` or `there`. */
void mr_seglog_reader_leave (mr_seglog_reader_t *self, mr_seglog_scan_t *scan);
mr_status_t mr_seglog_reader_failed (const mr_seglog_reader_t *self, const char *what,
                                     mr_error_t *err);

/* seglog_open.c, seglog_list.c, seglog_recover.c */
/* Open a segment of the log by its start. -1 and errno. */
int mr_seglog_open_segment (const mr_file_ops_t *ops, int dir, uint64_t start, int flags);
/* Find the end of the log, cut what is torn, fill the index. */
MR_CHECK mr_status_t mr_seglog_recover (mr_seglog_t *self, mr_error_t *err);

/* seglog_clean.c */
/* Remove stock files and resurrected first segments. */
MR_CHECK mr_status_t mr_seglog_clean (mr_seglog_t *self, mr_error_t *err);
/* Take segment i out of the log, durably. `aside`: keep the file, under another name. */
MR_CHECK mr_status_t mr_seglog_remove (mr_seglog_t *self, size_t i, bool aside, mr_error_t *err);

/* seglog_head.c */
MR_CHECK mr_status_t mr_seglog_head_open (mr_seglog_t *self, mr_error_t *err);
void mr_seglog_head_publish (mr_seglog_t *self, uint64_t end, uint64_t synced);
void mr_seglog_head_close (mr_seglog_t *self);
/* Whether the bytes are a head of a version that we know. */
bool mr_seglog_head_valid (const mr_seglog_head_t *head);

/* seglog_append.c: the last segment takes frames up to here: segment_bytes, and with a snapshot of
 * more than half of that as many bytes of frames as of snapshot, so that a large one (of many
 * producers) does not stand before each frame. */
uint64_t mr_seglog_segment_limit (const mr_seglog_t *self);

/* seglog_roll.c: begin a segment at `start` (a position). As mr_seglog_append. */
MR_CHECK mr_status_t mr_seglog_begin (mr_seglog_t *self, uint64_t start, mr_error_t *err);

/* seglog_damage.c: copy a range of a segment aside.
 *   ret_name  the file's name, "" when there is none */
void mr_seglog_keep_damage (mr_seglog_scan_t *scan, int dir, uint64_t offset, uint64_t bytes,
                            char *ret_name);

/* What a failing system call means for the caller: MR_AGAIN if it may pass, MR_CONFIG for missing
 * permission, else MR_SYSTEM; the text is "DIR: WHAT: strerror". */
mr_status_t mr_seglog_failed (const mr_seglog_t *self, const char *what, mr_error_t *err);

/* A reader of an open log, for mr_seglog_read. MR_SYSTEM: no memory. */
MR_CHECK mr_status_t mr_seglog_reader_inside (mr_seglog_t *log, mr_error_t *err);

#endif
