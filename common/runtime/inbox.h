/* inbox: the receiving side of a link: the PULL socket RUN/<worker>.ipc of one worker, with count
 * of who is connected, so that a worker that leaves knows when all its upstreams have said
 * farewell. Not thread safe. */
#ifndef MR_COMMON_RUNTIME_INBOX_H
#define MR_COMMON_RUNTIME_INBOX_H

#include "common/base/status.h"
#include "common/runtime/loop.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_inbox mr_inbox_t;

typedef struct mr_inbox_options {
    void *zmq;        /* context; borrowed */
    mr_loop_t *loop;  /* borrowed */
    const char *path; /* of the socket, at most 107 bytes; copied */
    int hwm;          /* messages queued on our side for each upstream */
    /* Called while there may be something to receive and the inbox is enabled. */
    void (*readable) (void *arg);
    void *arg;
} mr_inbox_options_t;

/* Bind. The caller holds the worker's lock: binding takes the path from whoever has it. */
MR_CHECK mr_status_t mr_inbox_new (const mr_inbox_options_t *options, mr_inbox_t **ret_inbox,
                                   mr_error_t *err);
void mr_inbox_destroy (mr_inbox_t **self_p);

/* Receive one frame into msg (an initialised zmq_msg_t *), 8-byte aligned. Farewells are swallowed.
 * MR_OK; MR_AGAIN: nothing is there. */
MR_CHECK mr_status_t mr_inbox_receive (mr_inbox_t *self, void *msg);

/* Whether `readable` is called. */
void mr_inbox_enable (mr_inbox_t *self, bool enabled);

/* Take the socket's file away: upstreams see it, say farewell and close. */
void mr_inbox_withdraw (mr_inbox_t *self);

/* If the socket's file is gone and was not withdrawn, bind it there once more: upstreams that are
 * connected stay so, others find it. The caller holds the worker's lock. MR_OK; MR_SYSTEM. */
MR_CHECK mr_status_t mr_inbox_hold (mr_inbox_t *self, mr_error_t *err);

/* After withdrawing: nobody is connected, nothing is waiting, and so it has been for 50 ms (a
 * connection that was under way when the file went is counted by then). */
bool mr_inbox_quiet (mr_inbox_t *self, int64_t mono_ns);

#endif
