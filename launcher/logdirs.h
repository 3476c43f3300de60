/* logdirs: which journals and spools there are. */
#ifndef MR_LAUNCHER_LOGDIRS_H
#define MR_LAUNCHER_LOGDIRS_H

#include "common/base/status.h"

#include <limits.h>
#include <stdbool.h>

/* Call fn for each journal and spool of a data directory, until it returns false. */
typedef bool mr_logdirs_fn (void *arg, const char *dir);
void mr_logdirs_each (const char *data_dir, mr_logdirs_fn *fn, void *arg);

#endif
