/* endpoint: the addresses a user may write: ipc://PATH, tcp://HOST:PORT and plain HOST:PORT.
 * "{slot}" in one stands for the slot of the worker that binds it. Pure; thread safe. */
#ifndef MR_COMMON_BASE_ENDPOINT_H
#define MR_COMMON_BASE_ENDPOINT_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    MR_IPC_PATH_MAX_BYTES = 107, /* what a Unix socket address can hold */
    MR_ENDPOINT_BYTES = 512,     /* room for any endpoint that passes the checks, terminated */
};

/* The two halves of HOST:PORT; brackets of a V6 address are taken off. */
typedef struct mr_hostport {
    char host[256];
    int port; /* 0 .. 65535 */
} mr_hostport_t;

/* Split HOST:PORT or [V6]:PORT. MR_CONFIG: err says what is wrong. ret_value untouched then. */
MR_CHECK mr_status_t mr_hostport_parse (const char *text, mr_hostport_t *ret_value,
                                        mr_error_t *err);

/* Check ipc://PATH or tcp://HOST:PORT, with {slot} allowed. The length of a relative ipc path is
 * not checked here. MR_CONFIG: err says what is wrong. */
MR_CHECK mr_status_t mr_endpoint_check (const char *text, mr_error_t *err);

bool mr_endpoint_has_slot (const char *text);

/* Copy text with each {slot} replaced by the slot (0 .. 62).
 *   bytes  room in ret_text, at least 1
 * MR_CONFIG: it does not fit; ret_text is empty then. */
MR_CHECK mr_status_t mr_endpoint_for_slot (const char *text, int slot, char *ret_text, size_t bytes,
                                           mr_error_t *err);

#endif
