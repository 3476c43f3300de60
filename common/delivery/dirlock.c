#include "common/delivery/dirlock.h"

#include "common/base/dirs.h"
#include "common/delivery/filelock.h"

#include <limits.h>
#include <stdio.h>

mr_status_t
mr_dirlock_take (const char *dir, int wait_ms, int *ret_fd, mr_error_t *err)
{
    mr_status_t status = mr_dirs_make (dir, 0750, err);
    if (status != MR_OK) {
        return status;
    }
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/lock", dir);
    const mr_filelock_options_t options = {.path = path, .wait_ms = wait_ms};
    return mr_filelock_take (&options, ret_fd, err);
}

void
mr_dirlock_release (int fd)
{
    mr_filelock_release (fd);
}
