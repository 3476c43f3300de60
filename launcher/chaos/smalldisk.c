#include "launcher/chaos/smalldisk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_PIECE = 64 << 20, LAST_PIECE = 4096, MAX_FILE_BYTES = 1 << 30 };

#define FILLER "filler"

static bool
write_text (const char *path, const char *text)
{
    int fd = open (path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write (fd, text, strlen (text)) == (ssize_t)strlen (text);
    if (fd >= 0) {
        close (fd);
    }
    return written;
}

/* In it we may mount; our files stay ours. */
static bool
enter_user_namespace (void)
{
    char user[64];
    char group[64];
    snprintf (user, sizeof user, "%u %u 1", (unsigned)geteuid (), (unsigned)geteuid ());
    snprintf (group, sizeof group, "%u %u 1", (unsigned)getegid (), (unsigned)getegid ());
    return unshare (CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_text ("/proc/self/uid_map", user) &&
           write_text ("/proc/self/setgroups", "deny") && write_text ("/proc/self/gid_map", group);
}

mr_status_t
mr_smalldisk_mount (const char *path, mr_error_t *err)
{
    if ((unshare (CLONE_NEWNS) != 0 && !enter_user_namespace ()) ||
        mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount ("millrace-chaos", path, "tmpfs", MS_NOSUID | MS_NODEV, "size=96m,mode=0750") != 0) {
        return mr_error_errno (err, "a small file system may not be mounted");
    }
    return MR_OK;
}

static void
path_in (const char *folder, const char *name, char ret_path[PATH_MAX])
{
    snprintf (ret_path, PATH_MAX, "%s/%s", folder, name);
}

bool
mr_smalldisk_fill (const char *path)
{
    char filler[PATH_MAX];
    path_in (path, FILLER, filler);
    int fd = open (filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    off_t size = 0;
    for (off_t piece = FIRST_PIECE; piece >= LAST_PIECE; piece /= 2) {
        while (fallocate (fd, 0, size, piece) == 0) {
            size += piece;
        }
    }
    close (fd);
    return size > 0;
}

void
mr_smalldisk_free (const char *path)
{
    char filler[PATH_MAX];
    path_in (path, FILLER, filler);
    (void)unlink (filler);
}

void
mr_smalldisk_unmount (const char *path)
{
    (void)umount2 (path, MNT_DETACH);
}

/* ---- keeping what is on it ---- */

static bool
copy_file (int from_dir, int to_dir, const char *name)
{
    int from = openat (from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int to = openat (to_dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    ssize_t bytes = from >= 0 && to >= 0 ? 1 : -1;
    while (bytes > 0) {
        bytes = sendfile (to, from, NULL, MAX_FILE_BYTES);
    }
    if (from >= 0) {
        close (from);
    }
    if (to >= 0) {
        close (to);
    }
    return bytes == 0;
}

static bool
copy_files (const char *from, int to_dir)
{
    bool copied = true;
    DIR *dir = opendir (from);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir (dir)) != NULL) {
        if (entry->d_type == DT_REG && !copy_file (dirfd (dir), to_dir, entry->d_name)) {
            copied = false;
        }
    }
    if (dir != NULL) {
        closedir (dir);
    }
    return dir != NULL && copied;
}

mr_status_t
mr_smalldisk_settle (const char *path, mr_error_t *err)
{
    char copy[PATH_MAX];
    int bytes = snprintf (copy, sizeof copy, "%s.copy", path);
    if (bytes < 0 || (size_t)bytes >= sizeof copy || mkdir (copy, 0750) != 0) {
        return mr_error_errno (err, "cannot keep what is in %s", path);
    }
    int to_dir = open (copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool copied = to_dir >= 0 && copy_files (path, to_dir);
    int reason = errno;
    if (to_dir >= 0) {
        close (to_dir);
    }
    mr_smalldisk_unmount (path);
    if (!copied || rmdir (path) != 0 || rename (copy, path) != 0) {
        errno = copied ? errno : reason;
        return mr_error_errno (err, "cannot keep all of %s", path);
    }
    return MR_OK;
}
