#include "launcher/lines.h"

#include "common/base/buffer.h"
#include "common/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 18, FIRST_LINE_BYTES = 1024, NEXT_MAX = 64 };

struct mr_lines {
    char *path;
    bool follow;
    bool is_file; /* a regular file */
    int fd;
    mr_buffer_t buffer;
    size_t start;       /* of what has not been handed out */
    size_t scanned;     /* no newline between start and here */
    int64_t offset;     /* of the file, where `start` is */
    bool end;           /* read returned 0 */
    bool last;          /* nothing more is written to this file: what has no newline is a line */
    int next[NEXT_MAX]; /* files that took its place, in order; open */
    unsigned next_count;
    struct stat status;
};

mr_status_t
mr_lines_open (const char *path, bool follow, mr_lines_t **ret_lines, mr_error_t *err)
{
    bool standard = strcmp (path, "-") == 0;
    int fd = standard ? dup (STDIN_FILENO) : open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return mr_error_errno (err, "cannot open %s", path);
    }
    mr_lines_t *self = calloc (1, sizeof *self);
    char *copy = strdup (path);
    if (self == NULL || copy == NULL || fstat (fd, &self->status) != 0) {
        (void)mr_error_errno (err, "cannot read %s", path);
        free (copy);
        free (self);
        close (fd);
        return MR_SYSTEM;
    }
    if (S_ISDIR (self->status.st_mode)) {
        mr_error_set (err, "%s is a directory", path);
        free (copy);
        free (self);
        close (fd);
        return MR_SYSTEM;
    }
    self->path = copy;
    self->fd = fd;
    self->follow = follow;
    self->is_file = !standard && S_ISREG (self->status.st_mode);
    mr_buffer_init (&self->buffer, MR_LINES_MAX_BYTES + READ_BYTES);
    *ret_lines = self;
    return MR_OK;
}

void
mr_lines_close (mr_lines_t **self_p)
{
    mr_lines_t *self = *self_p;
    if (self != NULL) {
        close (self->fd);
        for (unsigned i = 0; i < self->next_count; i++) {
            close (self->next[i]);
        }
        mr_buffer_release (&self->buffer);
        free (self->path);
        free (self);
        *self_p = NULL;
    }
}

/* More bytes behind what is left. MR_CLOSED: the end, for now. */
static mr_status_t
fill (mr_lines_t *self, mr_error_t *err)
{
    if (self->start > 0) {
        memmove (self->buffer.data, self->buffer.data + self->start,
                 self->buffer.size - self->start);
        self->buffer.size -= self->start;
        self->scanned -= self->start;
        self->start = 0;
    }
    if (self->buffer.size > MR_LINES_MAX_BYTES) {
        mr_error_set (err, "%s: a line at byte %" PRId64 " is longer than %d MiB", self->path,
                      self->offset, MR_LINES_MAX_BYTES >> 20);
        return MR_INVALID;
    }
    if (mr_buffer_reserve (&self->buffer, READ_BYTES) != MR_OK) {
        return mr_error_errno (err, "%s", self->path);
    }
    ssize_t bytes = read (self->fd, self->buffer.data + self->buffer.size, READ_BYTES);
    if (bytes < 0) {
        return errno == EAGAIN || errno == EINTR
                   ? MR_AGAIN
                   : mr_error_errno (err, "cannot read %s", self->path);
    }
    self->buffer.size += (size_t)bytes;
    self->end = bytes == 0;
    return bytes == 0 ? MR_CLOSED : MR_OK;
}

static void
hand_out (mr_lines_t *self, size_t end, size_t next, const char **ret_line, size_t *ret_bytes)
{
    *ret_line = self->buffer.data + self->start;
    *ret_bytes = end - self->start;
    self->offset += (int64_t)(next - self->start);
    self->start = self->scanned = next;
}

mr_status_t
mr_lines_next (mr_lines_t *self, const char **ret_line, size_t *ret_bytes, mr_error_t *err)
{
    for (;;) {
        const char *data = self->buffer.data;
        const char *newline =
            self->buffer.size > self->scanned
                ? memchr (data + self->scanned, '\n', self->buffer.size - self->scanned)
                : NULL;
        if (newline != NULL) {
            size_t end = (size_t)(newline - data);
            hand_out (self, end, end + 1, ret_line, ret_bytes);
            return MR_OK;
        }
        self->scanned = self->buffer.size;
        if (!self->is_file && self->end) {
            break;
        }
        mr_status_t status = fill (self, err);
        if (status == MR_CLOSED) {
            break;
        }
        if (status != MR_OK) {
            return status;
        }
    }
    if (self->follow && self->is_file && !(self->last && self->buffer.size > self->start)) {
        return MR_AGAIN;
    }
    if (self->buffer.size > self->start) {
        hand_out (self, self->buffer.size, self->buffer.size, ret_line, ret_bytes);
        return MR_OK;
    }
    return MR_CLOSED;
}

