/* targets: "processor", "exporter.1", "processor=4", "metrics=+1" as jobs. Pure. */
#ifndef MR_LAUNCHER_TARGETS_H
#define MR_LAUNCHER_TARGETS_H

#include "launcher/jobs.h"

/* STAGE, STAGE.N or "monitor". MR_INVALID: err says what is wrong and names the nearest stage. */
MR_CHECK mr_status_t mr_target_restart (const mr_plan_t *plan, const char *text, mr_job_t *ret_job,
                                        mr_error_t *err);

/* STAGE=N, STAGE=+K, STAGE=-K. */
MR_CHECK mr_status_t mr_target_scale (const mr_plan_t *plan, const char *text, mr_job_t *ret_job,
                                      mr_error_t *err);

#endif
