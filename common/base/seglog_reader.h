/* seglog_reader: read a segment log in order, from any process, while it is written or at rest.
 *
 * A reader sees frames up to the end that the writer publishes in `head`; where that does not hold
 * (another start of the machine, a copy of the directory) up to the last whole frame. It holds one
 * buffer and one open file. Damage is skipped: the next whole frame is looked for, then the next
 * segment, and each gap is counted and reported once. One thread a reader. */
#ifndef MR_COMMON_BASE_SEGLOG_READER_H
#define MR_COMMON_BASE_SEGLOG_READER_H

#include "common/base/file_ops.h"
#include "common/base/seglog.h"
#include "common/base/status.h"

typedef struct mr_seglog_reader mr_seglog_reader_t;

/* Bytes that no frame could be read from. */
typedef struct mr_seglog_damage {
    uint64_t position;
    uint64_t bytes;
    const char *what;                /* "payload checksum", "trimmed", ...; static */
    bool trimmed;                    /* gone by retention, not by damage */
    char kept[MR_SEGLOG_NAME_BYTES]; /* file in the directory with a copy; "" if none was made */
} mr_seglog_damage_t;

typedef struct mr_seglog_reader_options {
    const char *dir;
    uint64_t position;        /* a frame's, or one that `next` gave; 0: the oldest */
    size_t buffer_bytes;      /* read so much at once; 0: 256 KiB; grows to the largest frame */
    bool headers_only;        /* payloads stay on the disk, unread and unchecked */
    bool synced_only;         /* frames that survive power loss only */
    bool keep_damage;         /* copy damaged bytes to POSITION.corrupt, at most 16 MiB each */
    const mr_file_ops_t *ops; /* NULL: the real file system */
    void (*report) (void *arg, const mr_seglog_damage_t *damage); /* may be NULL */
    void *arg;
} mr_seglog_reader_options_t;

typedef struct mr_seglog_reader_stats {
    uint64_t frames;
    uint64_t damaged_ranges;
    uint64_t damaged_bytes;
    uint64_t trimmed_bytes; /* skipped because retention took them first */
} mr_seglog_reader_stats_t;

/* Returns MR_OK; MR_AGAIN: no log there yet; MR_CONFIG: a newer version, no permission; MR_SYSTEM.
 * A position beyond the end (the log lost an unsynced tail) is moved to the end: compare
 * mr_seglog_reader_position. */
MR_CHECK mr_status_t mr_seglog_reader_new (const mr_seglog_reader_options_t *options,
                                           mr_seglog_reader_t **ret_reader, mr_error_t *err);
void mr_seglog_reader_destroy (mr_seglog_reader_t **self_p);

/* The next frame, and as many behind it as are already in the buffer.
 *   frames     room for `max` (1 ..); payloads and fds live until the next call on this reader
 *   ret_count  1 .. max on MR_OK
 * Returns MR_OK; MR_AGAIN: at the end; MR_CONFIG: a segment of a newer version; MR_SYSTEM. */
MR_CHECK mr_status_t mr_seglog_reader_next (mr_seglog_reader_t *self, mr_seglog_frame_t *frames,
                                            unsigned max, unsigned *ret_count, mr_error_t *err);

/* Read once, from options->position to the end of now: call fn for each frame until one call does
 * not return MR_OK. MR_OK also where there is no log yet; what fn returned; else as `new` and
 * `next`. */
typedef mr_status_t mr_seglog_frame_fn (void *arg, const mr_seglog_frame_t *frame);
MR_CHECK mr_status_t mr_seglog_each (const mr_seglog_reader_options_t *options,
                                     mr_seglog_frame_fn *fn, void *arg, mr_error_t *err);

/* The frame at exactly this position, which need not be near the last one; the order of `next` is
 * not disturbed. Returns MR_OK; MR_INVALID: no whole frame there; MR_SYSTEM. */
MR_CHECK mr_status_t mr_seglog_reader_at (mr_seglog_reader_t *self, uint64_t position,
                                          mr_seglog_frame_t *ret_frame, mr_error_t *err);

/* Where `next` goes on: behind the last frame it gave. */
uint64_t mr_seglog_reader_position (const mr_seglog_reader_t *self);
void mr_seglog_reader_seek (mr_seglog_reader_t *self, uint64_t position);

/* The end that this reader may read to now. */
uint64_t mr_seglog_reader_end (mr_seglog_reader_t *self);

/* Whether what lies at `position` may have been recycled: bytes copied straight from a frame's fd
 * are good only if this is still false after the copy. */
bool mr_seglog_reader_gone (const mr_seglog_reader_t *self, uint64_t position);

void mr_seglog_reader_stats (const mr_seglog_reader_t *self, mr_seglog_reader_stats_t *ret_stats);

#endif
