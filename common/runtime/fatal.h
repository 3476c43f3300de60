/* fatal: when this process is about to die of its own fault (SIGSEGV, SIGABRT, SIGBUS, SIGFPE,
 * SIGILL), note so in its worker page, say so, and die as it would have. */
#ifndef MR_COMMON_RUNTIME_FATAL_H
#define MR_COMMON_RUNTIME_FATAL_H

#include "common/base/status.h"
#include "common/runtime/worker.h"

/* page must live as long as the process. MR_SYSTEM: the handlers cannot be set. */
MR_CHECK mr_status_t mr_fatal_watch (mr_worker_page_t *page);

#endif
