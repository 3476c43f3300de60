/* victims: the living processes of a run directory, and signals to them. A process is signalled
 * only while it holds the lock by which it was found. Not thread safe. */
#ifndef MR_LAUNCHER_CHAOS_VICTIMS_H
#define MR_LAUNCHER_CHAOS_VICTIMS_H

#include "common/runtime/worker.h"

#include <stdbool.h>
#include <stdint.h>

enum { MR_VICTIMS_MAX = 64 };

typedef struct mr_victims {
    int count;
    char names[MR_VICTIMS_MAX][MR_WORKER_NAME_BYTES]; /* sorted; "launcher", "processor.1" */
} mr_victims_t;

/* Who lives. kill: "all", or STAGE[,STAGE...]: of these stages. */
void mr_victims_list (const char *run_dir, const char *kill, mr_victims_t *ret_victims);

/* Whether a stage, "monitor" or "launcher" is among the words of kill. */
bool mr_victims_among (const char *kill, const char *stage);

/* Signal it. After SIGKILL, wait until it is gone. False: it was not there any more, or does not
 * die within 10 s. */
bool mr_victims_signal (const char *run_dir, const char *name, int signal);

/* Kill all, the launcher first, and wait until they are gone. Returns how many were killed, each
 * reported to fn (may be NULL). */
typedef void mr_victims_fn (void *arg, const char *name);
int mr_victims_kill_all (const char *run_dir, mr_victims_fn *fn, void *arg);

#endif
