/* spool_report: what the counters event says of the spool. */
#ifndef MR_STAGES_EXPORTER_SPOOL_REPORT_H
#define MR_STAGES_EXPORTER_SPOOL_REPORT_H

#include "common/base/buffer.h"
#include "common/delivery/spool.h"

/* Append the member `spool`, after a comma. */
MR_CHECK mr_status_t mr_spool_report (mr_spool_t *spool, mr_buffer_t *json);

#endif
