/* stage_private: the skeleton's state, shared by its parts: stage_main.c (start, signals, end),
 * stage_flow.c (batches through), stage_place.c (the chain), stage_hold.c (its files in the run
 * directory), stage.c (what stages may ask). Included by nobody else. */
#ifndef MR_COMMON_RUNTIME_STAGE_PRIVATE_H
#define MR_COMMON_RUNTIME_STAGE_PRIVATE_H

#include "common/runtime/bus.h"
#include "common/runtime/inbox.h"
#include "common/runtime/peers.h"
#include "common/runtime/presence.h"
#include "common/runtime/stage.h"
#include "common/runtime/worker.h"

#include <zmq.h>

enum { MR_DATA_HWM = 2 };

struct mr_stage {
    const mr_stage_ops_t *ops;
    void *state; /* the stage's own, from ops->create */
    mr_stage_callbacks_t callbacks;

    mr_config_t *config;
    mr_worker_t *worker;
    int slot;
    char first_stage[MR_WORKER_NAME_BYTES]; /* of the chain: where done messages go */
    char next_stage[MR_WORKER_NAME_BYTES];  /* "" for the last */
    bool is_source;

    void *zmq;
    mr_loop_t *loop;
    mr_bus_t *bus;
    mr_inbox_t *inbox;
    mr_peers_t *peers;   /* the next stage's workers; for the last stage, the sources */
    mr_peers_t *sources; /* of stages between: the way for loss notices; NULL elsewhere */

    zmq_msg_t frame;     /* being handled */
    mr_batch_t received; /* as decoded from frame, to see what the stage changed */
    bool answered;       /* by a callback */
    zmq_msg_t kept;      /* a batch that the stage wants again later */
    bool keep_frame;     /* the one being handled is to be kept */
    bool has_kept;
    zmq_msg_t pending; /* waits for room downstream */
    bool has_pending;
    void (*resume) (void *arg); /* a source waits for room */
    void *resume_arg;
    int64_t blocked_since_ns; /* 0: not blocked */
    int64_t blocked_ns;

    int signal_fd;
    mr_presence_t presence;
    bool stopping;
    bool leaving; /* for good: nothing may be left for another life */
    bool withdrawn;
    bool quiet; /* the stage knows that nothing will come any more */
    bool left;
    bool gave_up;           /* a source stopped waiting for what is in flight */
    int64_t alone_since_ns; /* while draining: nobody is downstream; 0: somebody is */
    int exit_code;
};

/* stage_flow.c */
void mr_stage_on_readable (void *arg);
void mr_stage_on_room (void *arg);
void mr_stage_on_lost (void *arg, int slot);

/* Tell the ingest worker whose record our predecessor died of, or with. */
void mr_stage_report_death (mr_stage_t *self);
extern const mr_stage_callbacks_t mr_stage_flow_callbacks;

/* stage_place.c: where this stage stands in the chain. What does not fit becomes a fault of the
 * configuration; to be in the chain at all is asked only of a stage that is to run. */
void mr_stage_find_place (mr_stage_t *self, bool to_run);

/* stage_hold.c: see that the worker's files are in their places, once a second. Returns whether it
 * must end, because nobody can find it any more. */
bool mr_stage_hold (mr_stage_t *self, int64_t mono_ns);

/* Time spent waiting for room downstream so far, the present wait included. */
int64_t mr_stage_blocked_ns (const mr_stage_t *self, int64_t mono_ns);

#endif
