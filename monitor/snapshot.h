/* snapshot: what the monitor knows, in one file that is replaced as a whole, so that a restart
 * keeps the totals. Format: PROTOCOL.md, "Monitor". Not thread safe. */
#ifndef MR_MONITOR_SNAPSHOT_H
#define MR_MONITOR_SNAPSHOT_H

#include "common/base/status.h"
#include "monitor/registry.h"

#include <stdint.h>

/* Write to `path`.new, then rename. The file is not synced: it is for a restart of the monitor; a
 * power cut may cost the last ones, and a torn file is found when it is read. MR_SYSTEM. */
MR_CHECK mr_status_t mr_snapshot_save (const mr_registry_t *registry, const char *path,
                                       int64_t wall_ns, mr_error_t *err);

/* Read into a fresh registry.
 * MR_OK; MR_CLOSED: there is none; MR_INVALID: it is broken or of another version: it was renamed
 * to `path`.bad and the registry is to be made anew; MR_SYSTEM: it cannot be read. */
MR_CHECK mr_status_t mr_snapshot_load (mr_registry_t *registry, const char *path, mr_error_t *err);

#endif
