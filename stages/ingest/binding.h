/* binding: bind what the user wrote as an endpoint: {slot} filled in, ipc paths not stolen from a
 * living owner, file mode set, directories made. */
#ifndef MR_STAGES_INGEST_BINDING_H
#define MR_STAGES_INGEST_BINDING_H

#include "common/base/status.h"
#include "common/runtime/config.h"
#include "common/runtime/sockets.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct mr_binding {
    const mr_config_t *config;
    const mr_config_entry_t *entry; /* ENDPOINT or HOSTPORT value; for messages and text */
    int slot;
    mode_t mode; /* of an ipc socket */
} mr_binding_t;

/* A libzmq socket that is bound so. */
typedef struct mr_bound {
    mr_binding_t binding;
    void *socket;
    mr_socket_file_t file; /* an ipc socket's */
    bool said;             /* that it cannot be bound again */
} mr_bound_t;

/* Bind a libzmq socket. MR_OK; MR_AGAIN: somebody else has it (err names it); MR_CONFIG. */
MR_CHECK mr_status_t mr_binding_bind (const mr_binding_t *self, void *socket, mr_bound_t *ret_bound,
                                      mr_error_t *err);

/* If its file was removed, moved away or replaced, bind it there once more, and make the directory
 * that it was in (none of its parents). Producers that are connected stay so. What cannot be is
 * logged, once. */
void mr_binding_hold (mr_bound_t *bound);

/* Listen on HOST:PORT; sets *ret_fd, non-blocking. Statuses as above. */
MR_CHECK mr_status_t mr_binding_listen (const mr_binding_t *self, int *ret_fd, mr_error_t *err);

#endif
