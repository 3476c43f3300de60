/* metric_checkpoint: the file that keeps an exporter's totals over a restart,
 * DATA/exporter.<slot>.totals. Byte layout: PROTOCOL.md, "Totals". Not thread safe. */
#ifndef MR_STAGES_EXPORTER_METRIC_CHECKPOINT_H
#define MR_STAGES_EXPORTER_METRIC_CHECKPOINT_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stddef.h>

enum { MR_CHECKPOINT_HEADER_BYTES = 32 };

/* Most bytes of totals in one. */
#define MR_CHECKPOINT_MAX_BYTES (UINT32_C (1) << 30)

/* Replace the file as a whole: a reader finds the old one or the new one, whoever dies when.
 *   data  what mr_metric_totals_save wrote
 * MR_SYSTEM: err says why; the old file is there. */
MR_CHECK mr_status_t mr_metric_checkpoint_save (const char *path, const mr_buffer_t *data,
                                                mr_error_t *err);

/* Append the totals in it to ret_data.
 * MR_OK; MR_CLOSED: there is no file; MR_INVALID: it is none of ours, of another version or broken
 * (err says which); MR_SYSTEM: it cannot be read. */
MR_CHECK mr_status_t mr_metric_checkpoint_load (const char *path, mr_buffer_t *ret_data,
                                                mr_error_t *err);

/* Check the bytes of a whole file; ret_data points to the totals in it. MR_OK; MR_INVALID. */
MR_CHECK mr_status_t mr_metric_checkpoint_decode (const void *file, size_t bytes,
                                                  const void **ret_data, size_t *ret_bytes,
                                                  mr_error_t *err);

#endif
