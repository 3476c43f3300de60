/* Whether an exporter could write a file. */
#include "common/base/dirs.h"
#include "stages/exporter/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static mr_status_t
cannot (mr_error_t *err, const char *what, const char *path)
{
    (void)mr_error_errno (err, "cannot %s %.200s", what, path);
    return MR_CONFIG;
}

static mr_status_t
check_present (const char *path, const struct stat *st, mr_error_t *err)
{
    if (!S_ISREG (st->st_mode)) {
        mr_error_set (err,
                      S_ISDIR (st->st_mode) ? "%s is a directory; name a file in it"
                                            : "%s is not a file",
                      path);
        return MR_CONFIG;
    }
    int fd = open (path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return cannot (err, "write", path);
    }
    close (fd);
    return MR_OK;
}

mr_status_t
mr_sink_path_check (const char *path, bool dry, mr_error_t *err)
{
    struct stat st;
    if (stat (path, &st) == 0) {
        return check_present (path, &st, err);
    }
    if (errno != ENOENT && errno != ENOTDIR) {
        return cannot (err, "make", path);
    }
    char directory[PATH_MAX];
    snprintf (directory, sizeof directory, "%s", path);
    char *slash = strrchr (directory, '/');
    if (slash == NULL) {
        return mr_dirs_probe (".", 0750, dry, err);
    }
    slash[slash == directory] = '\0';
    return mr_dirs_probe (directory, 0750, dry, err);
}
