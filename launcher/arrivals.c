#include "launcher/arrivals.h"

#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define COMING (IN_CREATE | IN_MOVED_TO)
#define LEAVING (IN_DELETE | IN_MOVED_FROM)

mr_status_t
mr_arrivals_watch (mr_arrivals_t *self, const char *path, mr_error_t *err)
{
    char real[PATH_MAX];
    char folder[PATH_MAX];
    snprintf (folder, sizeof folder, "%s", realpath (path, real) != NULL ? real : path);
    char *slash = strrchr (folder, '/');
    self->fd = -1;
    if (slash == NULL || strlen (slash + 1) >= sizeof self->name) {
        mr_error_set (err, "%s is no absolute path", path);
        return MR_SYSTEM;
    }
    snprintf (self->name, sizeof self->name, "%.*s", NAME_MAX, slash + 1);
    slash[slash == folder] = '\0';
    int fd = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
    /* Two that come are two events only because that of the first one's leaving is between them. */
    if (fd < 0 || inotify_add_watch (fd, folder, COMING | LEAVING | IN_ONLYDIR) < 0) {
        mr_status_t status = errno == EMFILE || errno == ENOSPC
                                 ? MR_SYSTEM
                                 : mr_error_errno (err, "cannot watch %s", folder);
        if (errno == EMFILE || errno == ENOSPC) {
            mr_error_set (err,
                          "cannot watch %s: raise fs.inotify.max_user_instances and "
                          "max_user_watches",
                          folder);
        }
        if (fd >= 0) {
            close (fd);
        }
        return status;
    }
    self->fd = fd;
    return MR_OK;
}

void
mr_arrivals_release (mr_arrivals_t *self)
{
    if (self->fd >= 0) {
        close (self->fd);
        self->fd = -1;
    }
}

bool
mr_arrivals_count (mr_arrivals_t *self, unsigned *ret_count)
{
    alignas (struct inotify_event) char buffer[16384];
    bool all = true;
    unsigned count = 0;
    ssize_t bytes;
    while (self->fd >= 0 && (bytes = read (self->fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t at = 0; at < bytes;) {
            const struct inotify_event *event = (const void *)(buffer + at);
            at += (ssize_t)(sizeof *event + event->len);
            all = all && (event->mask & IN_Q_OVERFLOW) == 0;
            count += event->len > 0 && (event->mask & COMING) != 0 &&
                     (event->mask & IN_ISDIR) == 0 && strcmp (event->name, self->name) == 0;
        }
    }
    *ret_count = count;
    return all;
}