mr_status_t
mr_lines_each (const char *path, mr_lines_fn *fn, void *arg, mr_error_t *err)
{
    mr_lines_t *lines = NULL;
    const char *line;
    size_t bytes;
    mr_status_t status = mr_lines_open (path, false, &lines, err);
    if (status != MR_OK) {
        return status;
    }
    while ((status = mr_lines_next (lines, &line, &bytes, err)) == MR_OK) {
        fn (arg, line, bytes);
    }
    mr_lines_close (&lines);
    return status == MR_CLOSED ? MR_OK : status;
}

void
mr_lines_rewind (mr_lines_t *self)
{
    (void)lseek (self->fd, 0, SEEK_SET);
    mr_buffer_clear (&self->buffer);
    self->start = self->scanned = 0;
    self->offset = 0;
    self->end = false;
}

int
mr_lines_fd (const mr_lines_t *self)
{
    return self->is_file ? -1 : self->fd;
}

mr_status_t
mr_lines_name (mr_lines_t *self, char *ret_name)
{
    char first[FIRST_LINE_BYTES];
    if (!self->is_file) {
        uint64_t random = 0;
        if (getrandom (&random, sizeof random, 0) != (ssize_t)sizeof random) {
            return MR_SYSTEM;
        }
        snprintf (ret_name, MR_LINES_NAME_BYTES, "send-%016" PRIx64, random);
        return MR_OK;
    }
    ssize_t bytes = pread (self->fd, first, sizeof first, 0);
    const char *newline = bytes > 0 ? memchr (first, '\n', (size_t)bytes) : NULL;
    if (newline == NULL && bytes < FIRST_LINE_BYTES && self->follow) {
        return MR_AGAIN;
    }
    size_t used = newline != NULL ? (size_t)(newline - first) : bytes > 0 ? (size_t)bytes : 0;
    snprintf (ret_name, MR_LINES_NAME_BYTES, "file-%jx-%jx-%08" PRIx32,
              (uintmax_t)self->status.st_dev, (uintmax_t)self->status.st_ino,
              (uint32_t)mr_hash64 (first, used));
    return MR_OK;
}

static bool
is_same (const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

void
mr_lines_look (mr_lines_t *self)
{
    struct stat newest;
    struct stat now;
    int fd = self->next_count > 0 ? self->next[self->next_count - 1] : self->fd;
    if (!self->follow || !self->is_file || self->next_count == NEXT_MAX ||
        fstat (fd, &newest) != 0 || stat (self->path, &now) != 0 || !S_ISREG (now.st_mode) ||
        is_same (&now, &newest)) {
        return;
    }
    fd = open (self->path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        self->next[self->next_count++] = fd;
    }
}

static void
take_next (mr_lines_t *self)
{
    close (self->fd);
    self->fd = self->next[0];
    self->next_count--;
    memmove (self->next, self->next + 1, self->next_count * sizeof *self->next);
    (void)fstat (self->fd, &self->status);
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
    bool begun = self->next_count > 1 ||
                 (self->next_count == 1 && fstat (self->next[0], &next) == 0 && next.st_size > 0);
    int64_t read_to = self->offset + (int64_t)(self->buffer.size - self->start);
    if (fstat (self->fd, &here) != 0 || here.st_size > read_to) { /* asked last: it grew */
        return MR_LINES_SAME;
    }
    if (here.st_size < read_to) {
        mr_lines_rewind (self);
        return MR_LINES_TRUNCATED;
    }
    if (!begun) {
        return MR_LINES_SAME;
    }
    if (self->buffer.size > self->start && !self->last) {
        self->last = true;
        return MR_LINES_SAME;
    }
    take_next (self);
    return MR_LINES_OTHER;
}

int64_t
mr_lines_offset (const mr_lines_t *self)
{
    return self->offset;
}

int64_t
mr_lines_size (const mr_lines_t *self)
{
    struct stat now;
    return self->is_file && fstat (self->fd, &now) == 0 ? (int64_t)now.st_size : 0;
}
