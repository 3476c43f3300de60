/* dirlock: who may write in a directory of the pipeline's data: a lock file in it, locked (OFD) as
 * long as its holder lives and never removed; its line is the last holder's pid. Thread safe. */
#ifndef MR_COMMON_DELIVERY_DIRLOCK_H
#define MR_COMMON_DELIVERY_DIRLOCK_H

#include "common/base/seglog.h"
#include "common/base/status.h"

/* Take DIR/lock; makes the directory where it is missing. Waits up to wait_ms for who holds it.
 * MR_OK: *ret_fd holds it; MR_AGAIN: it is held; MR_CONFIG: the directory cannot be made;
 * MR_SYSTEM. */
MR_CHECK mr_status_t mr_dirlock_take (const char *dir, int wait_ms, int *ret_fd, mr_error_t *err);

/* Whether the path still leads to the lock that fd holds, and to what the log writes.
 *   log  of that directory, open for writing; NULL: the lock alone
 * MR_OK; MR_CLOSED: the directory, or the log's newest file, was removed, moved away or replaced;
 * err: what, and what to do. */
MR_CHECK mr_status_t mr_dirlock_check (const char *dir, int fd, const mr_seglog_t *log,
                                       mr_error_t *err);

/* fd -1: nothing happens. */
void mr_dirlock_release (int fd);

#endif
