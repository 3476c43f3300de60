/* lines_private: the state of the lines, shared by lines.c (reading) and lines_follow.c (which file
 * comes next). Included by nobody else. */
#ifndef MR_LAUNCHER_LINES_PRIVATE_H
#define MR_LAUNCHER_LINES_PRIVATE_H

#include "common/base/buffer.h"
#include "launcher/arrivals.h"
#include "launcher/lines.h"

enum { MR_LINES_FORMER = 16 };

/* Kept open: its writers may not be through with it, and while it is open no new file can be taken
 * for it. */
typedef struct mr_lines_former {
    mr_lines_file_t file;
    int64_t read_to;
} mr_lines_former_t;

struct mr_lines {
    char *path;
    bool follow;
    bool is_file; /* a regular file */
    int fd;
    mr_buffer_t buffer;
    size_t start;        /* of what has not been handed out */
    size_t scanned;      /* no newline between start and here */
    int64_t offset;      /* of the file, where `start` is */
    bool end;            /* read returned 0 */
    bool last;           /* nothing more is written to this file: what has no newline is a line */
    bool passing;        /* the line is too long: its bytes are passed over until it ends */
    int64_t passed_from; /* where it begins */
    int64_t paused_at;   /* how far it was passed over without a pause */
    bool rewritten;      /* other bytes stand where it was read */
    char name[MR_LINES_NAME_BYTES];          /* given; "": made from the file */
    mr_lines_file_t next[MR_LINES_NEXT_MAX]; /* files that took its place, in order */
    unsigned next_count;
    mr_lines_former_t former[MR_LINES_FORMER]; /* the last ones that were read to their ends */
    unsigned former_count;
    bool in_order; /* never back to a former one */
    bool told_late;
    mr_arrivals_t arrivals; /* at the path */
    int64_t looked_ns;      /* when all that was at the path until then was known */
    int unseen;             /* files that came to the path and are not known; below 0: known before
                               the kernel said so */
    unsigned searches;      /* for these */
    bool told_unfit;        /* that what is at the path cannot be read */
    struct stat status;
    struct timespec compared; /* its time of change when it was compared with what was read */
};

/* Whether the file still holds the last bytes that were read of it, where they were read. */
bool mr_lines_is_intact (const mr_lines_t *self);

/* From now on nothing that comes to the path is missed. */
void mr_lines_watch (mr_lines_t *self);
void mr_lines_unwatch (mr_lines_t *self);

#endif
