/* Whether an exporter could write a file. */
#include "stages/exporter/sink.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The directory that would hold the file, or the nearest one above it that exists. */
static void
nearest_directory (const char *path, char directory[PATH_MAX])
{
    snprintf (directory, PATH_MAX, "%s", path);
    do {
        char *slash = strrchr (directory, '/');
        if (slash == NULL || slash == directory) {
            snprintf (directory, PATH_MAX, "%s", slash == NULL ? "." : "/");
            return;
        }
        *slash = '\0';
    } while (access (directory, F_OK) != 0);
}

mr_status_t
mr_sink_path_check (const char *path, mr_error_t *err)
{
    struct stat st;
    if (stat (path, &st) == 0) {
        if (!S_ISREG (st.st_mode)) {
            mr_error_set (err, "%s is not a file", path);
            return MR_CONFIG;
        }
        if (access (path, W_OK) != 0) {
            (void)mr_error_errno (err, "cannot write %s", path);
            return MR_CONFIG;
        }
        return MR_OK;
    }
    char directory[PATH_MAX];
    nearest_directory (path, directory);
    if (stat (directory, &st) != 0 || !S_ISDIR (st.st_mode)) {
        mr_error_set (err, "cannot make %s: %s is not a directory", path, directory);
        return MR_CONFIG;
    }
    if (access (directory, W_OK | X_OK) != 0) {
        (void)mr_error_errno (err, "cannot make %s: cannot write in %s", path, directory);
        return MR_CONFIG;
    }
    return MR_OK;
}
