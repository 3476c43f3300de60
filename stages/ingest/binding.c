#include "stages/ingest/binding.h"

#include "common/base/dirs.h"
#include "common/base/endpoint.h"
#include "common/base/log.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

static mr_status_t
fault (const mr_binding_t *self, mr_status_t status, mr_error_t *err, const char *what)
{
    (void)mr_config_fault (self->config, self->entry, err, "%s", what);
    return status;
}

/* libzmq unlinks and takes a path that another process listens on: ask first. */
static bool
is_alive (const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t bytes = strlen (path);
    if (bytes >= sizeof address.sun_path) {
        return false; /* binding it will say so */
    }
    memcpy (address.sun_path, path, bytes);
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool alive = fd >= 0 && connect (fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) {
        close (fd);
    }
    return alive;
}

static mr_status_t
prepare_ipc (const mr_binding_t *self, const char *path, mr_error_t *err)
{
    char text[PATH_MAX + 64];
    char directory[PATH_MAX];
    snprintf (directory, sizeof directory, "%s", path);
    char *slash = strrchr (directory, '/');
    if (slash != NULL && slash != directory) {
        *slash = '\0';
        mr_error_t why;
        if (mr_dirs_make (directory, 0700, &why) != MR_OK) {
            return fault (self, MR_CONFIG, err, why.text);
        }
    }
    struct stat st;
    if (lstat (path, &st) == 0 && !S_ISSOCK (st.st_mode)) {
        snprintf (text, sizeof text, "%s exists and is not a socket; move it away", path);
        return fault (self, MR_CONFIG, err, text);
    }
    if (is_alive (path)) {
        snprintf (text, sizeof text,
                  "another process listens on %s; stop it or choose another path", path);
        return fault (self, MR_AGAIN, err, text);
    }
    return MR_OK;
}

static mr_status_t
bind_failed (const mr_binding_t *self, const char *text, int why, mr_error_t *err)
{
    char what[PATH_MAX + 160];
    snprintf (what, sizeof what, "cannot bind %s: %s%s", text, zmq_strerror (why),
              why == EADDRINUSE ? "; stop who uses it or choose another" : "");
    return fault (self, why == EADDRINUSE ? MR_AGAIN : MR_CONFIG, err, what);
}

/* The path of an ipc socket; NULL of another one. */
static const char *
ipc_path (const char *text)
{
    return strncmp (text, "ipc://", 6) == 0 ? text + 6 : NULL;
}

mr_status_t
mr_binding_bind (const mr_binding_t *self, void *socket, mr_bound_t *ret_bound, mr_error_t *err)
{
    char text[PATH_MAX];
    mr_error_t why_not;
    if (mr_endpoint_for_slot (self->entry->value.text, self->slot, text, sizeof text, &why_not) !=
        MR_OK) {
        return fault (self, MR_CONFIG, err, why_not.text);
    }
    const char *path = ipc_path (text);
    if (path != NULL) {
        mr_status_t status = prepare_ipc (self, path, err);
        if (status != MR_OK) {
            return status;
        }
    }
    /* zmq_bind makes the file in this thread, so the mask is there from its first moment on. */
    mode_t before = umask (path != NULL ? (~self->mode & 0777) : 022);
    int bound = zmq_bind (socket, text);
    int why = errno;
    umask (before);
    if (bound != 0) {
        return bind_failed (self, text, why, err);
    }
    *ret_bound = (mr_bound_t){.binding = *self, .socket = socket};
    if (path != NULL) {
        mr_socket_file_note (&ret_bound->file, path);
    }
    return MR_OK;
}

void
mr_binding_hold (mr_bound_t *bound)
{
    const mr_binding_t *self = &bound->binding;
    char text[PATH_MAX];
    char directory[PATH_MAX];
    mr_error_t err = {.text = ""};
    if (mr_endpoint_for_slot (self->entry->value.text, self->slot, text, sizeof text, &err) !=
        MR_OK) {
        return;
    }
    const char *path = ipc_path (text);
    if (path == NULL || !mr_socket_file_gone (&bound->file, path)) {
        bound->said = false;
        return;
    }
    snprintf (directory, sizeof directory, "%s", path);
    char *slash = strrchr (directory, '/');
    mr_status_t status = MR_OK;
    if (slash != NULL && slash != directory) {
        *slash = '\0';
        status = mr_dirs_make_last (directory, 0700, &err);
    }
    if (status == MR_OK) {
        status = mr_binding_bind (self, bound->socket, bound, &err);
    }
    if (status == MR_OK) {
        mr_log_warn ("%s was gone, and is made again", path);
    } else if (!bound->said) {
        bound->said = true;
        mr_log_error ("%s is gone, so no producer finds it, and cannot be made again: %s", path,
                      err.text);
    }
}

static int
listen_on (const struct addrinfo *address)
{
    int fd = socket (address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                     address->ai_protocol);
    int one = 1;
    if (fd >= 0 &&
        (setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
         bind (fd, address->ai_addr, address->ai_addrlen) != 0 || listen (fd, 128) != 0)) {
        int why = errno;
        close (fd);
        errno = why;
        fd = -1;
    }
    return fd;
}

mr_status_t
mr_binding_listen (const mr_binding_t *self, int *ret_fd, mr_error_t *err)
{
    char text[512];
    mr_error_t why_not;
    mr_hostport_t address;
    if (mr_endpoint_for_slot (self->entry->value.text, self->slot, text, sizeof text, &why_not) !=
            MR_OK ||
        mr_hostport_parse (text, &address, &why_not) != MR_OK) {
        return fault (self, MR_CONFIG, err, why_not.text);
    }
    char port[8];
    snprintf (port, sizeof port, "%d", address.port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = getaddrinfo (address.host, port, &hints, &found);
    if (code != 0) {
        char what[640];
        snprintf (what, sizeof what, "cannot resolve %s: %s", text, gai_strerror (code));
        return fault (self, MR_CONFIG, err, what);
    }
    int fd = listen_on (found);
    int why = errno;
    freeaddrinfo (found);
    if (fd < 0) {
        return bind_failed (self, text, why, err);
    }
    *ret_fd = fd;
    return MR_OK;
}
