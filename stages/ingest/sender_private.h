/* sender_private: the sender's state, shared by its parts: sender.c (window, pushing, pushing
 * again), sender_frames.c (the frames) and sender_loss.c (who died, what is settled for them,
 * strikes). Included by nobody else.
 */
#ifndef MR_STAGES_INGEST_SENDER_PRIVATE_H
#define MR_STAGES_INGEST_SENDER_PRIVATE_H

#include "common/base/clock.h"
#include "common/base/slots.h"
#include "common/delivery/window.h"
#include "stages/ingest/sender.h"

#include <limits.h>
#include <zmq.h>

/* A word that stays SENT so long is pushed again though nobody said that it was lost: harmless, for
 * a claim takes one copy only, and it covers every way of dying that nobody saw. */
#define RESEND_NS (30 * MR_NS_PER_S)

/* Batches whose frames died with an earlier ingest are given up when none of them has arrived for
 * so long. Whether one is lost or delivered is decided by who claims its word, not by the clock. */
#define ORPHAN_NS (5 * MR_NS_PER_S)

/* So much of the journal may be kept by a batch that is not settled while those behind it are. */
#define MAX_SPAN_BYTES (UINT64_C (256) << 20)

enum {
    NEVER_PUSHED = 0xffff,       /* in pushed[]: by this process */
    OWN_SLOT = MR_WINDOW_INGEST, /* in words of batches that its journal lost */
    MAX_DEAD_SEEN = 64,
};

struct mr_sender {
    mr_sender_options_t options;
    mr_window_t *window;
    char data_dir[PATH_MAX];
    char run_dir[PATH_MAX];
    bool unscanned;     /* it could not be read at the last look */
    uint64_t watermark; /* everything up to it is settled */
    uint64_t top;       /* the last seq in the window */
    uint64_t next;      /* the first that this process has not pushed yet */
    uint32_t in_flight; /* seqs up to top that are not known to be settled */

    uint64_t replay_at; /* [replay_at, replay_end) is looked through again */
    uint64_t replay_end;
    bool replay_all; /* push every SENT word in it; else those whose generation changed */

    zmq_msg_t fresh;    /* the frame of fresh_seq, kept from sealing; others are read again */
    uint64_t fresh_seq; /* 0: none */

    uint16_t *pushed;      /* by seq % ring: generation when pushed, NEVER_PUSHED */
    uint8_t *known;        /* by seq % ring: known to be settled */
    uint8_t *attempts;     /* by seq % ring: pushes, at most 255 */
    uint32_t *sizes;       /* by seq % ring: bytes of the frame; 0 of those of an earlier life */
    uint64_t span_bytes;   /* of frames above the watermark */
    uint8_t *frames;       /* by seq % ring: where the frame is; sender_frames.c */
    zmq_msg_t *kept;       /* by seq % ring: frames in memory; NULL: the journal has them */
    uint64_t orphan_end;   /* none above it */
    uint64_t orphan_count; /* when they were last looked at */
    int64_t orphan_ns;     /* since when there are so many */
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

/* sender_frames.c */
MR_CHECK mr_status_t mr_sender_frames_init (mr_sender_t *self);
void mr_sender_frames_release (mr_sender_t *self);
/* A batch was appended: keep its frame if nobody else does. It is settled: let go of it. */
void mr_sender_keep (mr_sender_t *self, uint64_t seq, zmq_msg_t *msg);
void mr_sender_let_go (mr_sender_t *self, uint64_t seq);
/* A copy to send, marked where strikes say so. false: there is none now; lost ones are given up. */
bool mr_sender_load (mr_sender_t *self, uint64_t seq, uint8_t generation, zmq_msg_t *msg);
/* Note that a batch is lost which ingest itself has claimed. */
void mr_sender_lose (mr_sender_t *self, uint64_t seq);
/* Give up those whose frames died with an earlier ingest, once no more of them arrive. */
void mr_sender_look_after_orphans (mr_sender_t *self, int64_t mono_ns);

/* Take note when this seq is settled; move the watermark as far as words allow. */
void mr_sender_learn (mr_sender_t *self, uint64_t seq);
void mr_sender_advance (mr_sender_t *self);

/* Look through all that was pushed, and push again: all that is SENT, or what changed. */
void mr_sender_replay_from_watermark (mr_sender_t *self, bool all);

#endif
