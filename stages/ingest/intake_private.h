/* intake_private: the intake's state, shared by its parts: intake_open.c (start and end), intake.c
 * (records through), intake_place.c (whether the journal takes them), intake_told.c (what it says
 * of itself). Included by nobody else. */
#ifndef MR_STAGES_INGEST_INTAKE_PRIVATE_H
#define MR_STAGES_INGEST_INTAKE_PRIVATE_H

#include "common/delivery/tally.h"
#include "stages/ingest/batcher.h"
#include "stages/ingest/intake.h"
#include "stages/ingest/memory.h"
#include "stages/ingest/syncer.h"

enum { MR_INTAKE_SOURCES_MAX = 256 };

struct mr_intake {
    mr_stage_t *stage;
    mr_batcher_t *batcher;
    mr_memory_t memory;
    mr_journal_t *journal;
    mr_sender_t *sender;
    mr_syncer_t *syncer;          /* NULL unless durability = fsync */
    mr_tally_follower_t *spooled; /* sums of our journal in all spools */
    mr_source_t sources[MR_INTAKE_SOURCES_MAX];
    int source_count;
    size_t max_record;
    int64_t linger_ns;
    int64_t spacing_ns;
    int64_t first_mono_ns; /* when the first record of the present batch came */
    int64_t first_wall_ns;
    int64_t sealed_mono_ns; /* when the last batch was sealed */
    bool awaited;           /* a producer waits for the answer to what is in the present batch */
    int due_timer;          /* 0: not running */
    int64_t due_timer_ns;   /* when it runs out */
    int retry_timer;        /* 0: not running */
    uint64_t too_long;      /* records in the present batch */
    uint64_t bad_requests;  /* that are not reported yet */
    mr_error_t bad_request; /* why the last one was bad */
    bool enabled;           /* sources read */
    uint64_t settled;       /* the watermark last given to the journal */
    bool full;              /* the journal takes nothing now */
    bool gone;              /* its path leads elsewhere: nothing is acknowledged */
    char full_why[256];
    bool refused;     /* a source wanted to hand in and was told to wait */
    int serve_timer;  /* 0: not running */
    unsigned serving; /* whose turn it is to be served first */
    bool stopping;
};

/* Send what can be sent, let sources read or not. */
void mr_intake_pump (mr_intake_t *self);

/* The journal takes nothing, and why, or takes batches again: pull and TCP producers wait, the
 * others are told to. */
void mr_intake_set_full (mr_intake_t *self, bool full, const char *why);

/* Look whether the journal is still where its path says; when it is not, nothing is taken in. */
void mr_intake_look (mr_intake_t *self);

/* "journal full" or "journal gone". */
const char *mr_intake_trouble (const mr_intake_t *self);

/* Every batch up to seq is as durable as `durability` says: producers may hear of it. */
void mr_intake_acknowledge (mr_intake_t *self, uint64_t seq);

#endif
