/* place: what `millrace send` keeps beside the numbers that ingest has: which file a name stands
 * for, and where in it the records end that have a number. A mark is written before the request
 * that ends there goes out, so that whatever number ingest reports later, its offset is known, and
 * by a fingerprint of what stands before it whether the file still is the one that was read. It is
 * a file of its own, one a name; it survives kill -9, and one that is broken counts as none.
 * Layout: PROTOCOL.md, "Places of send". Not thread safe. */
#ifndef MR_LAUNCHER_PLACE_H
#define MR_LAUNCHER_PLACE_H

#include "common/base/status.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_PLACE_NAME_BYTES = 64,
    MR_PLACE_MARKS = 64,
    MR_PLACE_BYTES = 8192,
    MR_PLACE_KEPT = 1000 /* more are not kept: the oldest go */
};

/* Record `number` ends at byte `offset`; tail: mr_filetail_hash of there. */
typedef struct mr_place_mark {
    uint64_t number;
    uint64_t offset;
    uint64_t tail;
} mr_place_mark_t;

typedef struct mr_place_facts {
    char base[MR_PLACE_NAME_BYTES]; /* the key: the name of the file's first generation */
    char text[MR_PLACE_NAME_BYTES]; /* the name that records are numbered under now */
    uint32_t generation;
    uint32_t renewed;
    uint64_t device;
    uint64_t inode;
    bool followed; /* by --follow, and there was no next file yet */
    int64_t begun_ns;
    int64_t seen_bytes; /* size and time of change when it was last looked at */
    int64_t seen_ns;
    mr_place_mark_t start;
    char path[PATH_MAX]; /* absolute; where it was opened */
} mr_place_facts_t;

typedef struct mr_place mr_place_t;

/* Make the place of facts->base anew, the directory too. MR_SYSTEM, MR_CONFIG: err says why not. */
MR_CHECK mr_status_t mr_place_make (const char *dir, const mr_place_facts_t *facts,
                                    mr_place_t **ret_place, mr_error_t *err);

/* MR_CLOSED: there is none, or it is broken. */
MR_CHECK mr_status_t mr_place_open (const char *dir, const char *base, mr_place_t **ret_place);
void mr_place_close (mr_place_t **self_p);

const mr_place_facts_t *mr_place_facts (const mr_place_t *self);

/* Read a place's MR_PLACE_BYTES bytes. ret_marks: MR_PLACE_MARKS, unused ones all zero.
 * MR_OK; MR_INVALID: not a place, or broken. */
MR_CHECK mr_status_t mr_place_decode (const void *data, size_t bytes, mr_place_facts_t *ret_facts,
                                      mr_place_mark_t *ret_marks);

/* About to send a request that ends with this record. False: it could not be written. */
bool mr_place_note (mr_place_t *self, mr_place_mark_t mark);

/* Numbers above this one are given out anew. */
void mr_place_forget_above (mr_place_t *self, uint64_t number);

/* The last mark at or before this number; at least the start. */
mr_place_mark_t mr_place_find (const mr_place_t *self, uint64_t number);

/* Whether what stands in the file up to the last mark is what was read there. */
bool mr_place_fits (const mr_place_t *self, int fd);

/* How many bytes of it were read at least, which is where the fingerprint stands. */
uint64_t mr_place_reach (const mr_place_t *self);

/* Size and time of change, now. */
void mr_place_see (mr_place_t *self, int64_t bytes, int64_t mtime_ns);

/* Follow it under this path; NULL: no more, the next file has a place. */
void mr_place_follow (mr_place_t *self, const char *path);

/* What was read is this file now: a copy, say. */
void mr_place_move (mr_place_t *self, uint64_t device, uint64_t inode);

/* Places of files that were opened under this path, followed ones or the others, in the order in
 * which they were begun. Returns how many there are, at most `room`. */
size_t mr_place_list (const char *dir, const char *path, bool followed, mr_place_t **ret_places,
                      size_t room);

#endif
