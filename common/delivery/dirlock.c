#include "common/delivery/dirlock.h"

#include "common/base/dirs.h"
#include "common/delivery/filelock.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

mr_status_t
mr_dirlock_take (const char *dir, int wait_ms, int *ret_fd, mr_error_t *err)
{
    mr_status_t status = mr_dirs_make (dir, 0750, err);
    if (status != MR_OK) {
        return status;
    }
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/lock", dir);
    const mr_filelock_options_t options = {.path = path, .wait_ms = wait_ms, .signed_by = true};
    return mr_filelock_take (&options, ret_fd, err);
}

mr_status_t
mr_dirlock_check (const char *dir, int fd, const mr_seglog_t *log, mr_error_t *err)
{
    char path[PATH_MAX];
    struct stat held;
    struct stat named;
    snprintf (path, sizeof path, "%s/lock", dir);
    bool there = stat (path, &named) == 0;
    bool known = fstat (fd, &held) == 0 && (there || errno == ENOENT || errno == ENOTDIR);
    if (known && (!there || held.st_ino != named.st_ino || held.st_dev != named.st_dev)) {
        mr_error_set (err, "%s is gone or replaced; stop the pipeline, put it back, start", dir);
        return MR_CLOSED;
    }
    if (log != NULL && mr_seglog_unlinked (log)) {
        mr_error_set (err, "the newest file of %s is gone; stop the pipeline, put it back, start",
                      dir);
        return MR_CLOSED;
    }
    return MR_OK; /* also where the disk fails: that is not for us to tell of */
}

void
mr_dirlock_release (int fd)
{
    mr_filelock_release (fd);
}
