/* sender: the window's side of ingest. Batches that are in the journal are entered in the window,
 * pushed, and pushed again when they may have been lost, until their words say DONE
 * (ARCHITECTURE.md, "Delivery"). Messages are hints; the words are the truth. Not thread safe. */
#ifndef MR_STAGES_INGEST_SENDER_H
#define MR_STAGES_INGEST_SENDER_H

#include "common/base/status.h"
#include "common/delivery/durability.h"
#include "common/delivery/journal.h"
#include "common/runtime/stage.h"
#include "stages/ingest/strikes.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_sender mr_sender_t;

typedef struct mr_sender_options {
    mr_stage_t *stage;
    mr_journal_t *journal;
    mr_strikes_t *strikes; /* borrowed */
    uint32_t limit;        /* batches in flight: not settled; 1 .. MR_WINDOW_MAX_LIMIT */
    /* fsync: push only what mr_journal_sync made durable; memory: keep the frames, for the journal
     * has none. */
    mr_durability_t durability;
    /* There may be room again for a batch. */
    void (*room) (void *arg);
    void *arg;
} mr_sender_options_t;

/* Open or rebuild the window, and take up what is not settled.
 * MR_AGAIN: it must be rebuilt, and an exporter lives that may have the old one; MR_INVALID;
 * MR_SYSTEM. */
MR_CHECK mr_status_t mr_sender_new (const mr_sender_options_t *options, mr_sender_t **ret_sender,
                                    mr_error_t *err);
void mr_sender_destroy (mr_sender_t **self_p);

/* Batches in flight; whether one more may be sealed now; whether all is settled. */
uint32_t mr_sender_in_flight (const mr_sender_t *self);
bool mr_sender_ready (const mr_sender_t *self);
bool mr_sender_idle (const mr_sender_t *self);

/* The next batch is in the journal. msg: its frame, a zmq_msg_t *, taken over. */
void mr_sender_add (mr_sender_t *self, uint64_t seq, void *msg);

/* Push what can be pushed now. */
void mr_sender_pump (mr_sender_t *self);

/* An exporter says that a batch is settled; somebody says that batches may have been lost. */
void mr_sender_done (mr_sender_t *self, uint64_t seq);
void mr_sender_notice (mr_sender_t *self);

/* A worker died at work on a record. seq: modulo what a crumb holds. */
void mr_sender_strike (mr_sender_t *self, const mr_strike_t *strike);

/* About once a second: look at every word, settle for dead exporters, look for dead workers. */
void mr_sender_tick (mr_sender_t *self, int64_t mono_ns);

uint64_t mr_sender_watermark (const mr_sender_t *self);

/* The journal holds this watermark: exporters may let go of what is below it. */
void mr_sender_noted (mr_sender_t *self, uint64_t watermark);

/* Batches pushed again, for whatever reason, since the start of this process. */
uint64_t mr_sender_replayed (const mr_sender_t *self);

#endif
