/* Preloaded into a program (LD_PRELOAD), it makes system calls on files fail as those of a disk
 * that is full, over quota, read-only or broken, and keeps a trace of what was written and synced.
 *
 * $MILLRACE_FAULTS names a file that is looked at with each call; while it is missing nothing is
 * done. Its lines, of at most LINE_BYTES:
 *
 * - fail CALLS NEEDLE ERRNO: calls of these kinds on paths that contain NEEDLE fail with the number
 *   ERRNO. CALLS is some of the letters w (data is written), s (synced), c (a file or directory is
 *   made), o (a file is opened to be written), n (named anew, removed or cut)
 * - trace NEEDLE: a line for each such write and sync goes to $MILLRACE_FAULTS.trace,
 *   "w PATH FROM BYTES" or "s PATH ERRNO"
 * - keep NEEDLE: what such a file, of at most RULES_BYTES, held when it was synced last, is kept as
 *   PATH.durable: what a power loss leaves of one that is written as memory */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { LINE_BYTES = 256, RULES_BYTES = 4096 };

/* ---- rules ---- */

static bool
read_rules (char text[RULES_BYTES])
{
    const char *path = getenv ("MILLRACE_FAULTS");
    int fd = path == NULL ? -1 : (int)syscall (SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    long got = syscall (SYS_read, fd, text, RULES_BYTES - 1);
    syscall (SYS_close, fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* errno for a call of this kind on this path; 0: it may work. */
static int
fault_of (char kind, const char *path)
{
    char text[RULES_BYTES];
    int saved = errno;
    bool any = read_rules (text);
    errno = saved;
    char *rest = text;
    for (char *line = any ? strtok_r (text, "\n", &rest) : NULL; line != NULL;
         line = strtok_r (NULL, "\n", &rest)) {
        char kinds[8];
        char needle[LINE_BYTES];
        char error[8];
        if (sscanf (line, "fail %7s %255s %7s", kinds, needle, error) == 3 &&
            strchr (kinds, kind) != NULL && strstr (path, needle) != NULL) {
            return (int)strtol (error, NULL, 10);
        }
    }
    return 0;
}

/* Whether there is a rule "VERB NEEDLE" whose needle is in this path. */
static bool
is_ruled (const char *verb, const char *path)
{
    char text[RULES_BYTES];
    bool any = read_rules (text);
    char *rest = text;
    for (char *line = any ? strtok_r (text, "\n", &rest) : NULL; line != NULL;
         line = strtok_r (NULL, "\n", &rest)) {
        char word[8];
        char needle[LINE_BYTES];
        if (sscanf (line, "%7s %255s", word, needle) == 2 && strcmp (word, verb) == 0 &&
            strstr (path, needle) != NULL) {
            return true;
        }
    }
    return false;
}

static void trace (const char *path, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

static void
trace (const char *path, const char *format, ...)
{
    int saved = errno;
    if (is_ruled ("trace", path)) {
        char name[PATH_MAX];
        char row[PATH_MAX + LINE_BYTES];
        snprintf (name, sizeof name, "%s.trace", getenv ("MILLRACE_FAULTS"));
        long fd =
            syscall (SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        va_list args;
        va_start (args, format);
        int bytes = vsnprintf (row, sizeof row, format, args);
        va_end (args);
        syscall (SYS_write, (int)fd, row, (size_t)bytes); /* one call: rows stay whole */
        syscall (SYS_close, (int)fd);
    }
    errno = saved;
}

static void
keep (const char *path)
{
    int saved = errno;
    if (is_ruled ("keep", path)) {
        char data[RULES_BYTES];
        char name[PATH_MAX + 16];
        char made[PATH_MAX + 16];
        snprintf (name, sizeof name, "%s.durable", path);
        snprintf (made, sizeof made, "%s.keeping", path);
        long from = syscall (SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        long to =
            syscall (SYS_openat, AT_FDCWD, made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        long bytes = syscall (SYS_read, (int)from, data, sizeof data);
        syscall (SYS_write, (int)to, data, (size_t)(bytes > 0 ? bytes : 0));
        syscall (SYS_close, (int)from);
        syscall (SYS_close, (int)to);
        syscall (SYS_renameat, AT_FDCWD, made, AT_FDCWD, name);
    }
    errno = saved;
}

static const char *
path_of (int fd, char path[PATH_MAX])
{
    char link[64];
    snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
    long bytes = syscall (SYS_readlinkat, AT_FDCWD, link, path, (size_t)PATH_MAX - 1);
    path[bytes > 0 ? bytes : 0] = '\0';
    return path;
}

/* A name that is relative to a directory. */
static const char *
path_at (int dir, const char *name, char path[PATH_MAX])
{
    char folder[PATH_MAX] = "";
    if (name[0] == '/' || dir == AT_FDCWD) {
        return name;
    }
    if (snprintf (path, PATH_MAX, "%s/%s", path_of (dir, folder), name) >= PATH_MAX) {
        return name;
    }
    return path;
}

static int
refuse (int error)
{
    errno = error;
    return -1;
}

static int
refuse_fd (int fd, char kind)
{
    char path[PATH_MAX];
    return getenv ("MILLRACE_FAULTS") == NULL ? 0 : fault_of (kind, path_of (fd, path));
}

/* ---- writing ---- */

/* libc's own names of parameters are reserved ones.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

/* from: where it was told to go; -1: where the file's position was. */
static ssize_t
wrote (int fd, ssize_t bytes, off_t from)
{
    char path[PATH_MAX];
    if (bytes > 0 && getenv ("MILLRACE_FAULTS") != NULL) {
        off_t at = from >= 0 ? from : syscall (SYS_lseek, fd, 0, SEEK_CUR) - bytes;
        trace (path_of (fd, path), "w %s %lld %lld\n", path, (long long)at, (long long)bytes);
    }
    return bytes;
}

ssize_t
write (int fd, const void *data, size_t bytes)
{
    int error = refuse_fd (fd, 'w');
    return error != 0 ? refuse (error) : wrote (fd, syscall (SYS_write, fd, data, bytes), -1);
}

ssize_t
writev (int fd, const struct iovec *iov, int count)
{
    int error = refuse_fd (fd, 'w');
    return error != 0 ? refuse (error) : wrote (fd, syscall (SYS_writev, fd, iov, count), -1);
}

ssize_t
pwrite (int fd, const void *data, size_t bytes, off_t at)
{
    int error = refuse_fd (fd, 'w');
    return error != 0 ? refuse (error)
                      : wrote (fd, syscall (SYS_pwrite64, fd, data, bytes, at), at);
}

ssize_t
pwritev (int fd, const struct iovec *iov, int count, off_t at)
{
    int error = refuse_fd (fd, 'w');
    return error != 0 ? refuse (error)
                      : wrote (fd, syscall (SYS_pwritev, fd, iov, count, at, 0), at);
}

int
fallocate (int fd, int mode, off_t from, off_t bytes)
{
    int error = refuse_fd (fd, 'a');
    return error != 0 ? refuse (error) : (int)syscall (SYS_fallocate, fd, mode, from, bytes);
}

int
posix_fallocate (int fd, off_t from, off_t bytes)
{
    int error = refuse_fd (fd, 'a');
    if (error != 0) {
        return error;
    }
    return syscall (SYS_fallocate, fd, 0, from, bytes) == 0 ? 0 : errno;
}

int
ftruncate (int fd, off_t bytes)
{
    int error = refuse_fd (fd, 'n');
    return error != 0 ? refuse (error) : (int)syscall (SYS_ftruncate, fd, bytes);
}

/* ---- syncing ---- */

static int
sync_as (long call, int fd)
{
    char path[PATH_MAX];
    if (getenv ("MILLRACE_FAULTS") == NULL) {
        return (int)syscall (call, fd);
    }
    int error = fault_of ('s', path_of (fd, path));
    int result = error != 0 ? refuse (error) : (int)syscall (call, fd);
    trace (path, "s %s %d\n", path, result == 0 ? 0 : errno);
    if (result == 0) {
        keep (path);
    }
    return result;
}

int
fdatasync (int fd)
{
    return sync_as (SYS_fdatasync, fd);
}

int
fsync (int fd)
{
    return sync_as (SYS_fsync, fd);
}

/* ---- names ---- */

static int
open_as (int dir, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    if (getenv ("MILLRACE_FAULTS") != NULL && (flags & O_ACCMODE) != O_RDONLY) {
        const char *whole = path_at (dir, name, path);
        bool made = (flags & O_CREAT) != 0 && syscall (SYS_faccessat, dir, name, F_OK) != 0;
        int error = made ? fault_of ('c', whole) : 0;
        error = error == 0 ? fault_of ('o', whole) : error;
        if (error != 0) {
            return refuse (error);
        }
    }
    return (int)syscall (SYS_openat, dir, name, flags, mode);
}

static mode_t
mode_of (int flags, va_list args)
{
    return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg (args, mode_t) : 0;
}

int
open (const char *name, int flags, ...)
{
    va_list args;
    va_start (args, flags);
    mode_t mode = mode_of (flags, args);
    va_end (args);
    return open_as (AT_FDCWD, name, flags, mode);
}

int
openat (int dir, const char *name, int flags, ...)
{
    va_list args;
    va_start (args, flags);
    mode_t mode = mode_of (flags, args);
    va_end (args);
    return open_as (dir, name, flags, mode);
}

int
mkdir (const char *name, mode_t mode)
{
    struct stat st;
    int error =
        getenv ("MILLRACE_FAULTS") != NULL && stat (name, &st) != 0 ? fault_of ('c', name) : 0;
    return error != 0 ? refuse (error) : (int)syscall (SYS_mkdir, name, mode);
}

int
renameat (int from_dir, const char *from, int to_dir, const char *to)
{
    char path[PATH_MAX];
    int error = getenv ("MILLRACE_FAULTS") != NULL ? fault_of ('n', path_at (to_dir, to, path)) : 0;
    return error != 0 ? refuse (error) : (int)syscall (SYS_renameat, from_dir, from, to_dir, to);
}

int
rename (const char *from, const char *to)
{
    return renameat (AT_FDCWD, from, AT_FDCWD, to);
}

int
unlinkat (int dir, const char *name, int flags)
{
    char path[PATH_MAX];
    int error = getenv ("MILLRACE_FAULTS") != NULL ? fault_of ('n', path_at (dir, name, path)) : 0;
    return error != 0 ? refuse (error) : (int)syscall (SYS_unlinkat, dir, name, flags);
}

int
unlink (const char *name)
{
    return unlinkat (AT_FDCWD, name, 0);
}

/* The same for callers that were compiled for 64-bit offsets. */
int open64 (const char *name, int flags, ...) __attribute__ ((alias ("open")));
int openat64 (int dir, const char *name, int flags, ...) __attribute__ ((alias ("openat")));
ssize_t pwrite64 (int fd, const void *data, size_t bytes, off_t at)
    __attribute__ ((alias ("pwrite")));
ssize_t pwritev64 (int fd, const struct iovec *iov, int count, off_t at)
    __attribute__ ((alias ("pwritev")));
int fallocate64 (int fd, int mode, off_t from, off_t bytes) __attribute__ ((alias ("fallocate")));
int posix_fallocate64 (int fd, off_t from, off_t bytes) __attribute__ ((alias ("posix_fallocate")));
int ftruncate64 (int fd, off_t bytes) __attribute__ ((alias ("ftruncate")));
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
