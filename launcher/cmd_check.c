/* check: all faults of the configuration that the schema can see, then those that only the stages
 * can (expressions, paths that cannot be written). */
#include "launcher/check.h"

#include "common/runtime/pipeline_dirs.h"
#include "launcher/child.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
print_fault (const char *text, void *arg)
{
    (void)arg;
    fprintf (stderr, "%s\n", text);
}

/* Run `millrace-<stage> --check`, the monitor without a slot; what it says goes to our stderr. */
static int
check_stage (const mr_plan_t *plan, const char *stage)
{
    mr_error_t err;
    char name[MR_WORKER_NAME_BYTES + 16];
    char program[PATH_MAX];
    snprintf (name, sizeof name, "millrace-%s", stage);
    if (mr_child_find (name, program, &err) != MR_OK) {
        fprintf (stderr, "%s: [pipeline] chain: %s\n", plan->config, err.text);
        return MR_EXIT_CONFIG;
    }
    fflush (stdout);
    pid_t pid = fork ();
    if (pid == 0) {
        dup2 (STDERR_FILENO, STDOUT_FILENO);
        const char *slot = mr_plan_find (plan, stage) < 0 ? NULL : "-n";
        execl (program, program, "-c", plan->config, "--check", slot, "0", (char *)NULL);
        fprintf (stderr, "cannot run %s: %s\n", program, strerror (errno));
        _exit (MR_EXIT_FAILED);
    }
    int status;
    while (pid > 0 && waitpid (pid, &status, 0) < 0) {
        if (errno != EINTR) {
            pid = -1;
        }
    }
    if (pid < 0) {
        fprintf (stderr, "cannot run %s: %s\n", program, strerror (errno));
        return MR_EXIT_FAILED;
    }
    return WIFEXITED (status) ? WEXITSTATUS (status) : MR_EXIT_BUG;
}

int
mr_check_configuration (const char *path, mr_plan_t *ret_plan)
{
    mr_error_t err;
    if (mr_config_check (path, NULL, print_fault, NULL) > 0) {
        return MR_EXIT_CONFIG;
    }
    mr_cli_t cli = {.config = path};
    mr_plan_t plan;
    mr_config_t *config = NULL;
    int code = mr_cli_load (&cli, &config, &plan);
    if (code != 0) {
        return code;
    }
    mr_status_t status = mr_pipeline_dirs_make (config, &err);
    mr_config_destroy (&config);
    if (status != MR_OK) {
        fprintf (stderr, "%s\n", err.text);
        return MR_EXIT_CONFIG;
    }
    for (int i = 0; i <= plan.stage_count; i++) {
        const char *stage = i < plan.stage_count ? plan.stages[i].name : "monitor";
        int stage_code = check_stage (&plan, stage);
        code = code == 0 || stage_code == MR_EXIT_CONFIG ? stage_code : code;
    }
    *ret_plan = plan;
    return code;
}

int
mr_cmd_check (mr_cli_t *cli)
{
    mr_plan_t plan;
    const char *path = cli->word_count == 1 ? cli->words[0] : cli->config;
    int code = mr_check_configuration (path, &plan);
    if (code == MR_EXIT_OK) {
        printf ("%s: ok\n", path);
    }
    return code;
}
