/* strikes: which records workers died of. A crash or a hang is evidence; being killed from outside
 * counts as evidence from the third time on. A record with two pieces of evidence is marked: the
 * processor then passes it to the dead letters untouched (ARCHITECTURE.md, "Poison records").
 * Every report is a control frame of the journal, so that marks outlive ingest. Not thread safe. */
#ifndef MR_STAGES_INGEST_STRIKES_H
#define MR_STAGES_INGEST_STRIKES_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_STRIKES_MAX = 1024,    /* records under suspicion at a time; the oldest give way */
    MR_STRIKES_KILLS = 3,     /* so many kills from outside are one piece of evidence */
    MR_STRIKES_EVIDENCE = 2,  /* so many pieces mark a record */
    MR_STRIKES_MARKS_MAX = 64 /* in one batch */
};

typedef struct mr_strikes mr_strikes_t;

typedef struct mr_strike {
    uint64_t seq;
    uint64_t incarnation; /* of the worker that died: one death counts once */
    uint32_t index;
    uint32_t evidence; /* mr_evidence_t */
} mr_strike_t;

/* A record that must not be worked on; as it stands in a batch's MARKS section. */
typedef struct mr_mark {
    uint32_t index;
    uint32_t evidence;
} mr_mark_t;

MR_CHECK mr_status_t mr_strikes_new (mr_strikes_t **ret_strikes);
void mr_strikes_destroy (mr_strikes_t **self_p);

/* Whether this death was counted for this record before. */
bool mr_strikes_known (const mr_strikes_t *self, const mr_strike_t *strike);

/* Count one. Returns whether the record became marked by it. */
bool mr_strikes_add (mr_strikes_t *self, const mr_strike_t *strike);

/* Marked records of a batch, rising; at most MR_STRIKES_MARKS_MAX. Returns how many. */
uint32_t mr_strikes_marks (const mr_strikes_t *self, uint64_t seq, mr_mark_t *ret_marks);

/* Batches up to this seq are settled. */
void mr_strikes_forget (mr_strikes_t *self, uint64_t watermark);

/* All of it, and back. MR_INVALID: broken. */
MR_CHECK mr_status_t mr_strikes_save (const mr_strikes_t *self, mr_buffer_t *out);
MR_CHECK mr_status_t mr_strikes_load (mr_strikes_t *self, const void *data, size_t bytes);

#endif
