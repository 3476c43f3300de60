#include "launcher/probe.h"

#include "common/base/endpoint.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PROBE_MS = 500 };

static mr_status_t
meaning (int error)
{
    if (error == 0) {
        return MR_OK;
    }
    return error == ECONNREFUSED || error == ENOENT ? MR_CLOSED : MR_AGAIN;
}

static mr_status_t
knock (int family, const struct sockaddr *address, socklen_t bytes)
{
    int fd = socket (family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return MR_AGAIN;
    }
    int error = connect (fd, address, bytes) == 0 ? 0 : errno;
    struct pollfd poller = {.fd = fd, .events = POLLOUT};
    socklen_t size = sizeof error;
    if (error == EINPROGRESS && poll (&poller, 1, PROBE_MS) > 0) {
        (void)getsockopt (fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    close (fd);
    return meaning (error);
}

static mr_status_t
probe_tcp (const char *text)
{
    mr_hostport_t at;
    char port[16];
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (mr_hostport_parse (text, &at, NULL) != MR_OK) {
        return MR_AGAIN;
    }
    snprintf (port, sizeof port, "%d", at.port);
    if (getaddrinfo (at.host, port, &hints, &found) != 0) {
        return MR_AGAIN;
    }
    mr_status_t status = knock (found->ai_family, found->ai_addr, found->ai_addrlen);
    freeaddrinfo (found);
    return status;
}

mr_status_t
mr_probe (const char *endpoint)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strncmp (endpoint, "tcp://", 6) == 0) {
        return probe_tcp (endpoint + 6);
    }
    if (strncmp (endpoint, "ipc://", 6) != 0 || strlen (endpoint + 6) >= sizeof address.sun_path) {
        return MR_AGAIN;
    }
    snprintf (address.sun_path, sizeof address.sun_path, "%s", endpoint + 6);
    return knock (AF_UNIX, (const struct sockaddr *)&address, sizeof address);
}
