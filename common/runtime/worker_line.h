/* worker_line: the words by which a worker is known: its name, its states, the line in its lock
 * file. Pure. Included by worker.c. */
#ifndef MR_COMMON_RUNTIME_WORKER_LINE_H
#define MR_COMMON_RUNTIME_WORKER_LINE_H

#include "common/runtime/worker.h"

/* Read the line into pid, incarnation, state and started_ns. MR_INVALID: something is missing or
 * odd. */
MR_CHECK mr_status_t mr_worker_parse_line (const char *line, mr_worker_info_t *info);

#endif
