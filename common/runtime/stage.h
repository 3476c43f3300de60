/* stage: the skeleton that every domain shares. A stage is one const ops table and a main of one
 * line; the skeleton owns options, configuration, log, signals, sockets, readiness, loop and drain.
 *
 * Life of a worker, `millrace-<name> -c FILE -n SLOT`:
 *   load and check the configuration (78), take the lock (75 when held), create, bind
 *   RUN/<name>.<slot>.ipc, connect to the next stage's workers as they appear, write a newline to
 *   --ready-fd, run. SIGTERM or SIGINT: unlink the socket, read until all upstreams have said
 *   farewell, drain, say farewell downstream, exit 0. A SIGINT after that: exit 1 at once.
 *   SIGUSR1: the same as SIGTERM, but nobody comes after it: a journal or spool of its own is
 *   finished first, however long that takes; a SIGTERM then ends that wait. SIGHUP: reopen files.
 *   One thread runs everything here; libzmq has its own. */
#ifndef MR_COMMON_RUNTIME_STAGE_H
#define MR_COMMON_RUNTIME_STAGE_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "common/runtime/bus.h"
#include "common/runtime/config.h"
#include "common/runtime/loop.h"
#include "common/runtime/share.h"
#include "common/wire/batch.h"
#include "common/wire/control.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct mr_stage mr_stage_t;

enum { MR_STAGE_LATER_MS = 200 };

/* How a stage answers. A callback that fails is contained and counted (`callback_failures` of the
 * counters event); it stops neither the other callbacks nor the batch. */
typedef struct mr_stage_callbacks {
    mr_stage_t *stage;
    /* Pass the batch on: to the next stage, or, from the last, as done to the ingest that made it.
     * Call exactly one of on_handled, on_taken, on_refused and on_later for each batch handled. The
     * batch's memory is copied or forwarded. */
    void (*on_handled) (mr_stage_t *stage, const mr_batch_t *batch);
    /* The last stage has it, but it is not settled yet: mr_stage_settled follows. */
    void (*on_taken) (mr_stage_t *stage, const mr_batch_t *batch);
    /* It goes nowhere: somebody has it already. */
    void (*on_refused) (mr_stage_t *stage, const mr_batch_t *batch);
    /* Not now: the skeleton keeps the frame, reads nothing more, and hands the batch to `handle`
     * again after MR_STAGE_LATER_MS. */
    void (*on_later) (mr_stage_t *stage, const mr_batch_t *batch);
    /* One operation succeeded. duration_ms: of the whole batch; count: records. */
    void (*on_success) (mr_stage_t *stage, const char *operation, double duration_ms,
                        uint64_t count);
    /* Records failed in one way. */
    void (*on_error) (mr_stage_t *stage, const char *operation, const mr_failure_t *failure);
} mr_stage_callbacks_t;

