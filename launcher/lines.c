#include "launcher/lines.h"

#include "common/base/hash.h"
#include "common/wire/producer.h"
#include "launcher/filetail.h"
#include "launcher/lines_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 18, FIRST_LINE_BYTES = 1024 };

/* fd: consumed. */
static mr_status_t
open_fd (const char *path, int fd, mr_lines_t **ret_lines, mr_error_t *err)
{
    mr_lines_t *self = calloc (1, sizeof *self);
    char *copy = strdup (path);
    bool known = self != NULL && copy != NULL && fstat (fd, &self->status) == 0;
    if (known && !S_ISDIR (self->status.st_mode)) {
        self->path = copy;
        self->fd = fd;
        self->arrivals.fd = -1;
        self->is_file = S_ISREG (self->status.st_mode);
        mr_buffer_init (&self->buffer, MR_LINES_MAX_BYTES + READ_BYTES + MR_FILETAIL_BYTES);
        *ret_lines = self;
        return MR_OK;
    }
    if (known) {
        mr_error_set (err, "%s is a directory", path);
    } else {
        (void)mr_error_errno (err, "cannot read %s", path);
    }
    free (copy);
    free (self);
    close (fd);
    return MR_SYSTEM;
}

mr_status_t
mr_lines_open (const char *path, bool follow, mr_lines_t **ret_lines, mr_error_t *err)
{
    bool standard = strcmp (path, "-") == 0;
    int fd = standard ? dup (STDIN_FILENO) : open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return mr_error_errno (err, "cannot open %s", path);
    }
    mr_status_t status = open_fd (path, fd, ret_lines, err);
    if (status == MR_OK) {
        (*ret_lines)->follow = follow;
        (*ret_lines)->is_file = !standard && (*ret_lines)->is_file;
        mr_lines_watch (*ret_lines);
    }
    return status;
}

mr_status_t
mr_lines_open_files (const char *path, const mr_lines_file_t *files, unsigned count,
                     mr_lines_t **ret_lines, mr_error_t *err)
{
    mr_status_t status = open_fd (path, files[0].fd, ret_lines, err);
    if (status != MR_OK) {
        for (unsigned i = 1; i < count; i++) {
            close (files[i].fd);
        }
        return status;
    }
    mr_lines_t *self = *ret_lines;
    self->follow = true;
    memcpy (self->name, files[0].name, sizeof self->name);
    self->next_count = count - 1;
    memcpy (self->next, files + 1, self->next_count * sizeof *self->next);
    mr_lines_watch (self);
    return MR_OK;
}

void
mr_lines_close (mr_lines_t **self_p)
{
    mr_lines_t *self = *self_p;
    if (self != NULL) {
        close (self->fd);
        for (unsigned i = 0; i < self->next_count; i++) {
            close (self->next[i].fd);
        }
        mr_lines_unwatch (self);
        mr_buffer_release (&self->buffer);
        free (self->path);
        free (self);
        *self_p = NULL;
    }
}

bool
mr_lines_is_intact (const mr_lines_t *self)
{
    char tail[MR_FILETAIL_BYTES];
    size_t bytes = self->buffer.size < sizeof tail ? self->buffer.size : sizeof tail;
    int64_t end = self->offset + (int64_t)(self->buffer.size - self->start);
    return bytes == 0 ||
           (pread (self->fd, tail, bytes, (off_t)(end - (int64_t)bytes)) == (ssize_t)bytes &&
            memcmp (tail, self->buffer.data + self->buffer.size - bytes, bytes) == 0);
}

/* Make room; a little of what was handed out stays, to compare the file with. */
static mr_status_t
reserve (mr_lines_t *self, mr_error_t *err)
{
    size_t gone = self->start > MR_FILETAIL_BYTES ? self->start - MR_FILETAIL_BYTES : 0;
    if (gone > 0) {
        memmove (self->buffer.data, self->buffer.data + gone, self->buffer.size - gone);
        self->buffer.size -= gone;
        self->scanned -= gone;
        self->start -= gone;
    }
    return mr_buffer_reserve (&self->buffer, READ_BYTES) == MR_OK
               ? MR_OK
               : mr_error_errno (err, "%s", self->path);
}

/* More bytes behind what is left. MR_CLOSED: the end, for now. */
static mr_status_t
fill (mr_lines_t *self, mr_error_t *err)
{
    mr_status_t status = reserve (self, err);
    if (status != MR_OK) {
        return status;
    }
    ssize_t bytes = read (self->fd, self->buffer.data + self->buffer.size, READ_BYTES);
    if (bytes < 0) {
        return errno == EAGAIN || errno == EINTR
                   ? MR_AGAIN
                   : mr_error_errno (err, "cannot read %s", self->path);
    }
    if (bytes > 0 && self->follow && self->is_file && !mr_lines_is_intact (self)) {
        self->rewritten = true; /* the middle of something else: it is read from its beginning */
        return MR_CLOSED;
    }
    self->buffer.size += (size_t)bytes;
    self->end = bytes == 0;
    return bytes == 0 ? MR_CLOSED : MR_OK;
}

