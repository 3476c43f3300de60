/* logrow: segments and frames of journals and spools as rows (flat JSON objects). Pure. */
#ifndef MR_LAUNCHER_LOGROW_H
#define MR_LAUNCHER_LOGROW_H

#include "common/base/seglog_walk.h"

#include <jansson.h>
#include <stdint.h>

/* A new object, the caller's.
 *   kind  of the log (MR_JOURNAL_KIND, MR_SPOOL_KIND, another one) */
json_t *mr_logrow_segment (const mr_seglog_segment_t *segment);
json_t *mr_logrow_frame (uint16_t kind, const mr_seglog_frame_t *frame);

/* "journal", "spool", "log". */
const char *mr_logrow_kind (uint16_t kind);

#endif
