/* check: everything that can be found wrong with a configuration before anything starts. */
#ifndef MR_LAUNCHER_CHECK_H
#define MR_LAUNCHER_CHECK_H

#include "launcher/cli.h"

/* Check the file, then let each stage's program check its part. All faults are printed to stderr.
 * Returns the exit code, 0 when all is well; ret_plan is set then. */
int mr_check_configuration (const char *path, mr_plan_t *ret_plan);

#endif
