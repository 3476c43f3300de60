/* sockets: libzmq sockets with every option that matters set explicitly, and their monitors. */
#ifndef MR_COMMON_RUNTIME_SOCKETS_H
#define MR_COMMON_RUNTIME_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

/* A socket with LINGER 0, RECONNECT_IVL 10 .. 200 ms, no heartbeats. NULL: errno says why. */
void *mr_socket_open (void *zmq, int type);

/* Start watching connection events (a ZMQ_EVENT_* mask). Returns a PAIR socket to poll and to hand
 * back to mr_socket_unwatch, or NULL. */
void *mr_socket_watch (void *zmq, void *socket, int events);
void mr_socket_unwatch (void *socket, void **watch_p);

/* The next event that is waiting. false: none. */
bool mr_socket_next_event (void *watch, int *ret_event);

#endif
