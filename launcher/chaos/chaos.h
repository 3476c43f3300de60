/* chaos: one run of `millrace chaos`: a chain of its own in a scratch directory, loaded by
 * acknowledged producers, harmed, drained and judged. Not thread safe; once a process. */
#ifndef MR_LAUNCHER_CHAOS_CHAOS_H
#define MR_LAUNCHER_CHAOS_CHAOS_H

#include "common/base/status.h"
#include "launcher/chaos/harm.h"
#include "launcher/chaos/proof.h"
#include "launcher/chaos/scratch.h"

#include <stdbool.h>
#include <stdint.h>

enum { MR_CHAOS_PRODUCERS = MR_CHAOS_WORKERS }; /* each keeps to one ingest worker */

/* What there is to show while it goes on. */
typedef struct mr_chaos_progress {
    const char *doing; /* "harm", "drain" */
    int64_t elapsed_ms;
    uint64_t sent;
    uint64_t acknowledged;
    const mr_harm_counts_t *harm;
} mr_chaos_progress_t;

typedef struct mr_chaos_options {
    int64_t for_ms; /* of harm */
    double rate;    /* records/s, of all producers; 0: as fast as they are taken */
    uint64_t seed;
    const char *kill; /* as mr_harm_options_t has it, with the next */
    int64_t every_ms;
    int64_t settle_ms; /* how long what was sent may take until it is acknowledged */
    /* Every few milliseconds. Returns how often somebody wants it to end: the first time ends the
     * harm, the second breaks off. */
    int (*tick) (void *arg, const mr_chaos_progress_t *progress);
    void *arg;
} mr_chaos_options_t;

typedef struct mr_chaos_result {
    bool judged;      /* the run came to its end: proof, sent, ... are what they are */
    bool interrupted; /* broken off before */
    mr_proof_t proof;
    uint64_t sent;
    uint64_t acknowledged;
    int64_t harm_ms;
    double p50_ms; /* from making a record to its bytes in the sink */
    double p99_ms;
    double p999_ms;
    double max_ms;
    mr_harm_counts_t harm;
    mr_error_t no_disk_full; /* why the disk was never full; "" when it could be */
    char folder[PATH_MAX];   /* kept for the user; "" when it is removed */
    mr_error_t fault;        /* what went wrong, beyond the proof; "" */
} mr_chaos_result_t;

/* MR_OK: see the result, whatever it says. MR_INVALID: the options; MR_CONFIG, MR_SYSTEM: nothing
 * could be started, and nothing is left. */
MR_CHECK mr_status_t mr_chaos_run (const mr_chaos_options_t *options, mr_chaos_result_t *ret_result,
                                   mr_error_t *err);

/* Every record acknowledged, and the proof holds. */
bool mr_chaos_proven (const mr_chaos_result_t *self);

#endif
