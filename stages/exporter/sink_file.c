#include "stages/exporter/sink.h"

#include "common/base/dirs.h"
#include "common/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct sink_file {
    int fd; /* -1: the last reopen failed; tried again at the next write */
    char path[PATH_MAX];
} sink_file_t;

mr_status_t
mr_sink_path (const char *path, int slot, char *ret_path, mr_error_t *err)
{
    const char *slash = strrchr (path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr (name, '.');
    if (dot == NULL || dot == name) {
        dot = path + strlen (path);
    }
    int bytes =
        slot == 0 ? snprintf (ret_path, PATH_MAX, "%s", path)
                  : snprintf (ret_path, PATH_MAX, "%.*s.%d%s", (int)(dot - path), path, slot, dot);
    if (bytes < 0 || bytes >= PATH_MAX) {
        mr_error_set (err, "the path is too long: %.80s...", path);
        return MR_CONFIG;
    }
    return MR_OK;
}

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

static mr_status_t
open_file (sink_file_t *self, mr_error_t *err)
{
    char directory[PATH_MAX];
    snprintf (directory, sizeof directory, "%s", self->path);
    char *slash = strrchr (directory, '/');
    if (slash != NULL && slash != directory) {
        *slash = '\0';
        mr_status_t status = mr_dirs_make (directory, 0750, err);
        if (status != MR_OK) {
            return status;
        }
    }
    self->fd = open (self->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (self->fd < 0) {
        (void)mr_error_errno (err, "cannot open %s", self->path);
        return MR_CONFIG;
    }
    return MR_OK;
}

/* Take back a write that was not whole, so that the file ends with a whole line. */
static void
cut_back (sink_file_t *self, size_t written)
{
    off_t end = lseek (self->fd, 0, SEEK_END);
    if (end >= (off_t)written && ftruncate (self->fd, end - (off_t)written) != 0) {
        mr_log_error ("%s may end in a torn line: %s", self->path, strerror (errno));
    }
}

static mr_status_t
write_lines (void *arg, const char *lines, size_t bytes, mr_error_t *err)
{
    sink_file_t *self = arg;
    if (self->fd < 0 && open_file (self, err) != MR_OK) {
        return MR_AGAIN;
    }
    size_t done = 0;
    while (done < bytes) {
        ssize_t wrote = write (self->fd, lines + done, bytes - done);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            (void)mr_error_errno (err, "cannot write %s", self->path);
            if (done > 0) {
                cut_back (self, done);
            }
            return MR_AGAIN;
        }
        done += (size_t)wrote;
    }
    return MR_OK;
}

static void
reopen (void *arg)
{
    sink_file_t *self = arg;
    mr_error_t err;
    if (self->fd >= 0) {
        close (self->fd);
        self->fd = -1;
    }
    if (open_file (self, &err) != MR_OK) {
        mr_log_error ("%s; tried again at the next write", err.text);
    }
}

/* Moved or removed by somebody: what follows belongs into a new file at the path. */
static void
tick (void *arg)
{
    sink_file_t *self = arg;
    struct stat held;
    struct stat named;
    if (self->fd < 0 || fstat (self->fd, &held) != 0) {
        return;
    }
    if (stat (self->path, &named) != 0 || named.st_ino != held.st_ino ||
        named.st_dev != held.st_dev) {
        mr_log_info ("%s was moved away; a new file is begun", self->path);
        reopen (self);
    }
}

static void
destroy (void *arg)
{
    sink_file_t *self = arg;
    if (self->fd >= 0) {
        close (self->fd);
    }
    free (self);
}

mr_status_t
mr_sink_file_new (const char *path, mr_sink_t *ret_sink, mr_error_t *err)
{
    sink_file_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "file sink");
    }
    snprintf (self->path, sizeof self->path, "%s", path);
    mr_status_t status = open_file (self, err);
    if (status != MR_OK) {
        free (self);
        return status;
    }
    *ret_sink = (mr_sink_t){
        .write = write_lines, .reopen = reopen, .tick = tick, .destroy = destroy, .self = self};
    return MR_OK;
}
