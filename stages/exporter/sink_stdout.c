#include "stages/exporter/sink.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { READER_WAIT_MS = 1000 };

static int stdout_token; /* a sink's self must not be NULL; there is no state */

/* A pipe may take a part of the lines only: the rest must follow before anything else does, so this
 * waits for a reader that is slow; one that is gone takes all that comes. */
static mr_status_t
write_lines (void *arg, const char *lines, size_t bytes, mr_error_t *err)
{
    (void)arg;
    size_t done = 0;
    while (done < bytes) {
        ssize_t wrote = write (STDOUT_FILENO, lines + done, bytes - done);
        if (wrote > 0) {
            done += (size_t)wrote;
        } else if (wrote < 0 && errno == EAGAIN) {
            struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
            (void)poll (&out, 1, READER_WAIT_MS);
        } else if (wrote < 0 && errno != EINTR) {
            (void)mr_error_errno (err, "cannot write to standard output");
            return done == 0 ? MR_AGAIN : MR_SYSTEM;
        }
    }
    return MR_OK;
}

static void
destroy (void *arg)
{
    (void)arg;
}

mr_status_t
mr_sink_stdout_new (mr_sink_t *ret_sink, mr_error_t *err)
{
    (void)err;
    *ret_sink = (mr_sink_t){.write = write_lines, .destroy = destroy, .self = &stdout_token};
    return MR_OK;
}
