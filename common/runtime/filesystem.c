#include "common/runtime/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char fuse[] = "FUSE";

const char *
mr_filesystem_kind (long type)
{
    /* Values of statfs(2); unsigned, for some have the highest of 32 bits set. */
    switch ((unsigned long)type & 0xffffffffUL) {
    case 0x6969:
        return "NFS";
    case 0x517b:
    case 0xfe534d42:
    case 0xff534d42:
        return "SMB";
    case 0x01021997:
        return "9P";
    case 0x65735546:
        return fuse;
    case 0x00c36400:
        return "Ceph";
    case 0x5346414f:
    case 0x6b414653:
        return "AFS";
    case 0x73757245:
        return "Coda";
    case 0x0bd00bd0:
        return "Lustre";
    case 0x47504653:
        return "GPFS";
    case 0x01161970:
        return "GFS2";
    case 0x7461636f:
        return "OCFS2";
    case 0x564c:
        return "NCP";
    case 0x19830326:
        return "BeeGFS";
    default:
        return NULL;
    }
}

/* Whether a line "ID PARENT MAJOR:MINOR ..." is of this device. */
static bool
is_device (const char *line, unsigned major, unsigned minor)
{
    char *at = NULL;
    (void)strtoul (line, &at, 10);
    (void)strtoul (at, &at, 10);
    unsigned long found = strtoul (at, &at, 10);
    return found == major && *at == ':' && strtoul (at + 1, &at, 10) == minor && *at == ' ';
}

void
mr_filesystem_mount_type (const char *text, unsigned major, unsigned minor, char *ret_type,
                          size_t bytes)
{
    ret_type[0] = '\0';
    for (const char *line = text; line != NULL && *line != '\0';) {
        const char *end = strchrnul (line, '\n');
        const char *dash = memmem (line, (size_t)(end - line), " - ", 3);
        if (dash != NULL && is_device (line, major, minor)) {
            snprintf (ret_type, bytes, "%.*s", (int)strcspn (dash + 3, " \n"), dash + 3);
            return;
        }
        line = *end == '\n' ? end + 1 : NULL;
    }
}

/* FUSE serves disks of this machine, too. */
static bool
is_local_fuse (const char *path)
{
    static char text[1 << 16];
    char type[64];
    struct stat info;
    int fd = open ("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    size_t size = 0;
    ssize_t got = 1;
    while (got > 0 && size < sizeof text - 1) {
        got = read (fd, text + size, sizeof text - 1 - size);
        size += got > 0 ? (size_t)got : 0;
    }
    close (fd);
    text[size] = '\0';
    if (stat (path, &info) != 0) {
        return false;
    }
    mr_filesystem_mount_type (text, major (info.st_dev), minor (info.st_dev), type, sizeof type);
    return strcmp (type, "fuseblk") == 0 || strcmp (type, "fuse.fuse-overlayfs") == 0;
}

const char *
mr_filesystem_network (const char *path)
{
    char parent[PATH_MAX];
    struct statfs info;
    if (strlen (path) >= sizeof parent) {
        return NULL;
    }
    snprintf (parent, sizeof parent, "%s", path);
    while (statfs (parent, &info) != 0) {
        char *slash = strrchr (parent, '/');
        if ((errno != ENOENT && errno != ENOTDIR) || slash == NULL || slash[1] == '\0') {
            return NULL;
        }
        slash[slash == parent] = '\0';
    }
    const char *kind = mr_filesystem_kind ((long)info.f_type);
    return kind == fuse && is_local_fuse (parent) ? NULL : kind;
}
