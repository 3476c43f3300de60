/* sinkpath: which file an exporter writes. Pure; thread safe. */
#ifndef MR_COMMON_DELIVERY_SINKPATH_H
#define MR_COMMON_DELIVERY_SINKPATH_H

#include "common/base/status.h"

/* The path that exporter `slot` writes: `path` itself for 0, else with ".<slot>" before the
 * extension. ret_path: PATH_MAX bytes. MR_CONFIG: too long. */
MR_CHECK mr_status_t mr_sink_path (const char *path, int slot, char *ret_path, mr_error_t *err);

#endif
