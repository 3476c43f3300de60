/* rebuild: make the window of a journal anew, from what journal and spools hold: after another
 * start of the machine (its pages may be old) or when somebody removed it. */
#ifndef MR_COMMON_DELIVERY_REBUILD_H
#define MR_COMMON_DELIVERY_REBUILD_H

#include "common/base/status.h"
#include "common/delivery/journal.h"
#include "common/delivery/window.h"

#include <stdint.h>

typedef struct mr_rebuild {
    const char *data_dir;
    int slot;         /* of the ingest worker */
    const char *path; /* of the window */
    mr_journal_info_t info;
    uint64_t found;   /* out: batches above the watermark that are in a spool */
    uint64_t missing; /* out: those that are not */
} mr_rebuild_t;

/* A window that is of this start of the machine, or missing, may be mapped by an exporter that
 * lives, which would go on claiming in it: then `ingest.N.mapped` (filelock.h) is taken alone. Who
 * maps a file that is not there any more notices within a second or two, and lets go. A window of
 * another start cannot be mapped.
 * MR_AGAIN: an exporter has one mapped; MR_SYSTEM; MR_INVALID. */
MR_CHECK mr_status_t mr_rebuild_window (mr_rebuild_t *rebuild, mr_window_t **ret_window,
                                        mr_error_t *err);

#endif
