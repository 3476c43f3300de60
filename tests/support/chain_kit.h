/* chain_kit: a data directory as a chain leaves it, made in one process: a journal, its window and
 * two spools, through which batches of a few numbered records go. What fails fails the test. */
#ifndef MR_TESTS_SUPPORT_CHAIN_KIT_H
#define MR_TESTS_SUPPORT_CHAIN_KIT_H

#include "common/delivery/cursor.h"
#include "common/delivery/journal.h"
#include "common/delivery/spool.h"
#include "common/delivery/window.h"
#include "common/wire/batch.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MR_CHAIN_SPOOLS = 2, MR_CHAIN_RECORDS_MOST = 8 };

typedef struct mr_chain {
    /* Set before it is opened. */
    uint64_t journal_segment; /* bytes */
    uint64_t spool_segment;
    uint32_t records;  /* of each batch, at most MR_CHAIN_RECORDS_MOST */
    uint32_t filtered; /* of these, once it has gone through */

    char data_dir[PATH_MAX - 64]; /* the test's own directory */
    mr_journal_t *journal;
    mr_window_t *window;
    mr_spool_t *spools[MR_CHAIN_SPOOLS];
} mr_chain_t;

void mr_chain_open (mr_chain_t *self);
void mr_chain_close (mr_chain_t *self);

/* Batch `seq` as a frame, 64-byte aligned; the caller's. done: as it comes to the exporter. */
void *mr_chain_frame (const mr_chain_t *self, uint64_t seq, bool done, size_t *ret_bytes,
                      mr_batch_t *ret_batch);

/* Journaled and SENT. */
void mr_chain_take_in (mr_chain_t *self, uint64_t seq);

/* Spooled and DONE. Returns where the spool ends then. */
uint64_t mr_chain_finish (mr_chain_t *self, uint64_t seq, int slot);

/* A sink of this exporter has come so far. state->spool is filled in. */
void mr_chain_commit (const mr_chain_t *self, int slot, const char *sink, mr_cursor_state_t state);

#endif
