/* httpget: one GET over plain TCP, for the monitor's API. Thread safe. */
#ifndef MR_LAUNCHER_HTTPGET_H
#define MR_LAUNCHER_HTTPGET_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stdint.h>

/* Fetch http://<hostport><path>.
 *   hostport   "127.0.0.1:8090", "[::1]:8090"
 *   out        the body is appended
 * MR_OK: status 200; MR_CLOSED: nobody listens there, or another status; MR_AGAIN: not within
 * timeout_ms; MR_INVALID: no HTTP, or longer than the buffer's limit; MR_SYSTEM. */
MR_CHECK mr_status_t mr_httpget (const char *hostport, const char *path, int64_t timeout_ms,
                                 mr_buffer_t *out);

#endif
