/* window: the batches of one ingest worker that are in flight, as a file that ingest and all
 * exporters map shared: DATA/ingest.<slot>.window. One 64-bit word a batch, in a ring; words are
 * changed by atomic stores and compare-and-swap alone, so that any process may die between any two
 * instructions. The rules: ARCHITECTURE.md, "Delivery", and tests/model; layout: PROTOCOL.md.
 *
 *   word = seq (48 bits) | generation (8) | exporter slot (6) | state (2)
 *
 *   SENT     in the journal, on its way; anybody's copy may be claimed once
 *   CLAIMED  an exporter is about to append it; nobody else may
 *   DONE     it is in that exporter's spool. Stays until the ring comes round: there is no free
 *            state, so a late copy of an old batch never finds a word that fits
 *
 * Thread safe as far as each call is one atomic operation. */
#ifndef MR_COMMON_DELIVERY_WINDOW_H
#define MR_COMMON_DELIVERY_WINDOW_H

#include "common/base/slots.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MR_WINDOW_RING = 1 << 17,        /* words in the file */
    MR_WINDOW_MAX_LIMIT = 1 << 16,   /* batches in flight, at most */
    MR_WINDOW_INGEST = MR_SLOTS_MAX, /* slot: a batch that ingest gave up, a skipped number */
};
#define MR_WINDOW_MAX_SEQ ((UINT64_C (1) << 48) - 1)

typedef enum mr_window_state {
    MR_WINDOW_NEVER = 0, /* the word was never used */
    MR_WINDOW_SENT = 1,
    MR_WINDOW_CLAIMED = 2,
    MR_WINDOW_DONE = 3,
} mr_window_state_t;

typedef struct mr_window_word {
    uint64_t seq;
    uint8_t generation; /* counts settlings, so that an old copy differs from a new one */
    uint8_t slot;       /* exporter, or MR_WINDOW_INGEST; CLAIMED and DONE only */
    mr_window_state_t state;
} mr_window_word_t;

typedef struct mr_window mr_window_t;

/* Make a new file beside the path, all words NEVER, and map it; fill it, and give it its name with
 * mr_window_install, which replaces what is there. No exporter may live that maps the old one: it
 * would settle in it. base: everything up to this seq is settled, in whatever way.
 * MR_AGAIN: there is no room on the disk. */
MR_CHECK mr_status_t mr_window_prepare (const char *path, uint64_t journal, uint64_t base,
                                        mr_window_t **ret_window, mr_error_t *err);
MR_CHECK mr_status_t mr_window_install (mr_window_t *self, mr_error_t *err);

/* Map the file.
 *   journal  what it must belong to; 0: any
 * MR_OK; MR_CLOSED: there is none or not a whole one (all zeros: a disk that failed took its
 * pages), or it is of another journal or of another start of this machine (after power loss its
 * pages may be old): it must be rebuilt; MR_INVALID: not a window, or another version (err says
 * what to do); MR_SYSTEM. */
MR_CHECK mr_status_t mr_window_open (const char *path, uint64_t journal, mr_window_t **ret_window,
                                     mr_error_t *err);

/* A window that is in the place of another journal's gets another name, PATH.<journal>, durably:
 * what of that journal was not settled stays known, and who has it mapped sees it gone. `journal`:
 * the one whose window is made now. One of another start of this machine, of which nobody knows how
 * old it is, stays. MR_AGAIN: the disk refuses it now; MR_SYSTEM. */
MR_CHECK mr_status_t mr_window_keep (const char *path, uint64_t journal, mr_error_t *err);
/* Map one that was kept, whenever that was; to look at. As mr_window_open. */
MR_CHECK mr_status_t mr_window_open_kept (const char *path, mr_window_t **ret_window,
                                          mr_error_t *err);

/* Whether the file there is a window of another start of this machine: no process that lives can
 * have it mapped. false also where that cannot be told. */
bool mr_window_of_another_start (const char *path);
void mr_window_close (mr_window_t **self_p);

uint64_t mr_window_journal (const mr_window_t *self);
uint64_t mr_window_base (const mr_window_t *self);

/* Ingest only: the journal says durably that everything up to this seq is settled. Whoever wants to
 * take a spool's segments away asks for it. */
void mr_window_note_watermark (mr_window_t *self, uint64_t seq);
uint64_t mr_window_watermark (const mr_window_t *self);

/* Counted since the window was made: batches that ingest pushed again, and stale copies that
 * exporters refused. */
void mr_window_count_replayed (mr_window_t *self);
void mr_window_count_refused (mr_window_t *self);
uint64_t mr_window_replayed (const mr_window_t *self);
uint64_t mr_window_refused (const mr_window_t *self);

/* Whether the file at the path is still the one that is mapped. */
bool mr_window_is_current (const mr_window_t *self);

/* The word at the place of this seq; it may be of another seq, by a multiple of the ring. */
mr_window_word_t mr_window_load (const mr_window_t *self, uint64_t seq);

/* Whether this seq is settled: its word says DONE, or has moved on to a newer one. */
bool mr_window_settled (const mr_window_t *self, uint64_t seq);

/* The highest seq, from `noted` (known to be settled) to `top` (the last one given out), with
 * everything up to it settled. Those that the ring cannot hold beside top are. */
uint64_t mr_window_settled_through (const mr_window_t *self, uint64_t noted, uint64_t top);

/* The highest seq with everything from `from` (settled itself) up to it settled; looks at one ring
 * of words at most, whatever is in them. */
uint64_t mr_window_settled_from (const mr_window_t *self, uint64_t from);

/* How many batches are SENT or CLAIMED. */
uint64_t mr_window_unsettled (const mr_window_t *self);

/* The highest seq of all words; the base where that is higher. */
uint64_t mr_window_top (const mr_window_t *self);

/* The highest seq that is SENT or CLAIMED; 0: none is. Its journal has it, or has been cut. */
uint64_t mr_window_under_way (const mr_window_t *self);

/* Ingest only, a seq that is not in the ring yet. */
void mr_window_send (mr_window_t *self, uint64_t seq);

/* Ingest only, a seq that is not in the ring yet: it was never used, or, while preparing, was found
 * in a spool. */
void mr_window_mark_done (mr_window_t *self, uint64_t seq, uint8_t slot);

/* SENT(seq, generation) -> CLAIMED by slot. false: it is not in that state; the copy is stale. */
bool mr_window_claim (mr_window_t *self, uint64_t seq, uint8_t generation, uint8_t slot);

/* CLAIMED by slot -> DONE. Only its holder, or who has its lock. */
void mr_window_done (mr_window_t *self, uint64_t seq, uint8_t slot);

/* CLAIMED by slot -> SENT with the next generation: the claim is given back. */
void mr_window_release (mr_window_t *self, uint64_t seq, uint8_t slot);

/* Call fn for each word that is CLAIMED by this slot. */
typedef void mr_window_claimed_fn (void *arg, uint64_t seq);
void mr_window_each_claimed (mr_window_t *self, uint8_t slot, mr_window_claimed_fn *fn, void *arg);

#endif
