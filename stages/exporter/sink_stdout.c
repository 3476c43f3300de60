#include "stages/exporter/sink.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READER_WAIT_MS = 100 };

typedef struct sink_stdout {
    atomic_bool stop;
    bool is_pipe;
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
write_piece (const sink_stdout_t *self, const char *data, size_t bytes, mr_error_t *err)
{
    while (bytes > 0) {
        struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
        if (self->is_pipe && poll (&out, 1, READER_WAIT_MS) == 0) {
            if (atomic_load (&self->stop)) {
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
    }
    return MR_OK;
}

static mr_status_t
write_rows (void *arg, const struct iovec *iov, int count, mr_error_t *err)
{
    mr_status_t status = MR_OK;
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
    *ret_sink = (mr_sink_t){
        .open = open_stdout,
        .write = write_rows,
        .interrupt = interrupt,
        .close = close_stdout,
        .destroy = free,
        .self = self,
    };
    return MR_OK;
}
