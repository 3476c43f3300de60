/* listen: a listening TCP socket from "HOST:PORT". */
#ifndef MR_MONITOR_LISTEN_H
#define MR_MONITOR_LISTEN_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct mr_listen {
    int fd;         /* non-blocking, closed on exec; the caller closes it */
    char host[256]; /* as written, without brackets */
    int port;       /* the real one */
    bool loopback;  /* reachable from this machine only */
} mr_listen_t;

/* Split "HOST:PORT" or "[V6]:PORT". MR_INVALID: another form, or too long.
 *   ret_host  host_bytes bytes */
MR_CHECK mr_status_t mr_listen_split (const char *address, char *ret_host, size_t host_bytes,
                                      int *ret_port);

/* MR_AGAIN: taken; MR_CONFIG: cannot be resolved, or is not an address of this machine, or the port
 * needs rights; MR_SYSTEM. */
MR_CHECK mr_status_t mr_listen_open (const char *address, mr_listen_t *ret_listen, mr_error_t *err);

#endif
