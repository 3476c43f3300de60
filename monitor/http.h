/* http: a small server over libmicrohttpd, run by the loop of its caller: GET and HEAD of a table
 * of pages, each rendered into memory. Connections, their memory and their idle time are bounded.
 *
 * On a loopback address only requests that were sent to a loopback name are answered (403 else), so
 * that a web page elsewhere cannot read the figures through a name that it points here. On another
 * address everybody who reaches it may read: the caller warns. Not thread safe. */
#ifndef MR_MONITOR_HTTP_H
#define MR_MONITOR_HTTP_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "common/runtime/loop.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct mr_http mr_http_t;

enum { MR_HTTP_BODY_MAX_BYTES = 64 << 20, MR_HTTP_ADDRESS_BYTES = 300 };

typedef struct mr_http_request {
    const char *path;
    size_t top; /* ?top=N, 0 when absent or not a number */
} mr_http_request_t;

/* Append the body. Returns the HTTP status code. */
typedef unsigned mr_http_render_fn (void *arg, const mr_http_request_t *request, mr_buffer_t *body);

typedef struct mr_http_route {
    const char *path;
    const char *type; /* Content-Type */
    mr_http_render_fn *render;
} mr_http_route_t;

typedef struct mr_http_options {
    const char *address;           /* "HOST:PORT", "[V6]:PORT"; port 0: any; copied */
    mr_loop_t *loop;               /* borrowed */
    const mr_http_route_t *routes; /* ends with a row whose path is NULL; borrowed */
    void *arg;                     /* of the routes' functions */
} mr_http_options_t;

/* Listen and serve. MR_AGAIN: the port is taken; MR_CONFIG: no such address here; MR_SYSTEM. */
MR_CHECK mr_status_t mr_http_new (const mr_http_options_t *options, mr_http_t **ret_http,
                                  mr_error_t *err);
void mr_http_destroy (mr_http_t **self_p);

/* "127.0.0.1:8090" with the port that it really has. */
const char *mr_http_address (const mr_http_t *self);
bool mr_http_is_loopback (const mr_http_t *self);

#endif
