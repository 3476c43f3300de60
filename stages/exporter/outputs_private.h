/* outputs_private: shared by outputs.c (the sinks are made) and outputs_asked.c (what the exporter
 * asks of them). Included by nobody else. */
#ifndef MR_STAGES_EXPORTER_OUTPUTS_PRIVATE_H
#define MR_STAGES_EXPORTER_OUTPUTS_PRIVATE_H

#include "common/runtime/worker.h"
#include "stages/exporter/outputs.h"

#include <limits.h>

/* The store of dead letters and the counter of what no sink takes are two more. */
enum { MR_OUTPUTS_MAX = MR_CONFIG_SINKS_MAX + 2 };

typedef struct mr_output {
    char operation[MR_WORKER_NAME_BYTES]; /* "export.<sink>" */
    mr_pump_t *pump;
    mr_rows_input_t input;
    bool may_drop;
    bool counts_only; /* nothing goes anywhere: not a sink */
    bool given_up;    /* said */
} mr_output_t;

struct mr_outputs {
    mr_stage_t *stage;
    mr_spool_t *spool;
    mr_pump_start_t start;
    mr_spool_sum_t went; /* before start.first ... */
    bool went_known;     /* ... if that could be read */
    char cursors[PATH_MAX];
    bool fsync;
    uint64_t lag_bytes;
    int event_fd;
    int event_id;
    mr_output_t outputs[MR_OUTPUTS_MAX];
    int count;
    mr_latency_t *latency;
};

/* Rows of this input that were ever in the spool. Those of metrics are not summed up. */
uint64_t mr_outputs_rows_in_spool (const mr_outputs_t *self, mr_rows_input_t input);

#endif
