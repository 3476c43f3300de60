#include "stages/exporter/sink.h"

#include "common/base/buffer.h"
#include "common/base/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READER_WAIT_MS = 100 };

typedef struct sink_stdout {
    atomic_bool stop;
    atomic_bool skip;
    bool is_pipe;
    mr_buffer_t rest; /* of a line that was begun when writing failed */
} sink_stdout_t;

static mr_status_t
open_stdout (void *arg, const mr_cursor_state_t *committed, bool same_boot, mr_error_t *err)
{
    (void)committed;
    (void)same_boot;
    sink_stdout_t *self = arg;
    struct stat st;
    if (fstat (STDOUT_FILENO, &st) != 0) {
        (void)mr_error_errno (err, "standard output");
        return MR_AGAIN;
    }
    self->is_pipe = S_ISFIFO (st.st_mode) || S_ISSOCK (st.st_mode);
    return MR_OK;
}

/* A pipe that is ready takes PIPE_BUF bytes at least, so that writing never blocks and a worker
 * that is to stop does not hang on a reader that has stopped reading. */
static mr_status_t
write_bytes (sink_stdout_t *self, const char *data, size_t bytes, size_t *wrote_bytes,
             mr_error_t *err)
{
    for (*wrote_bytes = 0; bytes > 0;) {
        struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
        if (self->is_pipe && poll (&out, 1, READER_WAIT_MS) == 0) {
            if (atomic_exchange (&self->skip, false) || atomic_load (&self->stop)) {
                mr_error_set (err, "standard output: its reader does not read");
                return MR_AGAIN;
            }
            continue;
        }
        size_t piece = self->is_pipe && bytes > PIPE_BUF ? PIPE_BUF : bytes;
        ssize_t wrote = write (STDOUT_FILENO, data, piece);
        if (wrote < 0 && errno != EINTR && errno != EAGAIN) {
            (void)mr_error_errno (err, "cannot write to standard output");
            return MR_AGAIN;
        }
        data += wrote > 0 ? wrote : 0;
        bytes -= wrote > 0 ? (size_t)wrote : 0;
        *wrote_bytes += wrote > 0 ? (size_t)wrote : 0;
    }
    return MR_OK;
}

/* What comes next is whole lines from the first uncommitted one on, or behind what was dropped. */
static mr_status_t
finish_line (sink_stdout_t *self, mr_error_t *err)
{
    size_t wrote;
    mr_status_t status = write_bytes (self, self->rest.data, self->rest.size, &wrote, err);
    if (wrote > 0) {
        memmove (self->rest.data, self->rest.data + wrote, self->rest.size - wrote);
        self->rest.size -= wrote;
    }
    return status;
}

static mr_status_t
write_piece (sink_stdout_t *self, const char *data, size_t bytes, mr_error_t *err)
{
    size_t wrote;
    mr_status_t status = write_bytes (self, data, bytes, &wrote, err);
    if (status != MR_OK && wrote > 0 && data[wrote - 1] != '\n') {
        const char *end = memchr (data + wrote, '\n', bytes - wrote);
        MR_ASSERT (end != NULL);
        if (mr_buffer_append (&self->rest, data + wrote, (size_t)(end + 1 - data) - wrote) !=
            MR_OK) {
            mr_log_warn ("standard output: a line stays cut off, no memory");
        }
    }
    return status;
}

static mr_status_t
write_rows (void *arg, const struct iovec *iov, int count, mr_error_t *err)
{
    mr_status_t status = finish_line (arg, err);
    for (int i = 0; i < count && status == MR_OK; i++) {
        status = write_piece (arg, iov[i].iov_base, iov[i].iov_len, err);
    }
    return status;
}

static void
interrupt (void *arg)
{
    sink_stdout_t *self = arg;
    atomic_store (&self->stop, true);
}

static void
skip (void *arg)
{
    sink_stdout_t *self = arg;
    atomic_store (&self->skip, true);
}

static void
destroy (void *arg)
{
    sink_stdout_t *self = arg;
    mr_buffer_release (&self->rest);
    free (self);
}

static void
close_stdout (void *arg)
{
    (void)arg;
}

mr_status_t
mr_sink_stdout_new (mr_sink_t *ret_sink, mr_error_t *err)
{
    sink_stdout_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "sink of standard output");
    }
    mr_buffer_init (&self->rest, SIZE_MAX / 2);
    *ret_sink = (mr_sink_t){
        .open = open_stdout,
        .write = write_rows,
        .interrupt = interrupt,
        .skip = skip,
        .close = close_stdout,
        .destroy = destroy,
        .self = self,
    };
    return MR_OK;
}
