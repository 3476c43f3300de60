#include "launcher/sendlock.h"

#include "common/base/clock.h"
#include "common/base/dirs.h"
#include "common/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 10, DIR_MODE = 0750 };

static struct flock
byte_of (const char *name)
{
    uint64_t hash = mr_hash64 (name, strlen (name));
    return (struct flock){
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(hash >> 2), .l_len = 1};
}

static int
open_file (const char *dir)
{
    char path[PATH_MAX];
    mr_error_t err;
    int length = snprintf (path, sizeof path, "%s/locks", dir);
    if (length >= PATH_MAX || mr_dirs_make (dir, DIR_MODE, &err) != MR_OK) {
        return -1;
    }
    return open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
}

/* A lock of the process, not of the descriptor: the kernel says who has such a one. */
mr_status_t
mr_sendlock_take (const char *dir, const char *name, int *ret_fd, long *ret_pid)
{
    int64_t until_ns = mr_clock_mono_ns () + MR_SENDLOCK_WAIT_MS * MR_NS_PER_MS;
    struct flock lock = byte_of (name);
    int fd = open_file (dir);
    *ret_fd = fd;
    *ret_pid = 0;
    while (fd >= 0 && fcntl (fd, F_SETLK, &lock) != 0) {
        bool taken = errno == EAGAIN || errno == EACCES;
        if (taken && mr_clock_mono_ns () < until_ns) {
            nanosleep (&(struct timespec){.tv_nsec = POLL_MS * MR_NS_PER_MS}, NULL);
            continue;
        }
        struct flock other = byte_of (name);
        if (taken && fcntl (fd, F_GETLK, &other) == 0 && other.l_type != F_UNLCK) {
            *ret_pid = other.l_pid > 0 ? (long)other.l_pid : 0;
        }
        close (fd);
        *ret_fd = -1;
        return taken ? MR_AGAIN : MR_OK;
    }
    return MR_OK;
}

void
mr_sendlock_release (int fd)
{
    if (fd >= 0) {
        close (fd);
    }
}
