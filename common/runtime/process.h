/* process: what every long-running program does before anything else. */
#ifndef MR_COMMON_RUNTIME_PROCESS_H
#define MR_COMMON_RUNTIME_PROCESS_H

#include "common/base/status.h"
#include "common/runtime/config.h"

#include <stdbool.h>

/* As many descriptors as are allowed, up to 65,536: libzmq aborts the process when it runs out. */
void mr_process_descriptors (void);

/* SIGTERM, SIGINT and SIGHUP come as signalfd_siginfo from ret_fd (owned by the caller, does not
 * block); SIGPIPE and SIGXFSZ are ignored. Before libzmq starts threads, which inherit this.
 * MR_SYSTEM. */
MR_CHECK mr_status_t mr_process_signals (int *ret_fd, mr_error_t *err);

/* Log as `who`, "processor.1", to LOG_DIR/<who>.log at the configured level.
 *   quiet  not to stderr
 * MR_CONFIG, MR_SYSTEM: the file cannot be opened. */
MR_CHECK mr_status_t mr_process_log (const mr_config_t *config, const char *who, bool quiet,
                                     mr_error_t *err);

/* A program cannot start: its exit code. When the reason may pass (the disk is full, read-only,
 * over quota, broken for now: mr_file_may_pass) that is 75, and who waits at ready_fd is told
 * the reason: it is tried again for as long as it takes.
 *   status, err  of what failed
 *   ready_fd     -1: nobody waits */
int mr_process_failed (mr_status_t status, const mr_error_t *err, int ready_fd);

#endif
