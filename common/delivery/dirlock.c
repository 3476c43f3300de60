#include "common/delivery/dirlock.h"

#include "common/base/clock.h"
#include "common/base/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 5 };

static int
try_lock (int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl (fd, F_OFD_SETLK, &lock);
}

mr_status_t
mr_dirlock_take (const char *dir, int wait_ms, int *ret_fd, mr_error_t *err)
{
    mr_status_t status = mr_dirs_make (dir, 0750, err);
    if (status != MR_OK) {
        return status;
    }
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/lock", dir);
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        return mr_error_errno (err, "cannot open %s", path);
    }
    int64_t until_ns = mr_clock_mono_ns () + wait_ms * MR_NS_PER_MS;
    while (try_lock (fd) != 0) {
        if ((errno != EAGAIN && errno != EACCES) || mr_clock_mono_ns () >= until_ns) {
            mr_error_set (err, "%s is locked by a process that lives; stop it first", path);
            close (fd);
            return MR_AGAIN;
        }
        nanosleep (&(struct timespec){.tv_nsec = POLL_MS * MR_NS_PER_MS}, NULL);
    }
    *ret_fd = fd;
    return MR_OK;
}

void
mr_dirlock_release (int fd)
{
    if (fd >= 0) {
        close (fd);
    }
}
