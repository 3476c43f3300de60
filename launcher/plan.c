#include "launcher/plan.h"

#include "common/base/dirs.h"
#include "common/base/file_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
add_stage (const char *word, void *arg)
{
    mr_plan_t *plan = arg;
    if (plan->stage_count < MR_PLAN_MAX_STAGES) {
        mr_plan_stage_t *stage = &plan->stages[plan->stage_count];
        snprintf (stage->name, sizeof stage->name, "%s", word);
        stage->workers = 1;
    }
    plan->stage_count++;
}

mr_status_t
mr_plan_read (const mr_config_t *config, mr_plan_t *ret_plan, mr_error_t *err)
{
    const mr_config_section_t *pipeline = mr_config_section (config, "pipeline");
    const mr_config_section_t *launcher = mr_config_section (config, "launcher");
    mr_plan_t plan = {
        .limits =
            {
                .start_timeout_ms = mr_config_number (pipeline, "start_timeout"),
                .stop_timeout_ms = mr_config_number (pipeline, "stop_timeout"),
                .backoff_max_ms = mr_config_number (launcher, "backoff_max"),
                .restart_limit = (int)mr_config_number (launcher, "restart_limit"),
                .restart_window_ms = mr_config_number (launcher, "restart_window"),
            },
        .hang_ms = mr_config_number (launcher, "hang_timeout"),
    };
    const char *name = mr_config_text (pipeline, "name");
    snprintf (plan.name, sizeof plan.name, "%s", name != NULL ? name : "");
    snprintf (plan.config, sizeof plan.config, "%s", mr_config_file (config));
    snprintf (plan.run_dir, sizeof plan.run_dir, "%s", mr_config_text (pipeline, "run_dir"));
    snprintf (plan.data_dir, sizeof plan.data_dir, "%s", mr_config_text (pipeline, "data_dir"));
    snprintf (plan.log_dir, sizeof plan.log_dir, "%s", mr_config_text (pipeline, "log_dir"));
    mr_config_words (mr_config_text (pipeline, "chain"), add_stage, &plan);
    if (plan.stage_count > MR_PLAN_MAX_STAGES) {
        mr_error_set (err, "%s: [pipeline] chain: %d stages, at most %d", plan.config,
                      plan.stage_count, MR_PLAN_MAX_STAGES);
        return MR_CONFIG;
    }
    for (int i = 0; i < plan.stage_count; i++) {
        const mr_config_section_t *section = mr_config_section (config, plan.stages[i].name);
        if (section != NULL) {
            plan.stages[i].workers = (int)mr_config_number (section, "workers");
        }
    }
    if (mr_config_many_ingests (config, &plan.one_ingest) == MR_OK) {
        mr_error_set (&plan.one_ingest, "%s", "");
    }
    *ret_plan = plan;
    return MR_OK;
}

mr_status_t
mr_plan_can_have (const mr_plan_t *plan, int stage, int workers, mr_error_t *err)
{
    if (workers > 1 && plan->one_ingest.text[0] != '\0' &&
        strcmp (plan->stages[stage].name, "ingest") == 0) {
        mr_error_set (err, "%s", plan->one_ingest.text);
        return MR_CONFIG;
    }
    return MR_OK;
}

int
mr_plan_find (const mr_plan_t *plan, const char *stage)
{
    for (int i = 0; i < plan->stage_count; i++) {
        if (strcmp (plan->stages[i].name, stage) == 0) {
            return i;
        }
    }
    return -1;
}

mr_status_t
mr_plan_same_file (const mr_plan_t *plan, const char *runs_with, const char *given, mr_error_t *err)
{
    char first[PATH_MAX];
    char second[PATH_MAX];
    bool real = realpath (runs_with, first) != NULL && realpath (given, second) != NULL;
    if (strcmp (runs_with, given) == 0 || (real && strcmp (first, second) == 0)) {
        return MR_OK;
    }
    mr_error_set (err,
                  "the chain in %s runs with %s, not with %s: say -c %s, or take it down first",
                  plan->run_dir, runs_with, given, runs_with);
    return MR_CONFIG;
}

mr_status_t
mr_plan_make_dirs (const mr_plan_t *plan, mr_error_t *err)
{
    mr_status_t status = mr_dirs_make (plan->run_dir, 0700, err);
    status = status == MR_OK ? mr_dirs_make (plan->log_dir, 0750, err) : status;
    return status != MR_OK && mr_file_may_pass (err->number) ? MR_SYSTEM : status;
}
