#include "common/base/dirs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 100 }; /* while somebody else takes directories away that he had made to probe */

/* Returns 0 when it is there, 1 when it was made, -1 and errno. */
static int
make_one (const char *path, mode_t mode)
{
    if (mkdir (path, mode) == 0) {
        return 1;
    }
    return errno == EEXIST ? 0 : -1;
}

/* Make all parts of path.
 *   path      changed meanwhile; on failure it ends where it could not be made
 *   ret_made  length of the first part that was missing; strlen (path): none was */
static int
make_parts (char *path, mode_t mode, size_t *ret_made)
{
    size_t bytes = strlen (path);
    *ret_made = bytes + 1;
    for (size_t i = 1; i <= bytes; i++) {
        if (i < bytes && path[i] != '/') {
            continue;
        }
        char end = path[i];
        path[i] = '\0';
        int made = make_one (path, mode);
        if (made < 0) {
            return -1;
        }
        if (made > 0 && *ret_made > i) {
            *ret_made = i;
        }
        path[i] = end;
    }
    return 0;
}

/* Take directories away from the whole path up to the part that is `first` long. Those that are in
 * use by now stay. */
static void
unmake_parts (char *path, size_t first)
{
    for (size_t bytes = strlen (path); bytes >= first; bytes--) {
        if (path[bytes] == '/' || path[bytes] == '\0') {
            path[bytes] = '\0';
            (void)!rmdir (path);
        }
    }
}

static mr_status_t
fail (mr_error_t *err, const char *what, const char *path)
{
    (void)mr_error_errno (err, "cannot %s the directory %.200s", what, path);
    return MR_CONFIG;
}

/* part: PATH_MAX bytes, path on success */
static mr_status_t
make_all (const char *path, mode_t mode, char *part, size_t *ret_made, mr_error_t *err)
{
    size_t bytes = strlen (path);
    if (bytes == 0 || bytes >= PATH_MAX) {
        mr_error_set (err, "cannot make the directory \"%.60s\": its name is too long or empty",
                      path);
        return MR_CONFIG;
    }
    int result = -1;
    for (int i = 0; i < TRIES && result < 0; i++) {
        memcpy (part, path, bytes + 1);
        result = make_parts (part, mode, ret_made);
        if (result < 0 && errno != ENOENT) {
            break;
        }
    }
    if (result < 0) {
        int error = errno;
        unmake_parts (part, *ret_made);
        errno = error;
        return fail (err, "make", part);
    }
    struct stat st;
    if (stat (part, &st) == 0 && !S_ISDIR (st.st_mode)) {
        mr_error_set (err, "%s is not a directory", part);
        return MR_CONFIG;
    }
    return MR_OK;
}

mr_status_t
mr_dirs_make (const char *path, mode_t mode, mr_error_t *err)
{
    char part[PATH_MAX];
    size_t made;
    for (int i = 0; i < TRIES; i++) {
        mr_status_t status = make_all (path, mode, part, &made, err);
        if (status != MR_OK || access (part, W_OK | X_OK) == 0) {
            return status;
        }
        if (errno != ENOENT) {
            break;
        }
    }
    return fail (err, "write in", part);
}

mr_status_t
mr_dirs_make_last (const char *path, mode_t mode, mr_error_t *err)
{
    return make_one (path, mode) >= 0
               ? MR_OK
               : mr_error_errno (err, "cannot make the directory %.200s", path);
}

/* No fault of the directory: there may be room when it is needed. */
static bool
is_full (int error)
{
    return error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE;
}

/* Make a file in a directory and take it away. Returns 0, or -1 and errno. */
static int
try_file (const char *directory)
{
    char file[PATH_MAX + 32];
    snprintf (file, sizeof file, "%s/.millrace-check.%d", directory, (int)getpid ());
    int fd = open (file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return is_full (errno) ? 0 : -1;
    }
    (void)!unlink (file);
    close (fd);
    return 0;
}

mr_status_t
mr_dirs_probe (const char *path, mode_t mode, bool leave_nothing, mr_error_t *err)
{
    char part[PATH_MAX];
    size_t made;
    mr_error_t why;
    mr_status_t status = MR_OK;
    int result = -1;
    for (int i = 0; i < TRIES && result < 0 && status == MR_OK; i++) {
        status = make_all (path, mode, part, &made, &why);
        result = status == MR_OK ? try_file (part) : -1;
        if (result < 0 && (status != MR_OK || errno != ENOENT)) {
            break;
        }
    }
    if (status != MR_OK && is_full (why.number)) {
        return MR_OK;
    }
    if (status != MR_OK) {
        mr_error_set (err, "%s", why.text);
        return status;
    }
    int error = errno;
    if (leave_nothing) {
        char whole[PATH_MAX];
        memcpy (whole, part, sizeof whole);
        unmake_parts (whole, made);
    }
    errno = error;
    if (result == 0) {
        return MR_OK;
    }
    (void)mr_error_errno (err, "cannot make a file in the directory %.200s", part);
    return MR_CONFIG;
}

int
mr_dirs_sync (const char *path)
{
    int fd = open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    int result = fsync (fd) == 0 || errno == EINVAL ? 0 : -1;
    int error = errno;
    close (fd);
    errno = error;
    return result;
}

int
mr_dirs_sync_of (const char *file)
{
    char path[PATH_MAX];
    if (snprintf (path, sizeof path, "%s", file) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    char *slash = strrchr (path, '/');
    if (slash == NULL) {
        return mr_dirs_sync (".");
    }
    slash[slash == path] = '\0';
    return mr_dirs_sync (path);
}
