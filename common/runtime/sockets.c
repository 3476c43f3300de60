#include "common/runtime/sockets.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

void *
mr_socket_open (void *zmq, int type)
{
    void *socket = zmq_socket (zmq, type);
    if (socket == NULL) {
        return NULL;
    }
    int linger_ms = 0;
    int reconnect_ms = 10;
    int reconnect_max_ms = 200;
    int heartbeat_ms = 0; /* a receiver at its high-water mark would miss them and lose all */
    zmq_setsockopt (socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_setsockopt (socket, ZMQ_RECONNECT_IVL, &reconnect_ms, sizeof reconnect_ms);
    zmq_setsockopt (socket, ZMQ_RECONNECT_IVL_MAX, &reconnect_max_ms, sizeof reconnect_max_ms);
    zmq_setsockopt (socket, ZMQ_HEARTBEAT_IVL, &heartbeat_ms, sizeof heartbeat_ms);
    return socket;
}

void *
mr_socket_watch (void *zmq, void *socket, int events)
{
    static unsigned counter; /* each process has one thread that opens sockets */
    char endpoint[64];
    snprintf (endpoint, sizeof endpoint, "inproc://watch-%u", counter++);
    if (zmq_socket_monitor (socket, endpoint, events) != 0) {
        return NULL;
    }
    void *watch = mr_socket_open (zmq, ZMQ_PAIR);
    if (watch != NULL && zmq_connect (watch, endpoint) != 0) {
        zmq_close (watch);
        watch = NULL;
    }
    return watch;
}

void
mr_socket_unwatch (void *socket, void **watch_p)
{
    zmq_socket_monitor (socket, NULL, 0);
    if (*watch_p != NULL) {
        zmq_close (*watch_p);
        *watch_p = NULL;
    }
}

bool
mr_socket_next_event (void *watch, int *ret_event)
{
    zmq_msg_t head;
    zmq_msg_init (&head);
    if (zmq_msg_recv (&head, watch, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close (&head);
        return false;
    }
    uint16_t event = 0;
    if (zmq_msg_size (&head) >= sizeof event) {
        memcpy (&event, zmq_msg_data (&head), sizeof event);
    }
    bool more = zmq_msg_more (&head) != 0;
    zmq_msg_close (&head);
    if (more) {
        zmq_msg_t address;
        zmq_msg_init (&address);
        (void)zmq_msg_recv (&address, watch, ZMQ_DONTWAIT);
        zmq_msg_close (&address);
    }
    *ret_event = event;
    return true;
}
