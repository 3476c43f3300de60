/* sendlock: one `send` at a time for a file, or for a producer's name: a lock that lasts as long as
 * its holder lives. Not thread safe. */
#ifndef MR_LAUNCHER_SENDLOCK_H
#define MR_LAUNCHER_SENDLOCK_H

#include "common/base/status.h"

enum { MR_SENDLOCK_WAIT_MS = 1000 }; /* for one that is just being killed */

/* Lock a name among all that lock in this directory, which is made where it is missing. Every name
 * is one byte of one file there, so that nothing is left behind for each. Once at a time in one
 * process: the kernel drops the lock when any descriptor of that file is closed.
 * MR_OK: *ret_fd holds it, or is -1 where no lock can be had (no such directory, a file system
 * without locks); MR_AGAIN: another process has it: *ret_pid, 0 when it is not to be known. */
MR_CHECK mr_status_t mr_sendlock_take (const char *dir, const char *name, int *ret_fd,
                                       long *ret_pid);

/* fd -1: nothing happens. */
void mr_sendlock_release (int fd);

#endif
