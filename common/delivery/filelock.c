#include "common/delivery/filelock.h"

#include "common/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 5, MAPPED_WAIT_MS = 3000 };

static int
try_lock (int fd, bool shared)
{
    struct flock lock = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    return fcntl (fd, F_OFD_SETLK, &lock);
}

/* The kernel does not say who holds such a lock. What cannot be written, the message does without.
 */
static void
sign (int fd)
{
    char text[32];
    int bytes = snprintf (text, sizeof text, "%d\n", (int)getpid ());
    (void)!(pwrite (fd, text, (size_t)bytes, 0) == bytes && ftruncate (fd, bytes) == 0);
}

static void
name_holder (int fd, const mr_filelock_options_t *options, mr_error_t *err)
{
    char text[32] = "";
    ssize_t bytes = options->signed_by ? pread (fd, text, sizeof text - 1, 0) : 0;
    long pid = bytes > 0 ? strtol (text, NULL, 10) : 0;
    if (pid > 0) {
        mr_error_set (err, "%s is locked by process %ld, which lives; stop it first", options->path,
                      pid);
    } else {
        mr_error_set (err, "%s is locked by a process that lives; stop it first", options->path);
    }
}

mr_status_t
mr_filelock_take (const mr_filelock_options_t *options, int *ret_fd, mr_error_t *err)
{
    int fd = open (options->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        return mr_error_errno (err, "cannot open %s", options->path);
    }
    int64_t until_ns = mr_clock_mono_ns () + options->wait_ms * MR_NS_PER_MS;
    while (try_lock (fd, options->shared) != 0) {
        if ((errno != EAGAIN && errno != EACCES) || mr_clock_mono_ns () >= until_ns) {
            name_holder (fd, options, err);
            close (fd);
            return MR_AGAIN;
        }
        nanosleep (&(struct timespec){.tv_nsec = POLL_MS * MR_NS_PER_MS}, NULL);
    }
    if (options->signed_by) {
        sign (fd);
    }
    *ret_fd = fd;
    return MR_OK;
}

void
mr_filelock_release (int fd)
{
    if (fd >= 0) {
        close (fd);
    }
}

mr_filelock_options_t
mr_filelock_mapped (const char *data_dir, int slot, bool shared, char *path)
{
    int bytes = snprintf (path, PATH_MAX, "%s/ingest.%d.mapped", data_dir, slot);
    MR_ASSERT (bytes > 0 && bytes < PATH_MAX); /* the configuration bounds data_dir */
    return (mr_filelock_options_t){.path = path, .shared = shared, .wait_ms = MAPPED_WAIT_MS};
}
