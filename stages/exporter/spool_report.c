#include "stages/exporter/spool_report.h"

#include <inttypes.h>

mr_status_t
mr_spool_report (mr_spool_t *spool, mr_buffer_t *json)
{
    mr_seglog_stats_t stats;
    mr_seglog_stats (mr_spool_log (spool), &stats);
    uint32_t count;
    const mr_spool_sum_t *sums = mr_spool_sums (spool, &count);
    mr_status_t status =
        mr_buffer_printf (json,
                          ",\"spool\":{\"bytes\":%" PRIu64 ",\"segments\":%" PRIu64
                          ",\"torn_bytes\":%" PRIu64 ",\"journals\":[",
                          stats.end - stats.first, stats.segments, stats.torn_bytes);
    for (uint32_t i = 0; i < count && status == MR_OK; i++) {
        status = mr_buffer_printf (
            json,
            "%s{\"journal\":\"%016" PRIx64 "\",\"max_seq\":%" PRIu64 ",\"batches\":%" PRIu64
            ",\"exported\":%" PRIu64 ",\"filtered\":%" PRIu64 ",\"dead\":%" PRIu64 "}",
            i > 0 ? "," : "", sums[i].journal, sums[i].max_seq, sums[i].batches, sums[i].exported,
            sums[i].filtered, sums[i].dead);
    }
    return status == MR_OK ? mr_buffer_append (json, "]}", 2) : status;
}
