/* leaving: how a worker that `scale` makes superfluous goes for good. One that keeps a journal or a
 * spool finishes it first, however long that takes; if it dies meanwhile, or was dead before, it is
 * started for that. What it waits for is told every few seconds. Used by the launcher's one thread.
 */
#ifndef MR_LAUNCHER_LEAVING_H
#define MR_LAUNCHER_LEAVING_H

#include "launcher/jobs.h"

/* As far as it goes now. True: it is gone, or cannot be started (then the job's text says so). */
bool mr_leaving_step (mr_job_t *job, const mr_roster_t *roster, mr_unit_t *unit, int64_t now_ns);

#endif
