/* pump_private: what the files of the pump share: pump.c (life, thread), pump_round.c (frames to
 * rows to the sink), pump_tell.c (what the exporter hears and sees). Nobody else includes it. */
#ifndef MR_STAGES_EXPORTER_PUMP_PRIVATE_H
#define MR_STAGES_EXPORTER_PUMP_PRIVATE_H

#include "common/base/buffer.h"
#include "common/base/seglog_reader.h"
#include "stages/exporter/pump.h"

#include <limits.h>
#include <pthread.h>

enum { MR_PUMP_EVENTS_MAX = 64 };

struct mr_pump {
    mr_pump_options_t options;
    char name[MR_PUMP_NAME_BYTES];
    char spool_dir[PATH_MAX];
    char cursor_path[PATH_MAX];
    mr_rows_t rows;
    mr_sink_t sink;
    mr_handover_t handover;
    uint64_t passed_over; /* bytes handed on of which nothing was due, since it was last woken */

    /* The thread's own. */
    mr_seglog_reader_t *reader;
    mr_cursor_t *cursor;
    mr_cursor_state_t state; /* committed, and what is being added */
    mr_buffer_t gather;      /* rows that do not live in the spool's frames */
    bool is_open;
    bool settled; /* the sink knows that nothing stands behind what was committed */
    int retry_ms;
    int64_t checked_ns; /* when it last looked whether the sink moved */
    int64_t synced_ns;  /* when the cursor was last synced */

    pthread_t thread;
    bool running;
    atomic_bool stop;
    atomic_bool awake; /* set by whoever has news; cleared before looking for them */
    atomic_bool reopen;
    atomic_bool failing;
    atomic_bool hurry;
    _Atomic uint64_t drop_below;
    _Atomic uint64_t position;
    _Atomic uint64_t synced; /* the position that a power loss leaves */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t cond;
    mr_cursor_state_t shown;
    uint64_t damaged_bytes;
    char failure[256];
    mr_pump_event_t events[MR_PUMP_EVENTS_MAX];
    unsigned event_count;
};

/* pump_tell.c */
void mr_pump_push_event (mr_pump_t *self, const mr_pump_event_t *event);
void mr_pump_show (mr_pump_t *self); /* the state is committed */
/* Wait for news or until the time is up. */
void mr_pump_wait (mr_pump_t *self, int timeout_ms);
void mr_pump_notify (mr_pump_t *self);
/* Say why the sink fails and wait before the next try; and that it works. */
void mr_pump_fail (mr_pump_t *self, const char *text);
void mr_pump_recover (mr_pump_t *self);

/* pump_round.c */
/* Rows that are due of this frame, as the exporter counted them. */
uint64_t mr_pump_due_rows (const mr_pump_t *self, const mr_seglog_frame_t *frame);
/* MR_OK; MR_AGAIN: the spool is at its end; MR_SYSTEM: start over, err says why. */
MR_CHECK mr_status_t mr_pump_round (mr_pump_t *self, mr_error_t *err);
/* Move on to `below`, counting the rows on the way; position and count are one commit. */
MR_CHECK mr_status_t mr_pump_give_up (mr_pump_t *self, uint64_t below, mr_error_t *err);
void mr_pump_commit (mr_pump_t *self);
/* The sink is in doubt: open it again, and offer again what is due from the last commit on. */
void mr_pump_start_over (mr_pump_t *self);

#endif
