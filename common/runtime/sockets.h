/* sockets: libzmq sockets with every option that matters set explicitly, and their monitors. */
#ifndef MR_COMMON_RUNTIME_SOCKETS_H
#define MR_COMMON_RUNTIME_SOCKETS_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The file that an ipc socket was bound to. Zeroed: none. */
typedef struct mr_socket_file {
    dev_t device;
    ino_t inode;
} mr_socket_file_t;

/* A socket with LINGER 0, RECONNECT_IVL 10 .. 200 ms, no heartbeats. NULL: errno says why. */
void *mr_socket_open (void *zmq, int type);

/* Start watching connection events (a ZMQ_EVENT_* mask). Returns a PAIR socket to poll and to hand
 * back to mr_socket_unwatch, or NULL. */
void *mr_socket_watch (void *zmq, void *socket, int events);
void mr_socket_unwatch (void *socket, void **watch_p);

/* Remember which file is at the path that was just bound. */
void mr_socket_file_note (mr_socket_file_t *self, const char *path);

/* Whether that file is not at the path any more: removed, moved away or replaced. Where that cannot
 * be found out, it is. */
bool mr_socket_file_gone (const mr_socket_file_t *self, const char *path);

/* If it is gone, bind the socket there once more and say so in the log. Those who are connected
 * stay so. The caller holds the lock that goes with the path. MR_OK: it is there; MR_SYSTEM
 * (err: why not; its number). */
MR_CHECK mr_status_t mr_socket_hold (mr_socket_file_t *self, void *socket, const char *path,
                                     mr_error_t *err);

/* Remove the file, if it is the one. */
void mr_socket_file_remove (const mr_socket_file_t *self, const char *path);

/* The next event that is waiting. false: none. */
bool mr_socket_next_event (void *watch, int *ret_event);

#endif