/* What has been read of a line that nobody will get need not be kept. True: so much of it has come
 * that the caller may have something else to do. */
static bool
pass_over (mr_lines_t *self)
{
    size_t bytes = self->buffer.size - self->start;
    if (!self->passing && bytes <= MR_LINES_MAX_BYTES) {
        return false;
    }
    if (!self->passing) {
        self->passing = true;
        self->passed_from = self->paused_at = self->offset;
    }
    self->offset += (int64_t)bytes;
    self->start = self->buffer.size;
    bool pause = self->offset - self->paused_at >= MR_LINES_MAX_BYTES;
    self->paused_at = pause ? self->offset : self->paused_at;
    return pause;
}

/* Here it ends. */
static mr_status_t
refuse (mr_lines_t *self, size_t end, size_t next, mr_error_t *err)
{
    mr_error_set (err,
                  "%s: a line of %" PRId64 " bytes at byte %" PRId64
                  " is refused: no line may be longer than %d MiB",
                  self->path, self->offset + (int64_t)(end - self->start) - self->passed_from,
                  self->passed_from, MR_LINES_MAX_BYTES >> 20);
    self->offset += (int64_t)(next - self->start);
    self->start = self->scanned = next;
    self->passing = false;
    return MR_INVALID;
}

static mr_status_t
hand_out (mr_lines_t *self, size_t end, size_t next, const char **ret_line, size_t *ret_bytes,
          mr_error_t *err)
{
    if (self->passing) {
        return refuse (self, end, next, err);
    }
    *ret_line = self->buffer.data + self->start;
    *ret_bytes = end - self->start;
    self->offset += (int64_t)(next - self->start);
    self->start = self->scanned = next;
    return MR_OK;
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
            return hand_out (self, end, end + 1, ret_line, ret_bytes, err);
        }
        self->scanned = self->buffer.size;
        if (pass_over (self)) {
            return MR_AGAIN;
        }
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
    bool rest = self->buffer.size > self->start || self->passing;
    if (self->follow && self->is_file && !(self->last && rest)) {
        return MR_AGAIN;
    }
    if (rest) {
        return hand_out (self, self->buffer.size, self->buffer.size, ret_line, ret_bytes, err);
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
    while ((status = mr_lines_next (lines, &line, &bytes, err)) == MR_OK || status == MR_AGAIN) {
        if (status == MR_OK) {
            fn (arg, line, bytes);
        }
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
    self->end = self->rewritten = self->passing = false;
    self->compared = (struct timespec){0};
}

mr_status_t
mr_lines_seek (mr_lines_t *self, uint64_t offset, mr_error_t *err)
{
    size_t tail = offset < MR_FILETAIL_BYTES ? (size_t)offset : MR_FILETAIL_BYTES;
    mr_lines_rewind (self);
    if (lseek (self->fd, (off_t)(offset - tail), SEEK_SET) < 0) {
        return mr_error_errno (err, "%s", self->path);
    }
    self->offset = (int64_t)(offset - tail);
    while (self->buffer.size < tail) {
        mr_status_t status = fill (self, err);
        if (status == MR_CLOSED) {
            mr_error_set (err, "%s becomes shorter while it is read", self->path);
            status = MR_INVALID;
        }
        if (status != MR_OK && status != MR_AGAIN) {
            return status;
        }
    }
    self->start = self->scanned = tail;
    self->offset = (int64_t)offset;
    return MR_OK;
}

const char *
mr_lines_path (const mr_lines_t *self)
{
    return self->path;
}

int
mr_lines_file (const mr_lines_t *self)
{
    return self->is_file ? self->fd : -1;
}

bool
mr_lines_named (const mr_lines_t *self)
{
    return self->name[0] != '\0';
}

const struct stat *
mr_lines_stat (const mr_lines_t *self)
{
    return &self->status;
}

int
mr_lines_next_fd (const mr_lines_t *self)
{
    return self->arrivals.fd;
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
    if (self->name[0] != '\0') {
        memcpy (ret_name, self->name, sizeof self->name);
        return MR_OK;
    }
    if (!self->is_file) {
        uint64_t random = 0;
        if (getrandom (&random, sizeof random, 0) != (ssize_t)sizeof random) {
            return MR_SYSTEM;
        }
        snprintf (ret_name, MR_LINES_NAME_BYTES, MR_PRODUCER_ONCE "send-%016" PRIx64, random);
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
