/* metric_checkpoint: the file that keeps an exporter's totals over a restart,
 * DATA/exporter.<slot>.totals. Byte layout: PROTOCOL.md, "Totals". Not thread safe. */
#ifndef MR_STAGES_EXPORTER_METRIC_CHECKPOINT_H
#define MR_STAGES_EXPORTER_METRIC_CHECKPOINT_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MR_CHECKPOINT_HEADER_BYTES = 48 };

/* Most bytes of totals in one. */
#define MR_CHECKPOINT_MAX_BYTES (UINT32_C (1) << 30)

/* Which frames of which spool the totals hold: all below the position. */
typedef struct mr_checkpoint_place {
    uint64_t spool; /* id */
    uint64_t position;
} mr_checkpoint_place_t;

/* Replace the file as a whole: a reader finds the old one or the new one, whoever dies when.
 *   data  what mr_metric_totals_save wrote
 *   sync  make it survive power loss
 * MR_SYSTEM: err says why; the old file is there. */
MR_CHECK mr_status_t mr_metric_checkpoint_save (const char *path,
                                                const mr_checkpoint_place_t *place,
                                                const mr_buffer_t *data, bool sync,
                                                mr_error_t *err);

/* Append the totals in it to ret_data.
 * MR_OK; MR_CLOSED: there is no file; MR_INVALID: it is none of ours, of another version or broken
 * (err says which); MR_SYSTEM: it cannot be read. */
MR_CHECK mr_status_t mr_metric_checkpoint_load (const char *path, mr_checkpoint_place_t *ret_place,
                                                mr_buffer_t *ret_data, mr_error_t *err);

/* Check the bytes of a whole file. MR_OK; MR_INVALID. */
typedef struct mr_checkpoint {
    mr_checkpoint_place_t place;
    const void *data; /* in the file */
    size_t bytes;
} mr_checkpoint_t;

MR_CHECK mr_status_t mr_metric_checkpoint_decode (const void *file, size_t bytes,
                                                  mr_checkpoint_t *ret_checkpoint, mr_error_t *err);

#endif
