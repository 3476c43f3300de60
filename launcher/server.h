/* server: the launcher's control socket, RUN/launcher.ipc (ROUTER): one JSON object a request; any
 * number of notes and then one answer come back. PROTOCOL.md, "Launcher", has the members.
 * A request that is not answered when its time is up is answered with exit code 99; what it began
 * goes on. Used by the launcher's one thread. */
#ifndef MR_LAUNCHER_SERVER_H
#define MR_LAUNCHER_SERVER_H

#include "common/base/status.h"
#include "common/runtime/loop.h"

#include <jansson.h>
#include <stdint.h>

typedef struct mr_server mr_server_t;

enum { MR_SERVER_MAX_REQUESTS = 64, MR_SERVER_REQUEST_MAX_BYTES = 65536 };

/* A request came in. id: for mr_server_answer, from 1; request: an object, borrowed. */
typedef void mr_server_fn (void *arg, int id, const json_t *request);

/* Bind. MR_SYSTEM: cannot (err: why). */
MR_CHECK mr_status_t mr_server_new (const char *run_dir, mr_loop_t *loop, mr_server_t **ret_server,
                                    mr_error_t *err);

/* Bind again when the socket's file is gone; requests that are open stay so. The caller holds the
 * launcher's lock. MR_OK; MR_SYSTEM. */
MR_CHECK mr_status_t mr_server_hold (mr_server_t *self, mr_error_t *err);
void mr_server_on_request (mr_server_t *self, mr_server_fn *fn, void *arg);

/* Closes the socket; answers that are under way are sent first (up to a second). */
void mr_server_destroy (mr_server_t **self_p);

/* Send a note to all open requests, and keep it for those who ask what happened so far. note:
 * stolen. */
void mr_server_note (mr_server_t *self, json_t *note);

/* Answer and forget a request. code: an exit code; text: "" for nothing to say; body: stolen, its
 * members are added to the answer; NULL: none. An id that is gone is ignored. */
void mr_server_answer (mr_server_t *self, int id, int code, const char *text, json_t *body);

/* Answer what is late. */
void mr_server_tick (mr_server_t *self, int64_t now_ns);

#endif
