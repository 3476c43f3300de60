/* retention: which segments of the spool may go: those that every sink and the checkpoint of the
 * totals have passed, and whose batches all lie at or below their journals' durable watermarks:
 * what ingest might still look for must be found. Not thread safe. */
#ifndef MR_STAGES_EXPORTER_RETENTION_H
#define MR_STAGES_EXPORTER_RETENTION_H

#include "common/base/seglog_reader.h"
#include "common/base/status.h"
#include "common/delivery/spool.h"
#include "stages/exporter/windows.h"

#include <stdint.h>

typedef struct mr_retention {
    mr_spool_t *spool;          /* borrowed */
    mr_windows_t *windows;      /* borrowed */
    mr_seglog_reader_t *reader; /* headers, from `safe` on */
    mr_seglog_frame_t next;     /* read, but above its watermark; next.next 0: none */
    uint64_t safe;              /* all frames below are settled for good */
} mr_retention_t;

MR_CHECK mr_status_t mr_retention_init (mr_retention_t *self, mr_spool_t *spool,
                                        mr_windows_t *windows, mr_error_t *err);
void mr_retention_release (mr_retention_t *self);

/* Let go of what may go.
 *   delivered  every sink and the checkpoint are past this
 * Does a bounded amount of work; the rest comes with the next call. */
void mr_retention_trim (mr_retention_t *self, uint64_t delivered);

#endif
