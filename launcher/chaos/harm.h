/* harm: what `millrace chaos` does to its own chain, in the order that a seed gives: kill -9, stop
 * and continue, restart, scale, kill all at once, fill the disk under a journal. When it strikes,
 * the machine decides. Only processes that hold a lock of the chain's run directory are signalled.
 * Not thread safe. */
#ifndef MR_LAUNCHER_CHAOS_HARM_H
#define MR_LAUNCHER_CHAOS_HARM_H

#include "common/base/status.h"
#include "launcher/chaos/scratch.h"
#include "launcher/plan.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_harm mr_harm_t;

/* Called every few milliseconds while time passes; false: break off. */
typedef bool mr_harm_tick_fn (void *arg);

typedef struct mr_harm_options {
    const mr_scratch_t *scratch; /* borrowed, as the plan */
    const mr_plan_t *plan;
    uint64_t seed;
    const char *kill; /* "all": everything is done to everybody; else STAGE[,STAGE...], of which
                         workers are killed, and nothing else is done; borrowed */
    int64_t every_ms; /* from one to the next; 0: 20 to 250 ms, as the seed says */
    mr_harm_tick_fn *tick;
    void *arg;
} mr_harm_options_t;

enum { MR_HARM_VICTIMS = 16 };

/* How often what was done. */
typedef struct mr_harm_counts {
    uint64_t killed;
    uint64_t stopped;
    uint64_t restarts;
    uint64_t scalings;
    uint64_t at_once; /* times all were killed in one go; each of them is in killed, too */
    uint64_t disk_full;
    struct {
        char stage[MR_WORKER_NAME_BYTES]; /* "" ends them */
        uint64_t killed;
    } victims[MR_HARM_VICTIMS];
} mr_harm_counts_t;

/* MR_INVALID: nobody is called what `kill` names; MR_CLOSED, MR_SYSTEM. */
MR_CHECK mr_status_t mr_harm_new (const mr_harm_options_t *options, mr_harm_t **ret_harm,
                                  mr_error_t *err);
void mr_harm_destroy (mr_harm_t **self_p);

/* Start the chain, or what is missing of it. The next four: MR_OK; MR_CLOSED: broken off;
 * MR_SYSTEM: it does not come up, or down, in time (err: its last words). */
MR_CHECK mr_status_t mr_harm_up (mr_harm_t *self, mr_error_t *err);

/* One more deed, and the pause after it, which ends at end_ns (monotonic) at the latest. */
MR_CHECK mr_status_t mr_harm_one (mr_harm_t *self, int64_t end_ns, mr_error_t *err);

/* No more: there is room on the disk, and all workers that there should be run. */
MR_CHECK mr_status_t mr_harm_end (mr_harm_t *self, mr_error_t *err);

/* Drain the chain and stop it. */
MR_CHECK mr_status_t mr_harm_down (mr_harm_t *self, mr_error_t *err);

/* Let time pass. False: broken off. */
bool mr_harm_pause (mr_harm_t *self, int64_t ms);

/* Kill whatever is left of the chain. False: something does not die. */
bool mr_harm_kill_all (mr_harm_t *self);

const mr_harm_counts_t *mr_harm_counts (const mr_harm_t *self);

#endif
