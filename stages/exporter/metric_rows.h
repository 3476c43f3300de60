/* metric_rows: totals as JSON: rows for sinks, and the `totals` event. Pure. */
#ifndef MR_STAGES_EXPORTER_METRIC_ROWS_H
#define MR_STAGES_EXPORTER_METRIC_ROWS_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "stages/exporter/metric_totals.h"

#include <stdint.h>

/* Append one line a series (PROTOCOL.md, "Metric rows"), metrics and series in their order.
 *   worker   "exporter.0"
 *   wall_ns  since 1970, for `ts`
 * Statuses as mr_buffer_append; out is as it was then. */
MR_CHECK mr_status_t mr_metric_rows (const mr_metric_totals_t *totals, const char *worker,
                                     int64_t wall_ns, mr_buffer_t *out);

/* Append `"metrics":[...]` of the totals event (PROTOCOL.md, "totals").
 *   most  series of each metric; further ones are added up in `other` here
 * Statuses as mr_buffer_append; out is as it was then. */
MR_CHECK mr_status_t mr_metric_rows_event (const mr_metric_totals_t *totals, uint32_t most,
                                           mr_buffer_t *out);

#endif
