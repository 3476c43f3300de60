/* dirs: make directories, with messages a user can act on. Thread safe, also against other
 * processes that make and probe the same ones. */
#ifndef MR_COMMON_BASE_DIRS_H
#define MR_COMMON_BASE_DIRS_H

#include "common/base/status.h"

#include <stdbool.h>
#include <sys/types.h>

/* Make path and its parents where they are missing, and see that files can be made in it.
 *   mode  of directories that are made (parents too)
 * MR_OK; MR_CONFIG: it cannot be made, is not a directory or cannot be written (err names it). */
MR_CHECK mr_status_t mr_dirs_make (const char *path, mode_t mode, mr_error_t *err);

/* Make path where it is missing, but none of its parents: what somebody took away on purpose does
 * not come back. MR_OK; MR_SYSTEM (err: why not; its number). */
MR_CHECK mr_status_t mr_dirs_make_last (const char *path, mode_t mode, mr_error_t *err);

/* What mr_dirs_make does, tried out by making a file there and taking it away again: what
 * permissions say is not the truth everywhere (/proc, or root on a file system that is mounted
 * read-only). A disk that is only full passes. leave_nothing  take away the directories, too, that
 * had to be made */
MR_CHECK mr_status_t mr_dirs_probe (const char *path, mode_t mode, bool leave_nothing,
                                    mr_error_t *err);

/* Make durable which files a directory has, also where a file system does so by itself and takes no
 * such call. 0, or -1 and errno. */
int mr_dirs_sync (const char *path);

/* The same of the directory that holds a file. */
int mr_dirs_sync_of (const char *file);

#endif
