/* seglog_dump: look inside a segment log, check it, cut it: what `millrace logdump` does. Checking
 * reads and verifies every payload. Works beside a living writer, up to its published end; cutting
 * needs the log to itself (the caller holds its writer's lock). */
#ifndef MR_COMMON_BASE_SEGLOG_DUMP_H
#define MR_COMMON_BASE_SEGLOG_DUMP_H

#include "common/base/file_ops.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct mr_seglog_dump_options {
    const char *dir;
    uint64_t position;        /* a frame's; 0: from the oldest on */
    uint64_t max_frames;      /* stop after so many; 0: all */
    bool frames;              /* print a line for each frame, not only for segments and damage */
    FILE *out;                /* NULL: print nothing */
    const mr_file_ops_t *ops; /* NULL: the real file system */
} mr_seglog_dump_options_t;

typedef struct mr_seglog_check {
    uint64_t id;
    uint16_t kind;
    uint64_t first; /* start of the oldest segment */
    uint64_t end;
    uint64_t segments;
    uint64_t frames; /* whole ones */
    uint64_t payload_bytes;
    uint64_t damaged_headers; /* of segments */
    uint64_t damaged_ranges;
    uint64_t damaged_bytes;
} mr_seglog_check_t;

/* Walk the log; lines are
 *   segment POSITION number N kind K id ID created TIME header BYTES snapshot BYTES file BYTES
 *   frame POSITION ordinal N data|control flags F bytes N ok words A B C D E F G H
 *   damaged POSITION bytes N: WHAT
 *   end POSITION frames N bytes N damaged N
 * Returns MR_OK, also for a damaged log: ret_check says; MR_CLOSED: no log there; MR_CONFIG;
 * MR_SYSTEM. */
MR_CHECK mr_status_t mr_seglog_dump (const mr_seglog_dump_options_t *options,
                                     mr_seglog_check_t *ret_check, mr_error_t *err);

/* Take away everything from `position` on, which must be a frame's position, a segment's start or
 * the end. What is taken is kept beside the log as POSITION.cut files. New frames will be given
 * these positions again: cursors beyond it must be moved back. Returns MR_OK; MR_INVALID: no frame
 * begins there; MR_CLOSED: no log; MR_AGAIN: the disk refused, nothing is lost; MR_CONFIG;
 * MR_SYSTEM. */
MR_CHECK mr_status_t mr_seglog_cut (const char *dir, const mr_file_ops_t *ops, uint64_t position,
                                    mr_error_t *err);

#endif
