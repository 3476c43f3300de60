/* check: all faults of a configuration in one list: those that its file shows, directories that
 * cannot be written, stages that there are not, and what each stage's program says of its part. */
#include "launcher/check.h"

#include "common/runtime/pipeline_dirs.h"
#include "launcher/child.h"
#include "launcher/faults.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct checking {
    mr_config_t *config;
    const char *path; /* as the user wrote it, which every line begins with */
    mr_faults_t faults;
    int code; /* the worst */
} checking_t;

static void
worsen (checking_t *self, int code)
{
    self->code = self->code == MR_EXIT_OK || code == MR_EXIT_CONFIG ? code : self->code;
}

static void
cannot (checking_t *self, const char *what, const char *program)
{
    mr_error_t line;
    (void)mr_error_errno (&line, "cannot %s %s", what, program);
    mr_faults_add (&self->faults, line.text);
    worsen (self, MR_EXIT_FAILED);
}

static void
run_program (const char *program, const char *path, const char *slot, int fd)
{
    dup2 (fd, STDOUT_FILENO);
    dup2 (fd, STDERR_FILENO);
    execl (program, program, "-c", path, "--check", slot, "0", (char *)NULL);
    fprintf (stderr, "cannot run %s: %s\n", program, strerror (errno));
    _exit (MR_EXIT_FAILED);
}

/* Run `PROGRAM --check` and take the lines that it prints. slot: "-n", or NULL for the monitor. */
static void
ask_program (checking_t *self, const char *program, const char *slot)
{
    int ends[2];
    if (pipe (ends) != 0) {
        cannot (self, "ask", program);
        return;
    }
    fflush (NULL);
    pid_t pid = fork ();
    if (pid == 0) {
        run_program (program, self->path, slot, ends[1]);
    }
    close (ends[1]);
    mr_faults_read (&self->faults, ends[0]);
    close (ends[0]);
    int status = 0;
    while (pid > 0 && waitpid (pid, &status, 0) < 0) {
        if (errno != EINTR) {
            pid = -1;
        }
    }
    if (pid < 0) {
        cannot (self, "run", program);
    } else if (!WIFEXITED (status)) {
        mr_error_t line;
        mr_error_set (&line, "%s --check was killed by signal %d", program, WTERMSIG (status));
        mr_faults_add (&self->faults, line.text);
        worsen (self, MR_EXIT_BUG);
    } else if (WEXITSTATUS (status) != 0) {
        worsen (self, WEXITSTATUS (status));
    }
}

static const char *const built_in[] = {"ingest", "processor", "metrics", "exporter", NULL};

static mr_status_t
find_program (const char *name, char program[PATH_MAX], mr_error_t *err)
{
    char base[MR_WORKER_NAME_BYTES + 16];
    snprintf (base, sizeof base, "millrace-%.64s", name);
    return mr_child_find (base, program, err);
}

/* A stage of the chain: there must be a program of its name. */
static void
find_stage (const char *name, void *arg)
{
    checking_t *self = arg;
    char program[PATH_MAX];
    mr_error_t why;
    if (find_program (name, program, &why) == MR_OK) {
        return;
    }
    const char *nearest = mr_option_nearest (name, built_in);
    const mr_config_section_t *pipeline = mr_config_section (self->config, "pipeline");
    mr_config_reject_key (self->config, pipeline, "chain", "unknown stage %s%s%s (%s)", name,
                          nearest != NULL ? "; nearest: " : "", nearest != NULL ? nearest : "",
                          why.text);
}

static void
ask_stage (const char *name, void *arg)
{
    char program[PATH_MAX];
    if (find_program (name, program, NULL) == MR_OK) {
        ask_program (arg, program, strcmp (name, "monitor") == 0 ? NULL : "-n");
    }
}

static bool
is_built_in (const char *name)
{
    size_t i = 0;
    while (built_in[i] != NULL && strcmp (built_in[i], name) != 0) {
        i++;
    }
    return built_in[i] != NULL;
}

static void
ask_other_stage (const char *name, void *arg)
{
    if (!is_built_in (name)) {
        ask_stage (name, arg);
    }
}

static void
keep_fault (const char *text, void *arg)
{
    mr_faults_add (arg, text);
}

static void
check_all (checking_t *self)
{
    const mr_config_section_t *pipeline = mr_config_section (self->config, "pipeline");
    const char *chain = mr_config_text (pipeline, "chain");
    if (mr_config_sound (pipeline, "chain")) {
        mr_config_words (chain, find_stage, self);
    }
    mr_pipeline_dirs_probe (self->config);
    if (mr_config_report (self->config, keep_fault, &self->faults) > 0) {
        self->code = MR_EXIT_CONFIG;
    }
    for (size_t i = 0; built_in[i] != NULL; i++) {
        ask_stage (built_in[i], self); /* also when the chain has a slip in its name */
    }
    mr_config_words (chain, ask_other_stage, self);
    ask_stage ("monitor", self);
}

int
mr_check_configuration (const char *path, mr_plan_t *ret_plan)
{
    mr_error_t err;
    checking_t self = {.path = path};
    mr_status_t status = mr_config_open (path, NULL, &self.config, &err);
    if (status != MR_OK) {
        fprintf (stderr, "%s\n", err.text);
        return status == MR_CONFIG ? MR_EXIT_CONFIG : MR_EXIT_FAILED;
    }
    check_all (&self);
    mr_faults_print (&self.faults, path, stderr);
    mr_faults_release (&self.faults);
    mr_config_destroy (&self.config);
    if (self.code != MR_EXIT_OK) {
        return self.code;
    }
    mr_cli_t cli = {.config = path};
    return mr_cli_load (&cli, NULL, ret_plan);
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
