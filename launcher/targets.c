#include "launcher/targets.h"

#include "common/base/option.h"
#include "common/base/slots.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mr_status_t
unknown_stage (const mr_plan_t *plan, const char *stage, mr_error_t *err)
{
    const char *names[MR_PLAN_MAX_STAGES + 2];
    char list[512] = "";
    int count = 0;
    for (; count < plan->stage_count; count++) {
        names[count] = plan->stages[count].name;
        size_t used = strlen (list);
        snprintf (list + used, sizeof list - used, "%s%s", used > 0 ? ", " : "", names[count]);
    }
    names[count++] = "monitor";
    names[count] = NULL;
    const char *nearest = mr_option_nearest (stage, names);
    if (nearest != NULL) {
        mr_error_set (err, "no stage \"%s\"; nearest: %s", stage, nearest);
    } else {
        mr_error_set (err, "no stage \"%s\"; there are %s, monitor", stage, list);
    }
    return MR_INVALID;
}

mr_status_t
mr_target_restart (const mr_plan_t *plan, const char *text, mr_job_t *ret_job, mr_error_t *err)
{
    mr_job_t job = {.kind = MR_JOB_RESTART, .slot = -1};
    if (strlen (text) >= sizeof job.stage ||
        mr_worker_parse_name (text, job.stage, &job.slot) != MR_OK) {
        mr_error_set (err, "\"%.64s\" is neither a stage nor STAGE.SLOT", text);
        return MR_INVALID;
    }
    bool monitor = strcmp (job.stage, "monitor") == 0 && job.slot < 0;
    int stage = mr_plan_find (plan, job.stage);
    if (stage < 0 && !monitor) {
        return unknown_stage (plan, text, err);
    }
    if (!monitor && job.slot >= plan->stages[stage].workers) {
        mr_error_set (err, "no worker %s: %s has %d, slots count from 0", text, job.stage,
                      plan->stages[stage].workers);
        return MR_INVALID;
    }
    *ret_job = job;
    return MR_OK;
}

mr_status_t
mr_target_scale (const mr_plan_t *plan, const char *text, mr_job_t *ret_job, mr_error_t *err)
{
    mr_job_t job = {.kind = MR_JOB_SCALE, .slot = -1, .sign = '='};
    const char *equals = strchr (text, '=');
    size_t bytes = equals == NULL ? 0 : (size_t)(equals - text);
    if (bytes == 0 || bytes >= sizeof job.stage) {
        mr_error_set (err, "\"%.64s\" is not STAGE=N, STAGE=+K or STAGE=-K", text);
        return MR_INVALID;
    }
    memcpy (job.stage, text, bytes);
    const char *number = equals + 1;
    if (*number == '+' || *number == '-') {
        job.sign = *number++;
    }
    char *end;
    long value = strtol (number, &end, 10);
    if (!isdigit ((unsigned char)*number) || *end != '\0' || value > MR_SLOTS_MAX) {
        mr_error_set (err, "\"%.64s\": the number of workers is 1 .. %d", text, MR_SLOTS_MAX);
        return MR_INVALID;
    }
    int stage = mr_plan_find (plan, job.stage);
    if (stage < 0) {
        if (strcmp (job.stage, "monitor") == 0) {
            mr_error_set (err, "there is one monitor; it does not scale");
            return MR_INVALID;
        }
        return unknown_stage (plan, job.stage, err);
    }
    job.workers = (int)value;
    int now = plan->stages[stage].workers;
    int wanted = job.sign == '=' ? job.workers : job.sign == '+' ? now + job.workers : 1;
    if (mr_plan_can_have (plan, stage, wanted, err) != MR_OK) {
        return MR_CONFIG;
    }
    *ret_job = job;
    return MR_OK;
}
