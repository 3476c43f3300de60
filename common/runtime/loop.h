/* loop: one thread's poll over libzmq sockets, file descriptors and timers (zmq_poll). Handlers may
 * add and remove anything, themselves included. Not thread safe. */
#ifndef MR_COMMON_RUNTIME_LOOP_H
#define MR_COMMON_RUNTIME_LOOP_H

#include "common/base/status.h"

#include <stdint.h>

typedef struct mr_loop mr_loop_t;

/* Events, as libzmq's ZMQ_POLLIN and so on. */
enum { MR_LOOP_IN = 1, MR_LOOP_OUT = 2, MR_LOOP_ERR = 4 };

typedef void mr_loop_ready_fn (void *arg, short revents); /* ZMQ_POLLIN, ZMQ_POLLOUT, ZMQ_POLLERR */
typedef void mr_loop_timer_fn (void *arg, int64_t mono_ns);

MR_CHECK mr_status_t mr_loop_new (mr_loop_t **ret_loop);
void mr_loop_destroy (mr_loop_t **self_p);

/* What is watched: a libzmq socket, or with socket NULL a descriptor. */
typedef struct mr_loop_source {
    void *socket;
    int fd;
} mr_loop_source_t;

#define mr_loop_socket(s) ((mr_loop_source_t){.socket = (s), .fd = -1})
#define mr_loop_fd(f) ((mr_loop_source_t){.socket = NULL, .fd = (f)})

/* Watch. events 0: registered, not watched.
 * Returns an id for the calls below, never 0; 0: out of memory. */
int mr_loop_add (mr_loop_t *self, mr_loop_source_t source, short events, mr_loop_ready_fn *fn,
                 void *arg);
void mr_loop_events (mr_loop_t *self, int id, short events);
void mr_loop_remove (mr_loop_t *self, int id);

/* Call fn every interval_ms (1 ..), first after one interval. Returns an id; 0: out of memory. */
int mr_loop_timer (mr_loop_t *self, int interval_ms, mr_loop_timer_fn *fn, void *arg);

/* Call fn once, at mono_ns or soon after. Returns an id; 0: out of memory. */
int mr_loop_at (mr_loop_t *self, int64_t mono_ns, mr_loop_timer_fn *fn, void *arg);
void mr_loop_timer_remove (mr_loop_t *self, int id);

/* Wait once for at most timeout_ms (-1: until something happens), then call what is ready.
 * MR_SYSTEM: polling failed for good. */
MR_CHECK mr_status_t mr_loop_once (mr_loop_t *self, int timeout_ms);

/* Run until mr_loop_stop. */
MR_CHECK mr_status_t mr_loop_run (mr_loop_t *self);
void mr_loop_stop (mr_loop_t *self);

#endif
