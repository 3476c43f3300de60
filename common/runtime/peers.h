/* peers: the sending side of a link. One PUSH socket for each living worker of a stage, made when
 * its socket appears in the run directory.
 *
 * Leaving on purpose: a worker unlinks its socket file; here its PUSH gets the padded farewell
 * behind what is queued and is closed, so nothing is lost. Dying: the connection breaks without
 * that; the PUSH is closed at once with what it still held, `lost` is called, and a new one waits
 * for a successor. Not thread safe. */
#ifndef MR_COMMON_RUNTIME_PEERS_H
#define MR_COMMON_RUNTIME_PEERS_H

#include "common/base/status.h"
#include "common/runtime/loop.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct mr_peers mr_peers_t;

typedef struct mr_peers_options {
    void *zmq;           /* context; borrowed */
    mr_loop_t *loop;     /* borrowed */
    const char *run_dir; /* copied */
    const char *stage;   /* the stage to send to; copied */
    int hwm;             /* messages queued for each worker on our side */
    bool immediate;      /* queue only for connected workers (data), or also before (hints) */
    int linger_ms;       /* how long a closed socket may go on sending */
    /* A worker broke its connection without leaving. May be NULL. */
    void (*lost) (void *arg, int slot);
    /* There may be room again, or the set of workers changed; only after mr_peers_want_room. */
    void (*room) (void *arg);
    void *arg;
} mr_peers_options_t;

MR_CHECK mr_status_t mr_peers_new (const mr_peers_options_t *options, mr_peers_t **ret_peers,
                                   mr_error_t *err);
void mr_peers_destroy (mr_peers_t **self_p);

/* Hand the message (a zmq_msg_t *) to the next worker in turn that has room.
 * MR_OK: taken (msg is empty now); MR_AGAIN: none has room, msg is untouched. */
MR_CHECK mr_status_t mr_peers_send (mr_peers_t *self, void *msg);

/* Hand a copy of bytes to the worker of this slot. MR_AGAIN: no such worker, or no room. */
MR_CHECK mr_status_t mr_peers_send_to (mr_peers_t *self, int slot, const void *data, size_t bytes);

/* Hand a copy to every worker; those without room miss it. */
void mr_peers_send_all (mr_peers_t *self, const void *data, size_t bytes);

/* Ask for one call of `room`. */
void mr_peers_want_room (mr_peers_t *self);

/* Whether there is any worker to send to, though it may be starting. */
bool mr_peers_any (const mr_peers_t *self);

/* Whether some connected worker has room now. */
bool mr_peers_have_room (const mr_peers_t *self);

/* Say farewell to all and take no new ones; mr_peers_gone: all farewells are on their way. */
void mr_peers_leave (mr_peers_t *self);
bool mr_peers_gone (const mr_peers_t *self);

#endif
