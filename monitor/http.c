#include "monitor/http.h"

#include "common/base/log.h"
#include "common/wire/jsonwriter.h"
#include "monitor/listen.h"

#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <zmq.h>

enum {
    CONNECTIONS = 64,
    CONNECTION_MEMORY_BYTES = 32 << 10,
    IDLE_S = 15,
    HOUSEKEEPING_MS = 500, /* idle connections are looked for so often */
    RUNS_A_TURN = 32,
};

struct mr_http {
    struct MHD_Daemon *daemon;
    mr_loop_t *loop;
    int epoll_id;
    int timer_id;
    const mr_http_route_t *routes;
    void *arg;
    char host[256];
    char address[MR_HTTP_ADDRESS_BYTES];
    bool loopback;
};

/* Whether a Host header is one by which this machine names itself. */
static bool
is_own_host (const mr_http_t *self, const char *header)
{
    char host[256];
    int port = 0;
    const char *colon = strrchr (header, ':');
    const char *bracket = strrchr (header, ']');
    char with_port[300];
    bool has_port = colon != NULL && (bracket == NULL || colon > bracket);
    snprintf (with_port, sizeof with_port, "%s%s", header, has_port ? "" : ":80");
    if (mr_listen_split (with_port, host, sizeof host, &port) != MR_OK) {
        return false;
    }
    return strcasecmp (host, "localhost") == 0 || strcmp (host, "127.0.0.1") == 0 ||
           strcmp (host, "::1") == 0 || strcasecmp (host, self->host) == 0;
}

static void
add_headers (struct MHD_Response *response, const char *type)
{
    static const char *const headers[][2] = {
        {"Cache-Control", "no-store"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Content-Security-Policy",
         "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
         "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
         "frame-ancestors 'none'"},
    };
    MHD_add_response_header (response, "Content-Type", type);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        MHD_add_response_header (response, headers[i][0], headers[i][1]);
    }
}

/* Send a body, which is taken over. */
static enum MHD_Result
answer (struct MHD_Connection *connection, unsigned code, const char *type, mr_buffer_t *body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer (body->size, body->data, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        mr_buffer_release (body);
        return MHD_NO;
    }
    add_headers (response, type);
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED) {
        MHD_add_response_header (response, "Allow", "GET, HEAD");
    }
    enum MHD_Result queued = MHD_queue_response (connection, code, response);
    MHD_destroy_response (response);
    return queued;
}

static enum MHD_Result
refuse (struct MHD_Connection *connection, unsigned code, const char *what, const char *hint)
{
    mr_buffer_t body;
    mr_buffer_init (&body, 64 << 10);
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, &body);
    mr_jsonwriter_open (&json, NULL, '{');
    mr_jsonwriter_text (&json, "error", what);
    mr_jsonwriter_u64 (&json, "status", code);
    mr_jsonwriter_text (&json, "hint", hint);
    mr_jsonwriter_close (&json, '}');
    if (mr_jsonwriter_finish (&json) != MR_OK || mr_buffer_append (&body, "\n", 1) != MR_OK) {
        mr_buffer_release (&body);
        return MHD_NO;
    }
    return answer (connection, code, "application/json", &body);
}

static enum MHD_Result
not_found (const mr_http_t *self, struct MHD_Connection *connection)
{
    char hint[256] = "there are";
    for (const mr_http_route_t *route = self->routes; route->path != NULL; route++) {
        size_t used = strlen (hint);
        snprintf (hint + used, sizeof hint - used, " %s", route->path);
    }
    return refuse (connection, MHD_HTTP_NOT_FOUND, "no such page", hint);
}

static enum MHD_Result
render (const mr_http_t *self, struct MHD_Connection *connection, const mr_http_route_t *route)
{
    mr_http_request_t request = {.path = route->path};
    const char *top = MHD_lookup_connection_value (connection, MHD_GET_ARGUMENT_KIND, "top");
    if (top != NULL && isdigit ((unsigned char)top[0])) {
        request.top = strtoul (top, NULL, 10);
    }
    mr_buffer_t body;
    mr_buffer_init (&body, MR_HTTP_BODY_MAX_BYTES);
    unsigned code = route->render (self->arg, &request, &body);
    if (code == MHD_HTTP_INTERNAL_SERVER_ERROR) {
        mr_buffer_release (&body);
        return refuse (connection, code, "out of memory", "try again; see the monitor's log");
    }
    return answer (connection, code, route->type, &body);
}

