/* intake: the middle of ingest. Sources hand records in; it fills batches, writes them to the
 * journal and hands them to the sender. It says when sources may read: with a full batch that
 * cannot go (window full, no room downstream, no space for the journal) they stop, and producers
 * wait.
 *
 * A batch goes when it is full, when nothing is in flight, or after the linger. Small ones of
 * producers that wait for no answer keep a spacing, so that a steady trickle does not wake four
 * processes for each record. Not thread safe. */
#ifndef MR_STAGES_INGEST_INTAKE_H
#define MR_STAGES_INGEST_INTAKE_H

#include "common/base/status.h"
#include "common/runtime/stage.h"
#include "stages/ingest/producers.h"
#include "stages/ingest/sender.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mr_intake mr_intake_t;

enum { MR_INTAKE_SAMPLE_BYTES = 1024 }; /* kept of a record that is too long */

/* A source of records, as the intake sees it. */
typedef struct mr_source {
    /* Watch for what comes in, or not for now. */
    void (*enable) (void *self, bool enabled);
    /* There is room again: take what is there, what was read but not handed in first. */
    void (*serve) (void *self);
    /* All that was handed in so far is in batch `seq`. May be NULL. */
    void (*taken) (void *self, uint64_t seq);
    /* Every batch up to `seq` is as durable as promised: acknowledge. May be NULL. */
    void (*durable) (void *self, uint64_t seq);
    /* The journal takes nothing: refuse what comes (true), or read again. NULL: only enable. */
    void (*refuse) (void *self, bool refusing);
    /* About once a second, until stop: see that producers find it. May be NULL. */
    void (*hold) (void *self);
    /* Read nothing more at all: answer what waits, close. */
    void (*stop) (void *self);
    void (*destroy) (void *self);
    void *self;
} mr_source_t;

MR_CHECK mr_status_t mr_intake_new (mr_stage_t *stage, mr_intake_t **ret_intake, mr_error_t *err);
void mr_intake_destroy (mr_intake_t **self_p);

/* Owned from now on. MR_SYSTEM: no memory. */
MR_CHECK mr_status_t mr_intake_add_source (mr_intake_t *self, const mr_source_t *source);

/* Whether a record may be handed in now. Sends what can be sent to make room. */
bool mr_intake_ready (mr_intake_t *self);

/* Hand in a record from an input that cannot be answered: blank ones are skipped, line ends are
 * taken off, one over max_record becomes a dead letter. Only after mr_intake_ready, or, when
 * stopping, mr_intake_request_fits. */
void mr_intake_record (mr_intake_t *self, const char *record, size_t bytes);

/* Hand in the start of a record that is too long, as the intake keeps at most
 * MR_INTAKE_SAMPLE_BYTES of it. */
void mr_intake_too_long (mr_intake_t *self, const char *start, size_t bytes, size_t total_bytes);

/* Whether a request of so many records and bytes can go into one batch at all. */
bool mr_intake_request_fits (const mr_intake_t *self, uint32_t records, size_t bytes);

/* Hand in one record of a request, which is not blank and not too long. All records of a request
 * come between one mr_intake_ready and the end of the turn. false: no memory. */
bool mr_intake_request_record (mr_intake_t *self, const char *record, size_t bytes);

/* A request was answered `error`: counted, and reported about once a second. */
void mr_intake_bad_request (mr_intake_t *self, const char *why);

/* Nothing waits to be sealed. */
bool mr_intake_empty (const mr_intake_t *self);

/* When the batch that is being filled goes at the latest, though nobody hands in more (monotonic);
 * 0: there is none, or somebody waits for it. Until then a source need not look for more. */
int64_t mr_intake_due_ns (const mr_intake_t *self);

/* A source has read what there was. */
void mr_intake_turn_over (mr_intake_t *self);

/* Control messages: a batch is settled; a worker died at work on a record; batches may have been
 * lost. */
void mr_intake_done (mr_intake_t *self, const mr_control_t *done);
void mr_intake_report (mr_intake_t *self, const mr_control_t *report);
void mr_intake_notice (mr_intake_t *self);

/* About once a second. */
void mr_intake_tick (mr_intake_t *self, int64_t mono_ns);

void mr_intake_stop (mr_intake_t *self);

/* The last thing before the end: note how far everything is settled, as durably as promised, so
 * that exporters need not keep their frames for a slot that does not come back. */
void mr_intake_finish (mr_intake_t *self);
bool mr_intake_drained (const mr_intake_t *self);

/* The last batch that the journal holds, of whatever life, and the last that is as durable as
 * promised. 0: none. */
uint64_t mr_intake_journaled (const mr_intake_t *self);
uint64_t mr_intake_durable (const mr_intake_t *self);

size_t mr_intake_max_record (const mr_intake_t *self);
mr_producers_t *mr_intake_producers (mr_intake_t *self);

/* Append this worker's members of the counters event. */
MR_CHECK mr_status_t mr_intake_counters (const mr_intake_t *self, mr_buffer_t *json);

#endif
