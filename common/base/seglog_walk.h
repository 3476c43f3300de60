/* seglog_walk: look through a segment log from the outside, frame by frame, and cut it: what
 * `millrace log` and `millrace audit --deep` do. Walking works beside a living writer, up to the
 * end that was published when it began; cutting needs the log to itself (the caller holds its
 * writer's lock). */
#ifndef MR_COMMON_BASE_SEGLOG_WALK_H
#define MR_COMMON_BASE_SEGLOG_WALK_H

#include "common/base/file_ops.h"
#include "common/base/seglog_reader.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* A segment as it is met. */
typedef struct mr_seglog_segment {
    uint64_t start;      /* its position */
    uint64_t file_bytes; /* of the whole file: more than its frames take up */
    bool sound;          /* header and snapshot are whole: then the rest holds */
    mr_seglog_segment_head_t head;
    const char *snapshot; /* head.snapshot_bytes long; until the call returns */
} mr_seglog_segment_t;

/* Who is told. Each may be NULL; where neither frame nor damage is wanted, only the starts of
 * segments are read, and nothing is counted but them. One that does not return MR_OK ends the walk
 * with that status. */
typedef struct mr_seglog_visitor {
    mr_status_t (*segment) (void *arg, const mr_seglog_segment_t *segment);
    /* As mr_seglog_reader_next gives it. */
    mr_status_t (*frame) (void *arg, const mr_seglog_frame_t *frame);
    /* What no frame can be read from; `trimmed`: retention was faster.
     *   segment  start of the segment it lies in */
    mr_status_t (*damage) (void *arg, const mr_seglog_damage_t *damage, uint64_t segment);
    void *arg;
} mr_seglog_visitor_t;

typedef struct mr_seglog_walk_options {
    const char *dir;
    uint64_t position;        /* a frame's or a segment's; 0: from the oldest on */
    uint64_t until;           /* stop at frames that begin here or later; 0: the end of now */
    bool headers_only;        /* payloads stay on the disk, unread and unchecked */
    const mr_file_ops_t *ops; /* NULL: the real file system */
    mr_seglog_visitor_t visitor;
} mr_seglog_walk_options_t;

typedef struct mr_seglog_walked {
    uint64_t id;
    uint16_t kind;
    uint64_t first; /* start of the oldest segment */
    uint64_t end;   /* where the walk ended */
    uint64_t segments;
    uint64_t frames; /* whole ones */
    uint64_t payload_bytes;
    uint64_t damaged_headers; /* of segments */
    uint64_t damaged_ranges;
    uint64_t damaged_bytes;
    uint64_t trimmed_bytes; /* gone by retention meanwhile */
} mr_seglog_walked_t;

/* Walk the log: each segment, then the frames in it, in the order of positions. Returns MR_OK, also
 * for a damaged log: ret_walked says; MR_CLOSED: no log there; MR_CONFIG; MR_SYSTEM; what a visitor
 * returned. */
MR_CHECK mr_status_t mr_seglog_walk (const mr_seglog_walk_options_t *options,
                                     mr_seglog_walked_t *ret_walked, mr_error_t *err);

/* Take away everything from `position` on, which must be a frame's position, a segment's start or
 * the end. What is taken is kept beside the log as POSITION.cut files, or POSITION.N.cut where an
 * earlier cut has that name. New frames will be given these positions again: cursors beyond it must
 * be moved back. Returns MR_OK; MR_INVALID: no frame
 * begins there; MR_CLOSED: no log; MR_AGAIN: the disk refused, nothing is lost; MR_CONFIG;
 * MR_SYSTEM. */
MR_CHECK mr_status_t mr_seglog_cut (const char *dir, const mr_file_ops_t *ops, uint64_t position,
                                    mr_error_t *err);

#endif
