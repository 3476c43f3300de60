#include "launcher/httpget.h"

#include "common/base/clock.h"
#include "common/base/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

static mr_status_t
wait_for (int fd, short events, int64_t end_ns)
{
    struct pollfd poller = {.fd = fd, .events = events};
    int64_t left_ms = (end_ns - mr_clock_mono_ns ()) / MR_NS_PER_MS;
    if (left_ms <= 0) {
        return MR_AGAIN;
    }
    int ready = poll (&poller, 1, (int)left_ms);
    return ready > 0 || (ready < 0 && errno == EINTR) ? MR_OK : MR_AGAIN;
}

static mr_status_t
open_connection (const char *hostport, int64_t end_ns, int *ret_fd)
{
    mr_hostport_t address;
    mr_error_t err;
    char port[16];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (mr_hostport_parse (hostport, &address, &err) != MR_OK) {
        return MR_INVALID;
    }
    snprintf (port, sizeof port, "%d", address.port);
    if (getaddrinfo (address.host, port, &hints, &found) != 0) {
        return MR_CLOSED;
    }
    mr_status_t status = MR_CLOSED;
    int fd = socket (found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        status = MR_SYSTEM;
    } else if (connect (fd, found->ai_addr, found->ai_addrlen) == 0) {
        status = MR_OK;
    } else if (errno == EINPROGRESS) {
        int failure = 0;
        socklen_t bytes = sizeof failure;
        status = wait_for (fd, POLLOUT, end_ns);
        if (status == MR_OK &&
            (getsockopt (fd, SOL_SOCKET, SO_ERROR, &failure, &bytes) != 0 || failure != 0)) {
            status = MR_CLOSED;
        }
    }
    freeaddrinfo (found);
    if (status == MR_OK) {
        *ret_fd = fd;
    } else if (fd >= 0) {
        close (fd);
    }
    return status;
}

/* Everything until the other side closes. */
static mr_status_t
read_all (int fd, int64_t end_ns, mr_buffer_t *reply)
{
    for (;;) {
        mr_status_t status = mr_buffer_reserve (reply, READ_BYTES);
        if (status != MR_OK) {
            return status;
        }
        ssize_t bytes = recv (fd, reply->data + reply->size, READ_BYTES, 0);
        if (bytes == 0) {
            return MR_OK;
        }
        if (bytes > 0) {
            reply->size += (size_t)bytes;
        } else if (errno != EAGAIN && errno != EINTR) {
            return MR_CLOSED;
        } else if ((status = wait_for (fd, POLLIN, end_ns)) != MR_OK) {
            return status;
        }
    }
}

static mr_status_t
take_body (const mr_buffer_t *reply, mr_buffer_t *out)
{
    const char *end = reply->size > 12 ? memmem (reply->data, reply->size, "\r\n\r\n", 4) : NULL;
    if (end == NULL || memcmp (reply->data, "HTTP/1.", 7) != 0) {
        return MR_INVALID;
    }
    if (memcmp (reply->data + 8, " 200", 4) != 0) {
        return MR_CLOSED;
    }
    size_t head = (size_t)(end + 4 - reply->data);
    return mr_buffer_append (out, reply->data + head, reply->size - head);
}

mr_status_t
mr_httpget (const char *hostport, const char *path, int64_t timeout_ms, mr_buffer_t *out)
{
    int fd;
    char request[512];
    int64_t end_ns = mr_clock_mono_ns () + timeout_ms * MR_NS_PER_MS;
    /* HTTP/1.0: the body is plain and ends with the connection. */
    int bytes =
        snprintf (request, sizeof request, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, hostport);
    mr_status_t status = open_connection (hostport, end_ns, &fd);
    if (status != MR_OK) {
        return status;
    }
    mr_buffer_t reply;
    mr_buffer_init (&reply, out->limit);
    if (send (fd, request, (size_t)bytes, MSG_NOSIGNAL) != bytes) {
        status = MR_CLOSED; /* a fresh connection has room for a few hundred bytes */
    }
    if (status == MR_OK) {
        status = read_all (fd, end_ns, &reply);
    }
    if (status == MR_OK) {
        status = take_body (&reply, out);
    }
    mr_buffer_release (&reply);
    close (fd);
    return status;
}
