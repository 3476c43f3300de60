/* sender_private: the sender's state, shared by its two parts: sender.c (window, pushing, pushing
 * again) and sender_loss.c (who died, what is settled for them, strikes). Included by nobody else.
 */
#ifndef MR_STAGES_INGEST_SENDER_PRIVATE_H
#define MR_STAGES_INGEST_SENDER_PRIVATE_H

#include "common/base/clock.h"
#include "common/delivery/window.h"
#include "stages/ingest/sender.h"

#include <limits.h>
#include <zmq.h>

/* A word that stays SENT so long is pushed again though nobody said that it was lost: harmless, for
 * a claim takes one copy only, and it covers every way of dying that nobody saw. */
#define RESEND_NS (30 * MR_NS_PER_S)

enum {
    NEVER_PUSHED = 0xffff, /* in pushed[]: by this process */
    OWN_SLOT = 63,         /* ingest itself, in words of batches that its journal lost */
    MAX_DEAD_SEEN = 64,
};

struct mr_sender {
    mr_sender_options_t options;
    mr_window_t *window;
    char data_dir[PATH_MAX];
    char run_dir[PATH_MAX];
    uint64_t watermark; /* everything up to it is settled */
    uint64_t top;       /* the last seq in the window */
    uint64_t next;      /* the first that this process has not pushed yet */
    uint32_t in_flight; /* seqs up to top that are not known to be settled */

    uint64_t replay_at; /* [replay_at, replay_end) is looked through again */
    uint64_t replay_end;
    bool replay_all; /* push every SENT word in it; else those whose generation changed */

    zmq_msg_t fresh;    /* the frame of fresh_seq, kept from sealing; others are read again */
    uint64_t fresh_seq; /* 0: none */

    uint16_t *pushed;  /* by seq % ring: generation when pushed, NEVER_PUSHED */
    uint8_t *known;    /* by seq % ring: known to be settled */
    uint8_t *attempts; /* by seq % ring: pushes, at most 255 */
    uint64_t replayed;
    int64_t progress_ns;               /* when the watermark last moved, or nothing was in flight */
    uint64_t dead_seen[MAX_DEAD_SEEN]; /* incarnations whose death was acted on; a ring */
    unsigned dead_count;
};

static inline size_t
mr_sender_place (uint64_t seq)
{
    return (size_t)(seq % MR_WINDOW_RING);
}

/* Take note when this seq is settled; move the watermark as far as words allow. */
void mr_sender_learn (mr_sender_t *self, uint64_t seq);
void mr_sender_advance (mr_sender_t *self);

/* Look through all that was pushed, and push again: all that is SENT, or what changed. */
void mr_sender_replay_from_watermark (mr_sender_t *self, bool all);

#endif
