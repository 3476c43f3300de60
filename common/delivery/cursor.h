/* cursor: how far one sink has got in its exporter's spool, and what became of the rows on the way:
 * DATA/exporter.<slot>.cursors/<sink>.cursor. It is committed after the sink's data; a file sink
 * finds out at its next start what it wrote beyond its last commit.
 *
 * Two slots, mapped, each with a checksum and a number: a commit fills the older one, so that
 * whoever dies when, one of them is whole. Byte layout: PROTOCOL.md, "Cursor".
 * A commit outlives its process; a power loss only what was synced, or the kernel has written.
 * One writer: the thread of that sink. */
#ifndef MR_COMMON_DELIVERY_CURSOR_H
#define MR_COMMON_DELIVERY_CURSOR_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_cursor mr_cursor_t;

/* What the rows are that a sink takes. */
typedef enum mr_cursor_input {
    MR_CURSOR_RECORDS,
    MR_CURSOR_METRICS,
    MR_CURSOR_DEAD,
} mr_cursor_input_t;

enum { MR_CURSOR_DROPS = 16 };

/* Records of one journal that were let go by on_full = drop_oldest. */
typedef struct mr_cursor_drop {
    uint64_t journal; /* 0 in the last one: of all that found no room, together; else unused */
    uint64_t records;
} mr_cursor_drop_t;

typedef struct mr_cursor_state {
    uint64_t spool;    /* id of the spool; 0: the cursor is new */
    uint64_t position; /* all frames below are settled with this sink */
    uint64_t base;     /* rows of this input ever in the spool before the sink began */
    uint64_t delivered;
    uint64_t unmatched; /* not taken by the sink's `match` */
    uint64_t rejected;  /* refused for good */
    uint64_t dropped;   /* by on_full = drop_oldest */
    uint64_t input;     /* mr_cursor_input_t */
    uint64_t device;    /* file sinks: where the rows went, and how long that file was then */
    uint64_t inode;
    uint64_t length;
    mr_cursor_drop_t drops[MR_CURSOR_DROPS]; /* of `dropped`, those with input records */
} mr_cursor_state_t;

/* Count rows that are let go. journal: of records; 0: they are other rows, or nobody knows. */
void mr_cursor_drop (mr_cursor_state_t *state, uint64_t journal, uint64_t rows);

/* Records of this journal (not 0) that were let go. */
uint64_t mr_cursor_dropped (const mr_cursor_state_t *state, uint64_t journal);

/* "DATA/exporter.<slot>.cursors"; ret_path: PATH_MAX bytes. */
void mr_cursor_dir (const char *data_dir, int slot, char *ret_path);

/* Open for writing; makes the file where it is missing (not its directory).
 * MR_OK; MR_INVALID: both slots are broken, or another version (err says what to do); MR_SYSTEM. */
MR_CHECK mr_status_t mr_cursor_open (const char *path, mr_cursor_t **ret_cursor, mr_error_t *err);
void mr_cursor_close (mr_cursor_t **self_p);

/* What was committed last; valid until the next commit. */
const mr_cursor_state_t *mr_cursor_state (const mr_cursor_t *self);

/* Whether the last commit is of this start of the machine: else what a sink wrote may be gone. */
bool mr_cursor_same_boot (const mr_cursor_t *self);

void mr_cursor_commit (mr_cursor_t *self, const mr_cursor_state_t *state);

/* The same before its sink was opened: what mr_cursor_same_boot says stays as it is. */
void mr_cursor_move (mr_cursor_t *self, const mr_cursor_state_t *state);

/* Make what was committed last, and the file's name, survive power loss. MR_OK; MR_SYSTEM: the disk
 * refuses; the next call makes it good. */
MR_CHECK mr_status_t mr_cursor_sync (mr_cursor_t *self, mr_error_t *err);

/* Cursors that are of no sink of the configuration, none of which can be called that: of the store
 * of dead letters; and of who counts (as delivered) the records that no sink takes. */
#define MR_CURSOR_DEAD_STORE "dead.store"
#define MR_CURSOR_UNROUTED "unrouted.count"

typedef struct mr_cursor_place {
    int slot;         /* of the exporter */
    const char *name; /* of the sink */
    const char *path;
} mr_cursor_place_t;

typedef mr_status_t mr_cursor_fn (void *arg, const mr_cursor_place_t *place);

/* Call fn for each cursor file in a data directory, by slot and name, until one does not return
 * MR_OK; returns what the last one did, or MR_SYSTEM: they cannot be listed. */
MR_CHECK mr_status_t mr_cursor_each (const char *data_dir, mr_cursor_fn *fn, void *arg,
                                     mr_error_t *err);

/* The same of one exporter alone. */
MR_CHECK mr_status_t mr_cursor_each_of (const char *data_dir, int slot, mr_cursor_fn *fn, void *arg,
                                        mr_error_t *err);

/* Read a cursor once, from any process; of this version or the one before. MR_OK; MR_CLOSED: no
 * such file; MR_INVALID; MR_SYSTEM. */
MR_CHECK mr_status_t mr_cursor_read (const char *path, mr_cursor_state_t *ret_state,
                                     mr_error_t *err);

#endif
