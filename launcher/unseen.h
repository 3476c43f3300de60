/* unseen: who writes in a data directory. Asked where nobody is to be seen in the run directory: a
 * pipeline runs all the same when the configuration has named another run_dir since it was started,
 * or when its run directory is lost. Looks at locks alone. */
#ifndef MR_LAUNCHER_UNSEEN_H
#define MR_LAUNCHER_UNSEEN_H

#include "launcher/plan.h"

#include <stdbool.h>

enum { MR_UNSEEN_BYTES = PATH_MAX + 800 };

/* True: somebody does; ret_text says who, and what to do: a sentence. */
bool mr_unseen (const mr_plan_t *plan, char ret_text[MR_UNSEEN_BYTES]);

/* Wait until nobody does, or somebody is to be seen in run_dir: who was killed just now lets go of
 * his locks, and whose run directory was removed makes it again; the launcher is given a moment
 * more. Returns what mr_unseen does then; false, too, when somebody is to be seen. */
bool mr_unseen_still (const mr_plan_t *plan, int64_t timeout_ms, char ret_text[MR_UNSEEN_BYTES]);

#endif
