#include "monitor/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64 };

mr_status_t
mr_listen_split (const char *address, char *ret_host, size_t host_bytes, int *ret_port)
{
    const char *colon = strrchr (address, ':');
    if (colon == NULL || colon == address) {
        return MR_INVALID;
    }
    const char *host = address;
    size_t bytes = (size_t)(colon - address);
    if (host[0] == '[') {
        if (bytes < 3 || colon[-1] != ']') {
            return MR_INVALID;
        }
        host++;
        bytes -= 2;
    } else if (memchr (host, ':', bytes) != NULL) {
        return MR_INVALID;
    }
    char *end;
    long port = strtol (colon + 1, &end, 10);
    if (end == colon + 1 || *end != '\0' || port < 0 || port > 65535 || bytes >= host_bytes) {
        return MR_INVALID;
    }
    memcpy (ret_host, host, bytes);
    ret_host[bytes] = '\0';
    *ret_port = (int)port;
    return MR_OK;
}

static bool
is_loopback (const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        struct in_addr v4 = ((const struct sockaddr_in *)address)->sin_addr;
        return ntohl (v4.s_addr) >> 24 == 127;
    }
    return address->ss_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK (&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static mr_status_t
bind_failed (const char *address, mr_error_t *err)
{
    int cause = errno;
    mr_error_errno (err, "cannot listen on %s", address);
    if (cause == EADDRINUSE) {
        return MR_AGAIN;
    }
    return cause == EADDRNOTAVAIL || cause == EACCES ? MR_CONFIG : MR_SYSTEM;
}

static mr_status_t
bind_first (const struct addrinfo *info, const char *address, mr_listen_t *listening,
            mr_error_t *err)
{
    int fd = socket (info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return mr_error_errno (err, "cannot listen on %s", address);
    }
    int yes = 1; /* a port whose last connections are still being forgotten is free */
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind (fd, info->ai_addr, info->ai_addrlen) != 0 || listen (fd, BACKLOG) != 0) {
        mr_status_t status = bind_failed (address, err);
        close (fd);
        return status;
    }
    struct sockaddr_storage bound;
    memset (&bound, 0, sizeof bound);
    socklen_t bytes = sizeof bound;
    getsockname (fd, (struct sockaddr *)&bound, &bytes);
    listening->fd = fd;
    listening->loopback = is_loopback (&bound);
    listening->port =
        ntohs (bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                           : ((struct sockaddr_in *)&bound)->sin_port);
    return MR_OK;
}

mr_status_t
mr_listen_open (const char *address, mr_listen_t *ret_listen, mr_error_t *err)
{
    mr_listen_t listening = {.fd = -1};
    if (mr_listen_split (address, listening.host, sizeof listening.host, &listening.port) !=
        MR_OK) {
        mr_error_set (err, "%s is not HOST:PORT", address);
        return MR_CONFIG;
    }
    char service[16];
    snprintf (service, sizeof service, "%d", listening.port);
    struct addrinfo hints = {
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *found = NULL;
    int failed = getaddrinfo (listening.host, service, &hints, &found);
    if (failed != 0) {
        mr_error_set (err, "cannot listen on %s: %s", address, gai_strerror (failed));
        return MR_CONFIG;
    }
    mr_status_t status = bind_first (found, address, &listening, err);
    freeaddrinfo (found);
    if (status == MR_OK) {
        *ret_listen = listening;
    }
    return status;
}
