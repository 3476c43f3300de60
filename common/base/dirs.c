#include "common/base/dirs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static mr_status_t
make_one (const char *path, mode_t mode, mr_error_t *err)
{
    if (mkdir (path, mode) == 0 || errno == EEXIST) {
        return MR_OK;
    }
    (void)mr_error_errno (err, "cannot make the directory %s", path);
    return MR_CONFIG;
}

mr_status_t
mr_dirs_make (const char *path, mode_t mode, mr_error_t *err)
{
    char part[PATH_MAX];
    size_t bytes = strlen (path);
    if (bytes == 0 || bytes >= sizeof part) {
        mr_error_set (err, "cannot make the directory \"%.60s\": its name is too long or empty",
                      path);
        return MR_CONFIG;
    }
    memcpy (part, path, bytes + 1);
    for (char *c = part + 1; *c != '\0'; c++) {
        if (*c == '/') {
            *c = '\0';
            mr_status_t status = make_one (part, mode, err);
            if (status != MR_OK) {
                return status;
            }
            *c = '/';
        }
    }
    mr_status_t status = make_one (part, mode, err);
    if (status != MR_OK) {
        return status;
    }
    struct stat st;
    if (stat (part, &st) == 0 && !S_ISDIR (st.st_mode)) {
        mr_error_set (err, "%s is not a directory", part);
        return MR_CONFIG;
    }
    if (access (part, W_OK | X_OK) != 0) {
        (void)mr_error_errno (err, "cannot write in the directory %s", part);
        return MR_CONFIG;
    }
    return MR_OK;
}
