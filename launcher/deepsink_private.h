/* deepsink_private: shared by deepsink.c (cursor and spool) and deepsink_file.c (the file's bytes).
 * Included by nobody else. */
#ifndef MR_LAUNCHER_DEEPSINK_PRIVATE_H
#define MR_LAUNCHER_DEEPSINK_PRIVATE_H

#include "common/base/seglog_reader.h"
#include "common/record/rows.h"
#include "launcher/deepsink.h"

#include <limits.h>
#include <stddef.h>

/* A frame of the spool that has rows for the sink, below its cursor. */
typedef struct mr_deepsink_frame {
    uint64_t position;
    uint64_t journal;
    uint64_t seq;
    uint64_t rows;
    bool after_hole; /* bytes of the spool before it cannot be read */
} mr_deepsink_frame_t;

/* One sink under examination. */
typedef struct mr_deepsink_look {
    const mr_deepsink_visitor_t *visitor;
    const char *data_dir;
    const char *cursor_file; /* in the data directory */
    mr_deepsink_t sink;
    bool is_configured;
    bool is_file;
    char path[PATH_MAX]; /* of the file, where the configuration says */
    mr_rows_t rows;      /* what the sink takes; initialised when is_file */
    uint64_t key;        /* of metric rows: XXH3 of its name */

    uint64_t first;  /* start of the oldest segment, and ... */
    uint64_t end;    /* ... the spool's end */
    uint64_t before; /* rows in all frames before the oldest segment */
    uint64_t below;  /* rows in frames from there up to the cursor */
    bool begins;     /* a frame, a segment or nothing more begins where the cursor points */
    bool damaged;    /* some of it cannot be read, below the cursor, ... */
    bool hole;       /* ... behind the last of `frames` */
    bool counted;    /* `before` is known */
    uint64_t spool;  /* id */
    mr_deepsink_frame_t *frames;
    size_t count;
    size_t capacity;
} mr_deepsink_look_t;

void mr_deepsink_tell (const mr_deepsink_look_t *look, const char *file, uint64_t offset,
                       const char *format, ...) MR_PRINTF (4, 5);

/* Compare the file with the frames, from the newest to the oldest. MR_OK; MR_SYSTEM. */
MR_CHECK mr_status_t mr_deepsink_compare (mr_deepsink_look_t *look, mr_error_t *err);

#endif
