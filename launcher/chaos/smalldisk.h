/* smalldisk: a small file system in memory, mounted over an empty directory in a mount namespace of
 * our own, so that nobody else sees it and none is left when the last of us is gone. An ordinary
 * user gets a user namespace, too, where the kernel allows it. Not thread safe. */
#ifndef MR_LAUNCHER_CHAOS_SMALLDISK_H
#define MR_LAUNCHER_CHAOS_SMALLDISK_H

#include "common/base/status.h"

#include <stdbool.h>

/* Mount it. Call it before there is a second thread. MR_OK; MR_SYSTEM: it may not be mounted. */
MR_CHECK mr_status_t mr_smalldisk_mount (const char *path, mr_error_t *err);

/* Take all of its room; false: not possible now. Give it back. */
bool mr_smalldisk_fill (const char *path);
void mr_smalldisk_free (const char *path);

/* Unmount it; what is on it is gone, or first copied into the directory beneath. MR_SYSTEM: not all
 * of it could be copied. */
void mr_smalldisk_unmount (const char *path);
MR_CHECK mr_status_t mr_smalldisk_settle (const char *path, mr_error_t *err);

#endif
