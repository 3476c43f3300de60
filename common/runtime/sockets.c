#include "common/runtime/sockets.h"

#include "common/base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
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

void
mr_socket_file_note (mr_socket_file_t *self, const char *path)
{
    struct stat named = {0};
    bool there = stat (path, &named) == 0;
    self->device = there ? named.st_dev : 0;
    self->inode = there ? named.st_ino : 0;
}

/* While the socket is bound the kernel keeps its inode, and gives the number to nobody else. */
bool
mr_socket_file_gone (const mr_socket_file_t *self, const char *path)
{
    struct stat named;
    if (stat (path, &named) != 0) {
        return errno == ENOENT || errno == ENOTDIR;
    }
    return named.st_ino != self->inode || named.st_dev != self->device;
}

mr_status_t
mr_socket_hold (mr_socket_file_t *self, void *socket, const char *path, mr_error_t *err)
{
    char endpoint[PATH_MAX + 8];
    if (!mr_socket_file_gone (self, path)) {
        return MR_OK;
    }
    /* Not unbound first: that would close what is connected. */
    snprintf (endpoint, sizeof endpoint, "ipc://%s", path);
    if (zmq_bind (socket, endpoint) != 0) {
        return mr_error_errno (err, "cannot bind %s", endpoint);
    }
    mr_socket_file_note (self, path);
    mr_log_warn ("%s was gone, and is made again", path);
    return MR_OK;
}

void
mr_socket_file_remove (const mr_socket_file_t *self, const char *path)
{
    if (!mr_socket_file_gone (self, path)) {
        unlink (path);
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
