/* unit: one worker in the launcher's eyes: its policy, its process, and what was last heard of it.
 * Performs what the policy asks for and tells of each change. Used by the launcher's one thread. */
#ifndef MR_LAUNCHER_UNIT_H
#define MR_LAUNCHER_UNIT_H

#include "common/runtime/loop.h"
#include "common/runtime/worker.h"
#include "launcher/child.h"
#include "launcher/plan.h"
#include "launcher/policy.h"
#include "launcher/watchdog.h"

#include <stdbool.h>
#include <stdint.h>

enum { MR_UNIT_MONITOR_RANK = -1, MR_UNIT_REASON_BYTES = 600 };

typedef struct mr_unit mr_unit_t;

/* What happened to a worker: `what` is one word (started, running, adopted, draining, stopped,
 * killed, died, waits, waiting, given_up), `text` a sentence for people. Both borrowed. */
typedef void mr_unit_note_fn (void *arg, const mr_unit_t *unit, const char *what, const char *text);

/* What all units share; outlives them. */
typedef struct mr_unit_env {
    const mr_plan_t *plan;
    mr_loop_t *loop;
    bool foreground; /* workers inherit our stdout */
    mr_unit_note_fn *note;
    void *arg;
} mr_unit_env_t;

struct mr_unit {
    const mr_unit_env_t *env;
    char name[MR_WORKER_NAME_BYTES]; /* "processor.1", "monitor" */
    char stage[MR_WORKER_NAME_BYTES];
    int slot; /* -1: the monitor */
    int rank; /* place in the flow; MR_UNIT_MONITOR_RANK */
    mr_policy_t policy;
    mr_child_t child;
    int exit_watch;    /* loop ids; 0: none */
    int ready_watch;   /* 0: none */
    unsigned life;     /* counts processes, so that a waiter knows an old one from a new one */
    int64_t since_ns;  /* mono: when this process was started or adopted */
    int64_t stderr_at; /* where this life's text begins in its files */
    int64_t log_at;
    int last_code; /* how the last process ended; -1 with signal 0: unknown, or none did */
    int last_signal;
    bool finishing; /* it runs only to finish what an earlier life left, and goes then */
    bool late;      /* the present process was killed by us for being late */
    mr_watchdog_t watchdog;
    char reason[MR_UNIT_REASON_BYTES]; /* why the last process ended; "" */
    char told[MR_UNIT_REASON_BYTES];   /* why it cannot start, as noted; "" since it was ready */
};

/* slot -1: a worker without slots. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_unit_new (const mr_unit_env_t *env, const char *stage, int slot,
                                  mr_unit_t **ret_unit);
void mr_unit_destroy (mr_unit_t **self_p); /* its process lives on */

/* Hand an event to the policy and do what it says. limits NULL: those of the plan. */
void mr_unit_event (mr_unit_t *self, const mr_policy_limits_t *limits, mr_policy_event_t event);

/* Let time pass, and look at the lock file of an adopted one that is not ready yet. */
void mr_unit_tick (mr_unit_t *self, int64_t now_ns);

/* A living holder of its lock was seen: watch that process, unless it is watched already. */
void mr_unit_adopt (mr_unit_t *self);

/* About once a second: kill it when it hangs, with the reason in its page. */
void mr_unit_watch_progress (mr_unit_t *self, int64_t now_ns);

/* SIGHUP, while it runs. */
void mr_unit_reopen (mr_unit_t *self);

#endif
