/* pump: brings one sink what is due to it. A thread of its own reads the spool, makes rows, writes
 * them and commits the sink's cursor behind them, at its own pace: a sink that is slow or fails
 * holds up nobody else, as long as the spool may grow.
 *
 * The exporter's thread makes, wakes, asks and ends it; all calls here are for that thread. */
#ifndef MR_STAGES_EXPORTER_PUMP_H
#define MR_STAGES_EXPORTER_PUMP_H

#include "common/base/status.h"
#include "common/record/rows.h"
#include "stages/exporter/handover.h"
#include "stages/exporter/sink.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { MR_PUMP_NAME_BYTES = 64 };

typedef struct mr_pump mr_pump_t;

/* How the spool stood when the exporter opened it: where a new sink begins. */
typedef struct mr_pump_start {
    uint64_t spool; /* id */
    uint64_t first;
    uint64_t end;
    uint64_t rows_end;   /* rows of this input ever in the spool, and ... */
    uint64_t rows_first; /* ... before `first`; UINT64_MAX: not known */
} mr_pump_start_t;

typedef struct mr_pump_options {
    const char *name;        /* of the sink; copied */
    const char *spool_dir;   /* copied */
    const char *cursor_path; /* copied */
    mr_pump_start_t start;
    uint64_t key;       /* MR_SPOOL_WORD_SINK of metrics frames for this sink */
    bool fsync;         /* read what is synced only; sync the sink before each commit, and the
                         * cursor before segments that it has passed may go */
    bool may_drop;      /* mr_pump_drop may be called */
    uint64_t lag_bytes; /* of the spool, of which nothing is due: it need not be woken for less */
    int event_fd;       /* an eventfd that is written when there is something to take; borrowed */
} mr_pump_options_t;

/* rows and sink belong to the pump from now on, also on failure.
 * MR_SYSTEM: no memory, no thread, no cursor; a cursor that is broken is the sink's failure. */
MR_CHECK mr_status_t mr_pump_new (const mr_pump_options_t *options, mr_rows_t *rows,
                                  mr_sink_t *sink, mr_pump_t **ret_pump, mr_error_t *err);

/* Stop within a moment (a system call that hangs apart) and free it. What is not delivered stays in
 * the spool. */
void mr_pump_destroy (mr_pump_t **self_p);

/* This was appended to the spool: take it from memory, if there is room for it to wait. A frame of
 * which nothing is due to the sink is only noted; the sink is woken for it now and then. */
void mr_pump_hand (mr_pump_t *self, const mr_handed_t *handed);

void mr_pump_wake (mr_pump_t *self);   /* there is more in the spool */
void mr_pump_reopen (mr_pump_t *self); /* SIGHUP */

/* Give up what is due below this position; at a frame's start or not. */
void mr_pump_drop (mr_pump_t *self, uint64_t position);

typedef struct mr_pump_status {
    mr_cursor_state_t cursor;
    uint64_t damaged_bytes; /* of the spool, in this life: rows in them are lost */
    bool failing;
    char failure[256]; /* why; "" if not */
} mr_pump_status_t;

const char *mr_pump_name (const mr_pump_t *self);
void mr_pump_status (mr_pump_t *self, mr_pump_status_t *ret_status);

/* Committed position alone: cheap. */
uint64_t mr_pump_position (const mr_pump_t *self);

/* What of it survives what the sink is to survive: with fsync what is synced, soon after it was
 * committed. What lies below may go. */
uint64_t mr_pump_kept (const mr_pump_t *self);

/* The end is near: sync the cursor as soon as all is delivered. */
void mr_pump_hurry (mr_pump_t *self);

bool mr_pump_failing (const mr_pump_t *self);

/* What happened since the last time. */
typedef struct mr_pump_event {
    bool failed;    /* else: delivered */
    double ms;      /* delivered: how long it took ... */
    uint64_t count; /* ... for so many rows */
    double latency; /* ms since the last batch in it was begun; < 0: it had none */
    char text[256]; /* failed: why */
} mr_pump_event_t;

typedef void mr_pump_event_fn (void *arg, const mr_pump_t *pump, const mr_pump_event_t *event);
void mr_pump_take_events (mr_pump_t *self, mr_pump_event_fn *fn, void *arg);

#endif
