/* roster: all units that the launcher knows. Units are made on demand and live until the roster
 * does. Used by the launcher's one thread. */
#ifndef MR_LAUNCHER_ROSTER_H
#define MR_LAUNCHER_ROSTER_H

#include "launcher/unit.h"

typedef struct mr_roster {
    const mr_unit_env_t *env;
    mr_unit_t **units;
    int count;
    int capacity;
} mr_roster_t;

void mr_roster_init (mr_roster_t *self, const mr_unit_env_t *env);
void mr_roster_release (mr_roster_t *self);

/* The unit, or NULL. slot -1: a worker without slots. */
mr_unit_t *mr_roster_find (const mr_roster_t *self, const char *stage, int slot);

/* The unit, made if need be; NULL: out of memory. */
mr_unit_t *mr_roster_get (mr_roster_t *self, const char *stage, int slot);

/* Look at the lock files: adopt who lives, sweep what the dead left.
 * Returns how many living workers were newly adopted. */
int mr_roster_scan (mr_roster_t *self);

/* Remove what dead workers left, and the sockets in run_dir that nobody listens on: those for
 * producers, of an ingest worker that was killed. Call it when no worker runs. */
void mr_roster_sweep (mr_roster_t *self);

#endif