/* Its shape is libmicrohttpd's. */
// NOLINTBEGIN(readability-function-size, readability-non-const-parameter)
static enum MHD_Result
on_request (void *arg, struct MHD_Connection *connection, const char *url, const char *method,
            const char *version, const char *upload_data, size_t *upload_data_bytes, void **state)
{
    (void)version, (void)upload_data, (void)upload_data_bytes;
    const mr_http_t *self = arg;
    const char *host = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "Host");
    if (self->loopback && host != NULL && !is_own_host (self, host)) {
        return refuse (connection, MHD_HTTP_FORBIDDEN, "not a name of this machine",
                       "this address answers to localhost only; a proxy must send Host: localhost");
    }
    if (strcmp (method, "GET") != 0 && strcmp (method, "HEAD") != 0) {
        return refuse (connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD", "read only");
    }
    static char headers_seen;
    if (*state == NULL) { /* an answer before the whole request is read would end the connection */
        *state = &headers_seen;
        return MHD_YES;
    }
    for (const mr_http_route_t *route = self->routes; route->path != NULL; route++) {
        if (strcmp (route->path, url) == 0) {
            return render (self, connection, route);
        }
    }
    return not_found (self, connection);
}
// NOLINTEND(readability-function-size, readability-non-const-parameter)

/* What a peer did wrong is no news: debug. */
static void MR_PRINTF (2, 0) on_log (void *arg, const char *format, va_list list)
{
    (void)arg;
    char text[256];
    vsnprintf (text, sizeof text, format, list);
    text[strcspn (text, "\n")] = '\0';
    mr_log_debug ("http: %s", text);
}

static void
run_daemon (mr_http_t *self)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    for (int i = 0; i < RUNS_A_TURN; i++) {
        MHD_run (self->daemon);
        if (MHD_get_timeout (self->daemon, &wait_ms) != MHD_YES || wait_ms > 0) {
            return;
        }
    }
}

static void
on_ready (void *arg, short revents)
{
    (void)revents;
    run_daemon (arg);
}

static void
on_timer (void *arg, int64_t mono_ns)
{
    (void)mono_ns;
    run_daemon (arg);
}

static mr_status_t
start_daemon (mr_http_t *self, int fd, mr_error_t *err)
{
    self->daemon = MHD_start_daemon (MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request,
                                     self, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
                                     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                                     (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                                     (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                     (size_t)CONNECTION_MEMORY_BYTES, MHD_OPTION_END);
    if (self->daemon == NULL) {
        close (fd);
        mr_error_set (err, "cannot start the HTTP server on %s", self->address);
        return MR_SYSTEM;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info (self->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    self->epoll_id =
        mr_loop_add (self->loop, mr_loop_fd (info->epoll_fd), ZMQ_POLLIN, on_ready, self);
    self->timer_id = mr_loop_timer (self->loop, HOUSEKEEPING_MS, on_timer, self);
    return self->epoll_id != 0 && self->timer_id != 0 ? MR_OK : mr_error_errno (err, "http");
}

mr_status_t
mr_http_new (const mr_http_options_t *options, mr_http_t **ret_http, mr_error_t *err)
{
    mr_listen_t listening;
    mr_status_t status = mr_listen_open (options->address, &listening, err);
    if (status != MR_OK) {
        return status;
    }
    mr_http_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        close (listening.fd);
        return mr_error_errno (err, "http");
    }
    self->loop = options->loop;
    self->routes = options->routes;
    self->arg = options->arg;
    self->loopback = listening.loopback;
    bool v6 = strchr (listening.host, ':') != NULL;
    memcpy (self->host, listening.host, sizeof self->host);
    snprintf (self->address, sizeof self->address, "%s%s%s:%d", v6 ? "[" : "", listening.host,
              v6 ? "]" : "", listening.port);
    status = start_daemon (self, listening.fd, err);
    if (status != MR_OK) {
        mr_http_destroy (&self);
        return status;
    }
    *ret_http = self;
    return MR_OK;
}

void
mr_http_destroy (mr_http_t **self_p)
{
    mr_http_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    if (self->epoll_id != 0) {
        mr_loop_remove (self->loop, self->epoll_id);
    }
    if (self->timer_id != 0) {
        mr_loop_timer_remove (self->loop, self->timer_id);
    }
    if (self->daemon != NULL) {
        MHD_stop_daemon (self->daemon);
    }
    free (self);
    *self_p = NULL;
}

const char *
mr_http_address (const mr_http_t *self)
{
    return self->address;
}

bool
mr_http_is_loopback (const mr_http_t *self)
{
    return self->loopback;
}
