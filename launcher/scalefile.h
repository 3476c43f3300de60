/* scalefile: what `scale` changed, kept in RUN/launcher.scale for the launcher that comes after one
 * that died. Gone after `down`, and where nothing runs at the start: a fresh start follows the
 * configuration. */
#ifndef MR_LAUNCHER_SCALEFILE_H
#define MR_LAUNCHER_SCALEFILE_H

#include "launcher/plan.h"

/* Failures are logged: the launcher works without the file. Reading leaves a stage as it is of
 * which the file says nothing, or no number from 1 to MR_SLOTS_MAX; it returns whether there was
 * something to read. */
void mr_scalefile_write (const mr_plan_t *plan);
bool mr_scalefile_read (mr_plan_t *plan);
bool mr_scalefile_there (const mr_plan_t *plan);
void mr_scalefile_remove (const mr_plan_t *plan);

#endif
