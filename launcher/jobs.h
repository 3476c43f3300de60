/* jobs: what the launcher was asked to make true and is busy with. Each job is stepped after every
 * event until it is done. Jobs for different stages run side by side; jobs for the same stage wait
 * for one another in the order in which they came, but not for one that waits for a worker to
 * leave; `down` ends all others. Used by the launcher's one thread. */
#ifndef MR_LAUNCHER_JOBS_H
#define MR_LAUNCHER_JOBS_H

#include "launcher/roster.h"

#include <stdbool.h>
#include <stdint.h>

enum { MR_JOBS_MAX = 128, MR_JOB_TEXT_BYTES = 2048 };

typedef enum mr_job_kind {
    MR_JOB_UP,      /* monitor, then the stages from the end of the chain to its start */
    MR_JOB_DOWN,    /* the stages from the start of the chain to its end, then the monitor */
    MR_JOB_RESTART, /* one worker after another */
    MR_JOB_SCALE,   /* to `workers`; superfluous workers drain, the highest slot first */
    MR_JOB_FINISH,  /* what superfluous workers left that died before they had finished */
} mr_job_kind_t;

typedef struct mr_job {
    mr_job_kind_t kind;
    char stage[MR_WORKER_NAME_BYTES]; /* RESTART, SCALE, FINISH; "monitor" may be restarted */
    int slot;                         /* RESTART: -1 all */
    bool now;                         /* DOWN, RESTART: do not drain */
    bool strict;                      /* UP: end at the first stage that does not start */
    char sign;                        /* SCALE: '=', '+' or '-' */
    int workers;                      /* SCALE: how many, or how many more or fewer */
    int request;                      /* whom to tell; passed to the done function */

    /* The job's own. */
    bool begun;
    bool issued; /* the events of this position are out */
    int position;
    int before; /* SCALE: workers before it; RESTART: the unit's life before it */
    int64_t deadline_ns;
    int64_t look_ns; /* SCALE, FINISH: when to look again what the one that leaves waits for */
    bool ended;      /* by DOWN, before it was done */
    int code;
    char text[MR_JOB_TEXT_BYTES]; /* what went wrong, or what had to be killed */
} mr_job_t;

/* A job is over. code: an exit code; text: what to say, "" for nothing; borrowed. */
typedef void mr_job_done_fn (void *arg, const mr_job_t *job);

typedef struct mr_jobs {
    mr_plan_t *plan; /* SCALE changes workers */
    mr_roster_t *roster;
    mr_job_done_fn *done;
    void *arg;
    mr_job_t *list[MR_JOBS_MAX];
    int count;
} mr_jobs_t;

void mr_jobs_init (mr_jobs_t *self, mr_plan_t *plan, mr_roster_t *roster);
void mr_jobs_on_done (mr_jobs_t *self, mr_job_done_fn *done, void *arg);
void mr_jobs_release (mr_jobs_t *self);

/* Take on a copy of a job. DOWN ends all others with MR_EXIT_TEMPORARY; a second DOWN joins the
 * first and, with `now`, hastens it. MR_AGAIN: too many jobs, or the chain is going down. */
MR_CHECK mr_status_t mr_jobs_add (mr_jobs_t *self, const mr_job_t *job, mr_error_t *err);

/* Step all jobs as far as they go now. */
void mr_jobs_run (mr_jobs_t *self, int64_t now_ns);

bool mr_jobs_busy (const mr_jobs_t *self, mr_job_kind_t kind);

#endif
