/* logview: what stands in a journal or a spool, for people and as JSON: its segments and frames
 * (`millrace log ls`) and the records of a batch (`log show`). It only reads, beside a living
 * writer too; logcheck.h says what is broken. Rows are flat objects, printed as JSON, one a line,
 * or as "name value" pairs. Not thread safe. */
#ifndef MR_LAUNCHER_LOGVIEW_H
#define MR_LAUNCHER_LOGVIEW_H

#include "common/base/seglog_reader.h"
#include "common/base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Print one row, which is consumed. */
void mr_logview_put (json_t *row, bool as_json);

/* Damage as a row, the caller's.
 *   segment  start of the segment it lies in */
json_t *mr_logview_damage (const mr_seglog_damage_t *damage, uint64_t segment);

/* All segments and frames, and the producers that the newest segment begins with.
 * MR_CLOSED: there is no log; MR_CONFIG; MR_SYSTEM. */
MR_CHECK mr_status_t mr_logview_list (const char *dir, bool as_json, mr_error_t *err);

/* Which batch: its seq, and the journal that made it. */
typedef struct mr_logview_batch {
    uint64_t journal; /* 0: any */
    uint64_t seq;
} mr_logview_batch_t;

/* "17" or "9f3ac15d00e77b02-17". */
MR_CHECK mr_status_t mr_logview_parse_batch (const char *text, mr_logview_batch_t *ret_batch);

/* The frames of a batch, its records and its dead letters.
 *   ret_found  how many frames there were
 * As mr_logview_list. */
MR_CHECK mr_status_t mr_logview_show (const char *dir, const mr_logview_batch_t *batch,
                                      bool as_json, unsigned *ret_found, mr_error_t *err);

#endif
