#include "launcher/jobs.h"

#include "launcher/job_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
mr_jobs_init (mr_jobs_t *self, mr_plan_t *plan, mr_roster_t *roster)
{
    *self = (mr_jobs_t){.plan = plan, .roster = roster};
}

void
mr_jobs_on_done (mr_jobs_t *self, mr_job_done_fn *done, void *arg)
{
    self->done = done;
    self->arg = arg;
}

void
mr_jobs_release (mr_jobs_t *self)
{
    for (int i = 0; i < self->count; i++) {
        free (self->list[i]);
    }
    self->count = 0;
}

static void
finish (mr_jobs_t *self, int index)
{
    mr_job_t *job = self->list[index];
    memmove (self->list + index, self->list + index + 1,
             (size_t)(self->count - index - 1) * sizeof (mr_job_t *));
    self->count--;
    if (self->done != NULL) {
        self->done (self->arg, job);
    }
    free (job);
}

bool
mr_jobs_busy (const mr_jobs_t *self, mr_job_kind_t kind)
{
    for (int i = 0; i < self->count; i++) {
        if (self->list[i]->kind == kind) {
            return true;
        }
    }
    return false;
}

mr_status_t
mr_jobs_add (mr_jobs_t *self, const mr_job_t *job, mr_error_t *err)
{
    if (job->kind != MR_JOB_DOWN && mr_jobs_busy (self, MR_JOB_DOWN)) {
        mr_error_set (err, "the chain is going down");
        return MR_AGAIN;
    }
    mr_job_t *copy = self->count < MR_JOBS_MAX ? malloc (sizeof *copy) : NULL;
    if (copy == NULL) {
        mr_error_set (err, "too many requests are under way (%d)", self->count);
        return MR_AGAIN;
    }
    if (job->kind == MR_JOB_DOWN) {
        for (int i = self->count - 1; i >= 0; i--) {
            if (self->list[i]->kind != MR_JOB_DOWN) {
                self->list[i]->code = MR_EXIT_TEMPORARY;
                self->list[i]->ended = true;
                snprintf (self->list[i]->text, MR_JOB_TEXT_BYTES, "given up: the chain goes down");
                finish (self, i);
            } else if (job->now) {
                self->list[i]->now = true;
                self->list[i]->issued = false;
            }
        }
    }
    *copy = *job;
    self->list[self->count++] = copy;
    return MR_OK;
}

/* Whether an earlier job is busy with the same stage. One that only waits for a worker to leave is
 * not: that may take as long as a sink is broken, and nobody is to be kept from the stage so long.
 */
static bool
must_wait (const mr_jobs_t *self, int index)
{
    const mr_job_t *job = self->list[index];
    for (int i = 0; i < index; i++) {
        const mr_job_t *other = self->list[i];
        if (job->stage[0] != '\0' && other->look_ns == 0 &&
            strcmp (other->stage, job->stage) == 0) {
            return true;
        }
    }
    return false;
}

static bool
step (mr_jobs_t *self, mr_job_t *job, int64_t now_ns)
{
    switch (job->kind) {
    case MR_JOB_UP:
        return mr_job_step_up (job, self->plan, self->roster);
    case MR_JOB_DOWN:
        return mr_job_step_down (job, self->plan, self->roster, now_ns);
    case MR_JOB_RESTART:
        return mr_job_step_restart (job, self->plan, self->roster);
    case MR_JOB_FINISH:
        return mr_job_step_finish (job, self->plan, self->roster, now_ns);
    case MR_JOB_SCALE:
        return mr_job_step_scale (job, self->plan, self->roster, now_ns);
    }
    return true;
}

void
mr_jobs_run (mr_jobs_t *self, int64_t now_ns)
{
    for (int i = 0; i < self->count;) {
        if (!must_wait (self, i) && step (self, self->list[i], now_ns)) {
            finish (self, i);
        } else {
            i++;
        }
    }
}
