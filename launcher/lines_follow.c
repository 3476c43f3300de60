/* Which file comes next: renamed, replaced, truncated. */
#include "common/base/clock.h"
#include "launcher/folder.h"
#include "launcher/lines_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SEARCHES = 3 }; /* a directory that is read while it changes may hide a file */

/* The clock that times of change are taken from. */
static int64_t
coarse_ns (void)
{
    struct timespec now;
    (void)clock_gettime (CLOCK_REALTIME_COARSE, &now);
    return (int64_t)now.tv_sec * MR_NS_PER_S + now.tv_nsec;
}

static bool
is_same (const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static int
newest (const mr_lines_t *self)
{
    return self->next_count > 0 ? self->next[self->next_count - 1].fd : self->fd;
}

void
mr_lines_watch (mr_lines_t *self)
{
    mr_error_t err;
    struct stat at;
    struct stat last;
    self->looked_ns = coarse_ns ();
    if (!self->follow || !self->is_file) {
        return;
    }
    if (mr_arrivals_watch (&self->arrivals, self->path, &err) != MR_OK) {
        fprintf (stderr, "%s; of two rotations within a tenth of a second one may be missed\n",
                 err.text);
    }
    /* One that came before the counting. */
    self->unseen =
        stat (self->path, &at) == 0 && fstat (newest (self), &last) == 0 && !is_same (&at, &last);
}

static bool
is_file_of (int fd, dev_t device, ino_t inode)
{
    struct stat status;
    return fstat (fd, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

static bool
is_known (const mr_lines_t *self, const mr_folder_file_t *file)
{
    bool known = is_file_of (self->fd, file->device, file->inode);
    for (unsigned i = 0; i < self->next_count && !known; i++) {
        known = is_file_of (self->next[i].fd, file->device, file->inode);
    }
    for (unsigned i = 0; i < self->former_count && !known; i++) {
        known = is_file_of (self->former[i].file.fd, file->device, file->inode);
    }
    return known;
}

/* Whether it may have come to the path since the last look: what it holds was written after that,
 * as far as the file system's clock goes. */
static bool
is_late (const mr_lines_t *self, const mr_folder_file_t *file)
{
    bool seconds = file->mtime_ns % MR_NS_PER_S == 0;
    return file->mtime_ns >= self->looked_ns - (seconds ? self->looked_ns % MR_NS_PER_S : 0);
}

static bool
note (mr_lines_t *self, int fd)
{
    if (fd < 0) {
        return false;
    }
    self->next[self->next_count++] = (mr_lines_file_t){.fd = fd};
    self->unseen--;
    return true;
}

/* Files that were at the path and are not any more: the newest of those that rotation has made and
 * nobody knows. at: device and inode of what is there now. */
static void
find_unseen (mr_lines_t *self, const struct stat *at)
{
    mr_folder_t folder;
    int wanted = self->unseen;
    mr_folder_read (self->path, NULL, NULL, &folder);
    for (size_t i = folder.count; i > 0; i--) {
        mr_folder_file_t *file = &folder.list[i - 1];
        bool here = file->device == at->st_dev && file->inode == at->st_ino;
        file->taken = wanted > 0 && !here && mr_folder_rotated (folder.base, file->name) &&
                      is_late (self, file) && !is_known (self, file);
        wanted -= file->taken;
    }
    for (size_t i = 0; i < folder.count && self->next_count < MR_LINES_NEXT_MAX; i++) {
        const char *name = folder.list[i].name;
        if (folder.list[i].taken && note (self, mr_folder_open (&folder, name))) {
            fprintf (stderr, "%s was soon rotated to %s/%s: it is sent next\n", self->path,
                     folder.path, name);
        }
    }
    mr_folder_release (&folder);
}

static void
tell_unseen (mr_lines_t *self)
{
    fprintf (stderr,
             "%d more file%s at %s since the last look and cannot be found any more (deleted, "
             "compressed, or moved to another directory?): what %s is not sent\n",
             self->unseen, self->unseen > 1 ? "s were" : " was", self->path,
             self->unseen > 1 ? "they held" : "it held");
    self->unseen = 0;
}

static void
forget (mr_lines_t *self, unsigned i)
{
    close (self->former[i].file.fd);
    self->former_count--;
    memmove (self->former + i, self->former + i + 1,
             (self->former_count - i) * sizeof *self->former);
}

/* Whether whole lines have come to it since it was read. */
static bool
has_grown (const mr_lines_former_t *former, const struct stat *status)
{
    char last;
    return status->st_size > former->read_to &&
           pread (former->file.fd, &last, 1, status->st_size - 1) == 1 && last == '\n';
}

static void
insert (mr_lines_t *self, unsigned at, const mr_lines_file_t *file)
{
    memmove (self->next + at + 1, self->next + at, (self->next_count - at) * sizeof *self->next);
    self->next[at] = *file;
    self->next_count++;
}

/* A former one is read on next, and after it the present one again, unless others wait. Each has
 * its name, by which its place is known. Returns whether it may be dropped. */
static bool
go_back (mr_lines_t *self, const mr_lines_former_t *former)
{
    mr_lines_file_t back = former->file;
    mr_lines_file_t here = {.fd = -1};
    if (self->in_order) {
        if (!self->told_late) {
            fprintf (stderr,
                     "a file that was at %s grew when the next one had begun: under one name for "
                     "all of them its new lines cannot be sent\n",
                     self->path);
        }
        self->told_late = true;
        return false;
    }
    if (self->next_count + 2 > MR_LINES_NEXT_MAX || (back.fd = dup (former->file.fd)) < 0) {
        return false;
    }
    if (self->next_count == 0 &&
        (mr_lines_name (self, here.name) != MR_OK || (here.fd = dup (self->fd)) < 0)) {
        close (back.fd);
        return false;
    }
    if (here.fd >= 0) {
        insert (self, 0, &here);
    }
    insert (self, 0, &back);
    return true;
}

/* Apache's old processes go on with the old file until their requests are through, those of others
 * for a moment. What was removed needs no more room on its disk. */
static void
look_at_former (mr_lines_t *self)
{
    for (unsigned i = self->former_count; i > 0; i--) {
        const mr_lines_former_t *former = &self->former[i - 1];
        struct stat status;
        if (fstat (former->file.fd, &status) != 0 ||
            (has_grown (former, &status) && go_back (self, former)) || status.st_nlink == 0) {
            forget (self, i - 1);
        }
    }
}

void
mr_lines_keep_order (mr_lines_t *self)
{
    self->in_order = true;
}

void
mr_lines_unwatch (mr_lines_t *self)
{
    while (self->former_count > 0) {
        forget (self, 0);
    }
    if (self->unseen > 0 && self->searches > 0) {
        tell_unseen (self);
    }
    mr_arrivals_release (&self->arrivals);
}

/* What is at the path. */
typedef enum sight {
    NOTHING,
    KNOWN,  /* the newest one that is known */
    OTHER,  /* another one; it is open now */
    UNFIT,  /* no regular file */
    CLOSED, /* one that may not be opened */
} sight_t;

static sight_t
look_at_path (const mr_lines_t *self, int *ret_fd, struct stat *ret_status)
{
    struct stat last;
    *ret_status = (struct stat){0};
    if (stat (self->path, ret_status) != 0 || fstat (newest (self), &last) != 0) {
        return NOTHING;
    }
    if (!S_ISREG (ret_status->st_mode)) {
        return UNFIT;
    }
    if (is_same (ret_status, &last)) {
        return KNOWN;
    }
    int fd = open (self->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return errno == ENOENT ? NOTHING : CLOSED;
    }
    if (fstat (fd, ret_status) != 0 || !S_ISREG (ret_status->st_mode)) {
        close (fd);
        return NOTHING;
    }
    *ret_fd = fd;
    return OTHER;
}

static void
tell_unfit (mr_lines_t *self, sight_t sight)
{
    bool unfit = sight == UNFIT || sight == CLOSED;
    if (unfit && !self->told_unfit) {
        fprintf (stderr, "%s %s; it is tried again and again\n", self->path,
                 sight == UNFIT ? "is no regular file now" : "cannot be opened now");
    }
    self->told_unfit = unfit;
}

/* What the kernel has counted since the last look. */
static unsigned
count_arrivals (mr_lines_t *self)
{
    unsigned count;
    if (!mr_arrivals_count (&self->arrivals, &count)) {
        fprintf (stderr, "too much happens beside %s: of two rotations one may have been missed\n",
                 self->path);
    }
    self->unseen += (int)count;
    return count;
}

/* Files that are not there any more; then the one that is. Returns whether all are known now. */
static bool
take_all (mr_lines_t *self, int fd, const struct stat *at, bool came_back)
{
    self->unseen -= fd >= 0;
    if (self->unseen > 0) {
        find_unseen (self, at);
        self->searches++;
    }
    self->unseen += fd >= 0;
    if (self->next_count == MR_LINES_NEXT_MAX) {
        self->searches = 0;
        if (fd >= 0) {
            close (fd); /* when there is room again */
        }
        return false;
    }
    (void)note (self, fd);
    self->unseen -= came_back && self->unseen > 0;
    if (self->unseen > 0 && self->searches == SEARCHES) {
        tell_unseen (self);
    }
    return self->unseen <= 0;
}

void
mr_lines_look (mr_lines_t *self)
{
    struct stat at;
    int fd = -1;
    if (!self->follow || !self->is_file) {
        return;
    }
    look_at_former (self);
    int64_t now_ns = coarse_ns ();
    sight_t sight = look_at_path (self, &fd, &at);
    unsigned count = count_arrivals (self); /* after that: what was seen there is among them */
    tell_unfit (self, sight);
    if (sight == CLOSED) {
        return;
    }
    bool full = self->next_count == MR_LINES_NEXT_MAX;
    if (full && fd >= 0) {
        close (fd);
    }
    /* One of those that came may be the known one, moved away and back. */
    bool came_back = count > 0 && (sight == KNOWN || sight == UNFIT);
    if (full ? sight == KNOWN && self->unseen <= 0 : take_all (self, fd, &at, came_back)) {
        self->searches = 0;
        self->looked_ns = now_ns;
    }
}

static void
take_next (mr_lines_t *self)
{
    if (self->former_count == MR_LINES_FORMER) {
        forget (self, 0);
    }
    mr_lines_former_t *former = &self->former[self->former_count++];
    *former = (mr_lines_former_t){.file.fd = self->fd, .read_to = self->offset};
    if (mr_lines_name (self, former->file.name) != MR_OK) {
        former->file.name[0] = '\0';
    }
    self->fd = self->next[0].fd;
    memcpy (self->name, self->next[0].name, sizeof self->name);
    self->next_count--;
    memmove (self->next, self->next + 1, self->next_count * sizeof *self->next);
    (void)fstat (self->fd, &self->status);
    for (unsigned i = self->former_count; i > 0; i--) {
        if (is_file_of (self->former[i - 1].file.fd, self->status.st_dev, self->status.st_ino)) {
            forget (self, i - 1); /* it is the present one again */
        }
    }
    self->last = false;
    mr_lines_rewind (self);
}

mr_lines_change_t
mr_lines_change (mr_lines_t *self)
{
    struct stat here;
    struct stat next;
    if (!self->follow || !self->is_file) {
        return MR_LINES_SAME;
    }
    mr_lines_look (self);
    bool begun = self->next_count > 1 || (self->next_count == 1 &&
                                          fstat (self->next[0].fd, &next) == 0 && next.st_size > 0);
    int64_t read_to = self->offset + (int64_t)(self->buffer.size - self->start);
    if (fstat (self->fd, &here) != 0) {
        return MR_LINES_SAME;
    }
    if (!self->rewritten && here.st_size == read_to &&
        (here.st_mtim.tv_sec != self->compared.tv_sec ||
         here.st_mtim.tv_nsec != self->compared.tv_nsec)) {
        self->rewritten = !mr_lines_is_intact (self);
        self->compared = here.st_mtim;
    }
    if (!self->rewritten && here.st_size > read_to) { /* asked last: it grew */
        return MR_LINES_SAME;
    }
    if (self->rewritten || here.st_size < read_to) {
        mr_lines_rewind (self);
        return MR_LINES_TRUNCATED;
    }
    if (!begun) {
        return MR_LINES_SAME;
    }
    if ((self->buffer.size > self->start || self->passing) && !self->last) {
        self->last = true;
        return MR_LINES_SAME;
    }
    take_next (self);
    return MR_LINES_OTHER;
}
