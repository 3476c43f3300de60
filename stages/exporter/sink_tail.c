/* The file sink: what stands behind the committed length. */
#include "common/base/crashpoint.h"
#include "common/base/log.h"
#include "stages/exporter/sink_file_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 64 << 10 };

mr_status_t
mr_sink_file_failed (const sink_file_t *self, const char *what, mr_error_t *err)
{
    (void)mr_error_errno (err, "cannot %s %s", what, self->path);
    return MR_AGAIN;
}

int
mr_sink_file_write_all (int fd, const char *data, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t wrote = write (fd, data + done, bytes - done);
        if (wrote < 0 && errno != EINTR) {
            return -1;
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

/* Append the file's bytes from `from` on to another file. 0, or -1 and errno. */
static int
copy_tail (int fd, uint64_t from, int to)
{
    char piece[PIECE];
    for (;;) {
        ssize_t got = pread (fd, piece, sizeof piece, (off_t)from);
        if (got == 0) {
            return fsync (to);
        }
        if (got < 0 || mr_sink_file_write_all (to, piece, (size_t)got) != 0) {
            return -1;
        }
        from += (uint64_t)got;
    }
}

mr_status_t
mr_sink_file_set_aside (sink_file_t *self, mr_error_t *err)
{
    char torn[PATH_MAX + 8];
    snprintf (torn, sizeof torn, "%s.torn", self->path);
    int to = open (torn, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    int result = to < 0 ? -1 : copy_tail (self->fd, self->end, to);
    int error = errno;
    if (to >= 0) {
        close (to);
    }
    errno = error;
    if (result != 0) {
        return mr_sink_file_failed (self, "set aside the end of", err);
    }
    MR_CRASH_POINT ("sink.torn.copied");
    if (ftruncate (self->fd, (off_t)self->end) != 0) {
        return mr_sink_file_failed (self, "cut the end of", err);
    }
    MR_CRASH_POINT ("sink.torn.cut");
    mr_log_warn ("%s: %" PRIu64 " bytes at its end are not what is due there; moved to %s",
                 self->path, self->tail, torn);
    self->tail = 0;
    return MR_OK;
}

/* How many of these bytes, from the first on, the file has at self->end. */
static mr_status_t
compare (sink_file_t *self, const char *data, size_t bytes, size_t *ret_same, mr_error_t *err)
{
    char piece[PIECE];
    size_t same = 0;
    while (same < bytes) {
        size_t want = bytes - same < sizeof piece ? bytes - same : sizeof piece;
        ssize_t got = pread (self->fd, piece, want, (off_t)(self->end + same));
        if (got <= 0) {
            return mr_sink_file_failed (self, "read", err);
        }
        size_t i = 0;
        while (i < (size_t)got && piece[i] == data[same + i]) {
            i++;
        }
        same += i;
        if (i < (size_t)got) {
            break;
        }
    }
    *ret_same = same;
    return MR_OK;
}

/* Write bytes where they stand already, at self->end; nothing else of the file changes. */
static mr_status_t
write_again (sink_file_t *self, const char *data, size_t bytes, mr_error_t *err)
{
    int result = fcntl (self->fd, F_SETFL, 0); /* a write that appends knows no place */
    for (size_t done = 0; result == 0 && done < bytes;) {
        ssize_t wrote = pwrite (self->fd, data + done, bytes - done, (off_t)(self->end + done));
        if (wrote < 0 && errno != EINTR) {
            result = -1;
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    int error = errno;
    if (fcntl (self->fd, F_SETFL, O_APPEND) != 0 && result == 0) {
        error = errno;
        result = -1;
    }
    errno = error;
    return result == 0 ? MR_OK : mr_sink_file_failed (self, "write", err);
}

static size_t
whole_lines (const char *data, size_t bytes)
{
    const char *last = bytes > 0 ? memrchr (data, '\n', bytes) : NULL;
    return last == NULL ? 0 : (size_t)(last - data) + 1;
}

mr_status_t
mr_sink_file_match (sink_file_t *self, const struct iovec *iov, int count, size_t *ret_done,
                    mr_error_t *err)
{
    *ret_done = 0;
    for (int i = 0; i < count && self->tail > 0; i++) {
        size_t bytes = iov[i].iov_len < self->tail ? iov[i].iov_len : (size_t)self->tail;
        size_t same = 0;
        mr_status_t status = compare (self, iov[i].iov_base, bytes, &same, err);
        if (status != MR_OK) {
            return status;
        }
        bool differs = same < bytes;
        if (differs) {
            same = whole_lines (iov[i].iov_base, same);
        }
        status = write_again (self, iov[i].iov_base, same, err);
        if (status != MR_OK) {
            return status;
        }
        MR_CRASH_POINT ("sink.match.written");
        self->end += same;
        self->tail -= same;
        *ret_done += same;
        if (differs) {
            return mr_sink_file_set_aside (self, err);
        }
    }
    return MR_OK;
}