typedef struct mr_stage_ops {
    const char *name;                  /* the domain, "processor" */
    const char *help;                  /* one line for --help */
    const mr_section_schema_t *schema; /* of its own section; NULL for the built-in domains */

    /* Check what only the stage can, expressions, writable paths, and add each fault with
     * mr_config_reject_entry or mr_config_reject_key. Nothing is started. The configuration may
     * have faults already: entries that are `faulty` have no value. May be NULL.
     *   dry  leave nothing behind on disk
     * MR_OK, also with faults; MR_SYSTEM: out of memory. */
    mr_status_t (*check) (mr_config_t *config, bool dry, mr_error_t *err);

    /* Make the state of one worker. A source adds its own sockets to mr_stage_loop here. */
    mr_status_t (*create) (mr_stage_t *stage, void **ret_self, mr_error_t *err);

    /* One batch; NULL for a source, which calls mr_stage_send itself. */
    void (*handle) (void *self, mr_batch_t *batch, const mr_stage_callbacks_t *callbacks);

    /* All that could be read at once was handled: a few batches. May be NULL. */
    void (*turn_over) (void *self);

    /* A control message came in (sources only). May be NULL. */
    void (*control) (void *self, const mr_control_t *control);

    /* A downstream worker died without leaving: what was sent to it may be lost (sources only; for
     * the others the skeleton tells the sources). May be NULL. */
    void (*lost) (void *self);

    /* About once a second. May be NULL. */
    void (*tick) (void *self, int64_t mono_ns);

    /* The worker is to stop: take in nothing new. Sources only. May be NULL. */
    void (*stop_intake) (void *self);

    /* All upstreams have said farewell and nothing will come any more; called once, before the
     * last questions of `drained`. May be NULL. */
    void (*quiet) (void *self);

    /* Whether everything taken in has left; asked repeatedly after stop_intake or when the inbox
     * is closed. NULL: always. */
    bool (*drained) (void *self);

    /* Append members of the counters event, each as `,"key":value`. May be NULL. */
    mr_status_t (*counters) (void *self, mr_buffer_t *json);

    /* SIGHUP. May be NULL. */
    void (*reopen) (void *self);

    /* Everything is drained and the worker is about to stop: write what is due at the end. The
     * callbacks and mr_stage_publish still work. Not called when create failed. May be NULL. */
    void (*finish) (void *self);

    void (*destroy) (void **self_p);
} mr_stage_ops_t;

/* The whole program. Returns the exit code. */
int mr_stage_main (int argc, char **argv, const mr_stage_ops_t *ops);

const mr_config_t *mr_stage_config (const mr_stage_t *self);
mr_loop_t *mr_stage_loop (mr_stage_t *self);
void *mr_stage_zmq (mr_stage_t *self);                /* the libzmq context */
const char *mr_stage_worker (const mr_stage_t *self); /* "processor.1" */
int mr_stage_slot (const mr_stage_t *self);
uint64_t mr_stage_incarnation (const mr_stage_t *self);

/* Whether it stops for good: what is left now, nobody would take up. */
bool mr_stage_leaving (const mr_stage_t *self);

/* Where to say which record is at work: set it to mr_crumb_base (origin, seq) + index before each
 * record; the skeleton clears it when the batch is handled. */
_Atomic uint64_t *mr_stage_crumb (mr_stage_t *self);
const mr_stage_callbacks_t *mr_stage_callbacks (mr_stage_t *self);

/* The frame of the batch that `handle` was given, as it came in; valid until it returns. */
void mr_stage_frame (mr_stage_t *self, const void **ret_frame, size_t *ret_bytes);
/* A holder of it, with which it stays where it is for longer. NULL: no memory. */
mr_share_t *mr_stage_share (mr_stage_t *self);

/* Whether a batch could be sent now: nothing is pending and some downstream worker has room. */
bool mr_stage_room (mr_stage_t *self);

/* Send an encoded frame (a zmq_msg_t *) downstream. MR_OK: taken; MR_AGAIN: no room, msg is
 * untouched; `resume` of mr_stage_when_room is called once there may be room again. */
MR_CHECK mr_status_t mr_stage_send (mr_stage_t *self, void *msg);
void mr_stage_when_room (mr_stage_t *self, void (*resume) (void *arg), void *arg);

/* The last stage: a batch that was taken is settled. Of the batch: identity, origin, counts. */
void mr_stage_settled (mr_stage_t *self, const mr_batch_t *batch);

/* Tell all sources that batches may have been lost below them. */
void mr_stage_notify_loss (mr_stage_t *self);

/* Publish any other event; json: a complete object. Failures are contained and counted. The
 * skeleton's members (worker, incarnation, event_seq, ts) must be in it: see mr_stage_stamp. */
void mr_stage_publish (mr_stage_t *self, const char *topic, const mr_buffer_t *json);

/* Append `"worker":…,"incarnation":…,"event_seq":…,"ts":…`, taking the next event_seq. */
MR_CHECK mr_status_t mr_stage_stamp (mr_stage_t *self, mr_buffer_t *json);

#endif
