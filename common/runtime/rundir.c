#include "common/runtime/rundir.h"

#include "common/base/slots.h"
#include "common/runtime/worker.h"

#include <errno.h>
#include <limits.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { CHECK_MS = 1000 };

struct mr_rundir {
    mr_loop_t *loop;
    int loop_id;
    int timer_id;
    int fd;
    int watch;    /* of the directory; -1: it is gone */
    dev_t device; /* which directory it is */
    ino_t inode;
    char path[PATH_MAX];
    char stage[MR_WORKER_NAME_BYTES];
    uint64_t seen[MR_SLOTS_MAX]; /* file_key of the socket last seen; 0: none */
    mr_rundir_fn *appeared;
    mr_rundir_fn *vanished;
    void *arg;
};

/* Tells one socket file from the next at the same path: inodes are reused at once on some file
 * systems, so the time of its making counts too. 0: there is no socket. */
static uint64_t
file_key (const char *path)
{
    struct stat st;
    if (stat (path, &st) != 0 || !S_ISSOCK (st.st_mode)) {
        return 0;
    }
    uint64_t made =
        (uint64_t)st.st_ctim.tv_sec * UINT64_C (1000000000) + (uint64_t)st.st_ctim.tv_nsec;
    return (made ^ ((uint64_t)st.st_ino << 40)) | 1;
}

/* Events only say that something changed: what is there is looked up. */
static void
look (mr_rundir_t *self, int slot)
{
    char path[PATH_MAX + 80];
    snprintf (path, sizeof path, "%s/%s.%d.ipc", self->path, self->stage, slot);
    uint64_t key = file_key (path);
    uint64_t before = self->seen[slot];
    if (key == before) {
        return;
    }
    self->seen[slot] = key;
    if (before != 0) {
        self->vanished (self->arg, slot);
    }
    if (key != 0) {
        self->appeared (self->arg, slot);
    }
}

void
mr_rundir_scan (mr_rundir_t *self)
{
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        look (self, slot);
    }
}

/* "<stage>.<slot>.ipc" -> slot, or -1. */
static int
slot_of (const mr_rundir_t *self, const char *file)
{
    size_t bytes = strlen (file);
    char name[MR_WORKER_NAME_BYTES];
    if (bytes <= 4 || bytes - 4 >= sizeof name || strcmp (file + bytes - 4, ".ipc") != 0) {
        return -1;
    }
    memcpy (name, file, bytes - 4);
    name[bytes - 4] = '\0';
    char stage[MR_WORKER_NAME_BYTES];
    int slot;
    if (mr_worker_parse_name (name, stage, &slot) != MR_OK || strcmp (stage, self->stage) != 0) {
        return -1;
    }
    return slot;
}

static void
take_event (mr_rundir_t *self, const struct inotify_event *event)
{
    if ((event->mask & IN_Q_OVERFLOW) != 0) {
        mr_rundir_scan (self);
        return;
    }
    if ((event->mask & IN_IGNORED) != 0 && event->wd == self->watch) {
        self->watch = -1; /* its inode is free for another directory, even at the same path */
        return;
    }
    int slot = event->len > 0 ? slot_of (self, event->name) : -1;
    if (slot >= 0) {
        look (self, slot);
    }
}

static void
on_readable (void *arg, short revents)
{
    (void)revents;
    mr_rundir_t *self = arg;
    alignas (struct inotify_event) char buffer[4096];
    ssize_t bytes = read (self->fd, buffer, sizeof buffer);
    for (ssize_t at = 0; at < bytes;) {
        const struct inotify_event *event = (const void *)(buffer + at);
        at += (ssize_t)(sizeof *event + event->len);
        take_event (self, event);
    }
}

static bool
watch (mr_rundir_t *self)
{
    struct stat st;
    bool known = stat (self->path, &st) == 0;
    self->watch = inotify_add_watch (
        self->fd, self->path, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
    self->device = known ? st.st_dev : 0;
    self->inode = known ? st.st_ino : 0;
    return self->watch >= 0;
}

static void
check (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    mr_rundir_t *self = arg;
    struct stat st;
    bool there = stat (self->path, &st) == 0;
    if (there && self->watch >= 0 && st.st_ino == self->inode && st.st_dev == self->device) {
        return;
    }
    if (self->watch >= 0) {
        (void)!inotify_rm_watch (self->fd, self->watch);
        self->watch = -1;
    }
    if (there) {
        (void)!watch (self);
    }
    mr_rundir_scan (self);
}

mr_status_t
mr_rundir_new (const char *run_dir, const char *stage, mr_loop_t *loop, mr_rundir_t **ret_rundir,
               mr_error_t *err)
{
    mr_rundir_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "run directory");
    }
    self->loop = loop;
    snprintf (self->path, sizeof self->path, "%s", run_dir);
    snprintf (self->stage, sizeof self->stage, "%s", stage);
    self->fd = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
    if (self->fd < 0 || !watch (self)) {
        mr_status_t status = mr_error_errno (err, "cannot watch the run directory %s", run_dir);
        if (errno == ENOSPC) {
            mr_error_set (err,
                          "cannot watch the run directory %s: raise fs.inotify.max_user_watches",
                          run_dir);
        }
        mr_rundir_destroy (&self);
        return status;
    }
    self->loop_id = mr_loop_add (loop, mr_loop_fd (self->fd), ZMQ_POLLIN, on_readable, self);
    self->timer_id = mr_loop_timer (loop, CHECK_MS, check, self);
    if (self->loop_id == 0 || self->timer_id == 0) {
        mr_rundir_destroy (&self);
        return mr_error_errno (err, "run directory");
    }
    *ret_rundir = self;
    return MR_OK;
}

void
mr_rundir_on_change (mr_rundir_t *self, mr_rundir_fn *appeared, mr_rundir_fn *vanished, void *arg)
{
    self->appeared = appeared;
    self->vanished = vanished;
    self->arg = arg;
}

void
mr_rundir_destroy (mr_rundir_t **self_p)
{
    mr_rundir_t *self = *self_p;
    if (self != NULL) {
        if (self->loop_id != 0) {
            mr_loop_remove (self->loop, self->loop_id);
        }
        if (self->timer_id != 0) {
            mr_loop_timer_remove (self->loop, self->timer_id);
        }
        if (self->fd >= 0) {
            close (self->fd);
        }
        free (self);
        *self_p = NULL;
    }
}
