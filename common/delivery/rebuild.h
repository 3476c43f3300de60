/* rebuild: the window of an open journal, made anew where it must be: from what journal and spools
 * hold, after another start of the machine (its pages may be old) or when somebody removed it. */
#ifndef MR_COMMON_DELIVERY_REBUILD_H
#define MR_COMMON_DELIVERY_REBUILD_H

#include "common/base/status.h"
#include "common/delivery/journal.h"
#include "common/delivery/window.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_rebuild {
    const char *data_dir;
    int slot;               /* of the ingest worker */
    const char *path;       /* of the window */
    mr_journal_info_t info; /* out: of the journal, as it is now */
    bool made;              /* out: the window is new */
    uint64_t found;         /* out: batches above the watermark that are in a spool */
    uint64_t missing;       /* out: those that are not */
    uint64_t damaged; /* out: the highest batch in the window, if the journal's end was damaged:
                         its last frames are not there, which the journal now notes; else 0 */
} mr_rebuild_t;

/* Map the window of this journal, or make it anew. No number is given out twice after it: the
 * journal goes on above the highest that the window knows; where the window is new, so that nobody
 * knows what is on its way, above its ceiling.
 *
 * A window that is of this start of the machine, or missing, may be mapped by an exporter that
 * lives, which would go on claiming in it: before another is made `ingest.N.mapped` (filelock.h) is
 * taken alone. Who maps a file that is not there any more notices within a second or two, and lets
 * go. A window of another start cannot be mapped.
 * MR_OK; MR_AGAIN: an exporter has one mapped, or the disk refuses; MR_INVALID: not a
 * window of this version, or the journal holds more than a window; MR_SYSTEM. */
MR_CHECK mr_status_t mr_rebuild_open (mr_rebuild_t *rebuild, mr_journal_t *journal,
                                      mr_window_t **ret_window, mr_error_t *err);

#endif
