#include "common/base/file_ops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGAIN_ON_SIGNAL(result, call) \
    do {                              \
        (result) = (call);            \
    } while ((result) < 0 && errno == EINTR)

static int
system_open_dir (void *context, const char *path, bool make)
{
    (void)context;
    if (make && mkdir (path, 0750) != 0 && errno != EEXIST) {
        return -1;
    }
    return open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
system_open (void *context, int dir, const char *name, int flags)
{
    (void)context;
    int fd;
    AGAIN_ON_SIGNAL (fd, openat (dir, name, flags | O_CLOEXEC | O_NOFOLLOW, 0640));
    return fd;
}

static int
system_close (void *context, int fd)
{
    (void)context;
    return close (fd);
}

static int64_t
system_size (void *context, int fd)
{
    (void)context;
    struct stat status;
    return fstat (fd, &status) == 0 ? (int64_t)status.st_size : -1;
}

static ssize_t
system_read (void *context, int fd, void *data, size_t bytes, uint64_t offset)
{
    (void)context;
    ssize_t got;
    AGAIN_ON_SIGNAL (got, pread (fd, data, bytes, (off_t)offset));
    return got;
}

static ssize_t
system_write (void *context, int fd, const struct iovec *iov, int count, uint64_t offset)
{
    (void)context;
    ssize_t put;
    AGAIN_ON_SIGNAL (put, pwritev (fd, iov, count, (off_t)offset));
    return put;
}

static int
system_truncate (void *context, int fd, uint64_t bytes)
{
    (void)context;
    int result;
    AGAIN_ON_SIGNAL (result, ftruncate (fd, (off_t)bytes));
    return result;
}

static int
system_allocate (void *context, int fd, uint64_t offset, uint64_t bytes)
{
    (void)context;
    int result;
    AGAIN_ON_SIGNAL (result, fallocate (fd, 0, (off_t)offset, (off_t)bytes));
    return result;
}

static int
system_sync_data (void *context, int fd)
{
    (void)context;
    int result;
    AGAIN_ON_SIGNAL (result, fdatasync (fd));
    return result;
}

static int
system_sync_dir (void *context, int dir)
{
    (void)context;
    int result;
    AGAIN_ON_SIGNAL (result, fsync (dir));
    return result;
}

static int
system_rename (void *context, int dir, const char *from, const char *to)
{
    (void)context;
    return renameat (dir, from, dir, to);
}

static int
system_unlink (void *context, int dir, const char *name)
{
    (void)context;
    return unlinkat (dir, name, 0);
}

static int
system_list (void *context, int dir, mr_file_each_fn *each, void *arg)
{
    (void)context;
    /* A description of our own: the position of a directory stream belongs to it. */
    int fd = openat (dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    DIR *stream = fdopendir (fd);
    if (stream == NULL) {
        close (fd);
        return -1;
    }
    errno = 0;
    for (struct dirent *entry = readdir (stream); entry != NULL; entry = readdir (stream)) {
        each (arg, entry->d_name);
        errno = 0;
    }
    int saved = errno;
    closedir (stream);
    errno = saved;
    return saved == 0 ? 0 : -1;
}

static void *
system_map (void *context, int fd, size_t bytes, bool writable)
{
    (void)context;
    int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void *data = mmap (NULL, bytes, protection, MAP_SHARED, fd, 0);
    return data == MAP_FAILED ? NULL : data;
}

static void
system_unmap (void *context, void *data, size_t bytes)
{
    (void)context;
    munmap (data, bytes);
}

static int
system_boot_id (void *context, uint64_t ret_id[2])
{
    (void)context;
    FILE *file = fopen ("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL) {
        return -1;
    }
    uint64_t id[2] = {0, 0};
    int digits = 0;
    for (int c = fgetc (file); c != EOF && digits < 32; c = fgetc (file)) {
        static const char hex[] = "0123456789abcdef";
        const char *at = c != '\0' ? strchr (hex, c) : NULL;
        if (at != NULL) {
            id[digits / 16] = (id[digits / 16] << 4) | (uint64_t)(at - hex);
            digits++;
        }
    }
    fclose (file);
    if (digits != 32) {
        errno = EINVAL;
        return -1;
    }
    ret_id[0] = id[0];
    ret_id[1] = id[1];
    return 0;
}

const mr_file_ops_t *
mr_file_ops_system (void)
{
    static const mr_file_ops_t ops = {
        .context = NULL,
        .open_dir = system_open_dir,
        .open = system_open,
        .close = system_close,
        .size = system_size,
        .read = system_read,
        .write = system_write,
        .truncate = system_truncate,
        .allocate = system_allocate,
        .sync_data = system_sync_data,
        .sync_dir = system_sync_dir,
        .rename = system_rename,
        .unlink = system_unlink,
        .list = system_list,
        .map = system_map,
        .unmap = system_unmap,
        .boot_id = system_boot_id,
    };
    return &ops;
}

bool
mr_file_may_pass (int error)
{
    return error == ENOSPC || error == EDQUOT || error == EIO || error == EROFS || error == EFBIG ||
           error == ENOMEM || error == EMFILE || error == ENFILE || error == EAGAIN;
}

int
mr_file_write_all (const mr_file_ops_t *ops, int fd, struct iovec *iov, int count, uint64_t offset)
{
    while (count > 0) {
        ssize_t put = ops->write (ops->context, fd, iov, count, offset);
        if (put < 0) {
            return -1;
        }
        offset += (uint64_t)put;
        size_t left = (size_t)put;
        while (count > 0 && left >= iov->iov_len) {
            left -= iov->iov_len;
            iov++;
            count--;
        }
        if (count > 0) {
            if (put == 0) { /* a regular file that takes nothing is full */
                errno = ENOSPC;
                return -1;
            }
            iov->iov_base = (char *)iov->iov_base + left;
            iov->iov_len -= left;
        }
    }
    return 0;
}
