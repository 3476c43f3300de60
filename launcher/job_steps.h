/* job_steps: how far each kind of job can go now; the inside of jobs.c. Each returns whether the
 * job is over, with code and text set. */
#ifndef MR_LAUNCHER_JOB_STEPS_H
#define MR_LAUNCHER_JOB_STEPS_H

#include "launcher/jobs.h"

bool mr_job_step_up (mr_job_t *job, const mr_plan_t *plan, mr_roster_t *roster);
bool mr_job_step_down (mr_job_t *job, const mr_plan_t *plan, mr_roster_t *roster, int64_t now_ns);
bool mr_job_step_restart (mr_job_t *job, const mr_plan_t *plan, mr_roster_t *roster);
bool mr_job_step_scale (mr_job_t *job, mr_plan_t *plan, mr_roster_t *roster, int64_t now_ns);
bool mr_job_step_finish (mr_job_t *job, const mr_plan_t *plan, mr_roster_t *roster, int64_t now_ns);

#endif
