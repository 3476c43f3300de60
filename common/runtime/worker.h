/* worker: one life of a process of the pipeline, and the file by which others know of it.
 *
 * RUN/<name>.lock is locked (OFD write lock, closed on exec) as long as the worker lives: the
 * kernel frees it with the process, so a free lock means a dead worker, and asking (F_OFD_GETLK)
 * takes nothing. A clean exit removes the file. Its first 256 bytes are one line for people and
 * tools:
 *
 *   pid=4711 incarnation=9f3a0c5517d2e6b8 state=running started=2026-11-23T08:41:37.123456Z
 *
 * Behind it, at MR_WORKER_PAGE_AT, are words that the worker changes as it works and that outlive
 * it: the file of a dead worker tells its successor, ingest and the launcher what it was doing. Not
 * thread safe. */
#ifndef MR_COMMON_RUNTIME_WORKER_H
#define MR_COMMON_RUNTIME_WORKER_H

#include "common/base/status.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { MR_WORKER_NAME_BYTES = 64 };

enum { MR_WORKER_PAGE_AT = 1024, MR_WORKER_FILE_BYTES = 4096 };

typedef struct mr_worker_page {
    _Atomic uint64_t crumb;    /* wire/crumb.h; 0: at work on no record */
    _Atomic uint64_t evidence; /* mr_evidence_t: how it died */
    _Atomic uint64_t progress; /* changes whenever work gets on */
    _Atomic uint64_t holding;  /* 1 while it has work in hand that it must get on with */
} mr_worker_page_t;

/* The words of the page at one moment. */
typedef struct mr_worker_traces {
    uint64_t incarnation;
    uint64_t crumb;
    uint64_t evidence;
    uint64_t progress;
    bool holding;
} mr_worker_traces_t;

typedef enum mr_worker_state {
    MR_WORKER_STARTING,
    MR_WORKER_RUNNING,
    MR_WORKER_DRAINING,
} mr_worker_state_t;

typedef struct mr_worker mr_worker_t;

/* What the lock file says. */
typedef struct mr_worker_info {
    char name[MR_WORKER_NAME_BYTES]; /* "processor.1"; "monitor" and "launcher" have no slot */
    char stage[MR_WORKER_NAME_BYTES];
    int slot; /* -1 without one */
    pid_t pid;
    uint64_t incarnation;
    mr_worker_state_t state;
    int64_t started_ns; /* wall clock */
    bool alive;         /* the lock is held */
    mr_worker_traces_t traces;
} mr_worker_info_t;

/* Take the lock of stage.slot (slot -1: just "stage") and write the line, state STARTING.
 * Returns MR_OK; MR_AGAIN (err: who holds it, with its pid); MR_SYSTEM. */
MR_CHECK mr_status_t mr_worker_claim (const char *run_dir, const char *stage, int slot,
                                      mr_worker_t **ret_worker, mr_error_t *err);

/* What a worker left that died here without a clean exit; NULL when there was none. */
const mr_worker_traces_t *mr_worker_predecessor (const mr_worker_t *self);

mr_worker_page_t *mr_worker_page (mr_worker_t *self);

/* Note in a living worker's page why it is about to be killed. MR_CLOSED: it is not this
 * incarnation any more; MR_SYSTEM. */
MR_CHECK mr_status_t mr_worker_accuse (const char *run_dir, const char *name, uint64_t incarnation,
                                       uint64_t evidence);
/* Whether the lock file is not where it was made any more: removed, moved away or replaced, perhaps
 * with its directory. Where that cannot be found out, it is. */
bool mr_worker_gone (const mr_worker_t *self);

/* If it is gone, make it again, and the run directory (none of its parents): the same incarnation,
 * and the words of the page, which stay at their addresses. Says so in the log.
 * MR_OK: it is there; MR_AGAIN: somebody else has the slot by now (err: who); MR_SYSTEM: it cannot
 * be made (err: why not). */
MR_CHECK mr_status_t mr_worker_hold (mr_worker_t *self, mr_error_t *err);

const char *mr_worker_name (const mr_worker_t *self);
uint64_t mr_worker_incarnation (const mr_worker_t *self);
void mr_worker_set_state (mr_worker_t *self, mr_worker_state_t state);

/* Remove the file, if it is still ours, and free the lock. */
void mr_worker_release (mr_worker_t **self_p);

/* Read RUN/<name>.lock. MR_OK; MR_CLOSED: no such file; MR_INVALID; MR_SYSTEM. */
MR_CHECK mr_status_t mr_worker_read (const char *run_dir, const char *name,
                                     mr_worker_info_t *ret_info, mr_error_t *err);

/* Call fn for each lock file in run_dir, living or dead, in no order. */
typedef void mr_worker_fn (const mr_worker_info_t *info, void *arg);
MR_CHECK mr_status_t mr_worker_each (const char *run_dir, mr_worker_fn *fn, void *arg,
                                     mr_error_t *err);

/* Remove what a dead worker left: its lock file and its socket, under its lock. MR_AGAIN: it lives.
 */
MR_CHECK mr_status_t mr_worker_sweep (const char *run_dir, const char *name, mr_error_t *err);

/* The same for every lock file in run_dir whose worker is dead, one without a line too: a worker
 * that was killed in the moment of its start leaves such a one. MR_SYSTEM: err names the first that
 * stayed. */
MR_CHECK mr_status_t mr_worker_sweep_dead (const char *run_dir, mr_error_t *err);

/* "processor.1" -> "processor", 1; a name without a slot gives -1. MR_INVALID: neither. */
MR_CHECK mr_status_t mr_worker_parse_name (const char *name, char *ret_stage, int *ret_slot);

/* "starting", "running", "draining". */
const char *mr_worker_state_name (mr_worker_state_t state);

#endif
