#include "launcher/requests.h"

#include "launcher/report.h"
#include "launcher/targets.h"

#include <stdio.h>
#include <string.h>

static mr_open_request_t *
open_request (mr_requests_t *self, int id)
{
    for (int i = 0; i < MR_SERVER_MAX_REQUESTS; i++) {
        if (self->open[i].id == 0) {
            self->open[i] = (mr_open_request_t){.id = id};
            return &self->open[i];
        }
    }
    return NULL;
}

static void
add_text (mr_open_request_t *open, const char *text)
{
    size_t used = strlen (open->text);
    snprintf (open->text + used, sizeof open->text - used, "%s%s", used > 0 ? "\n" : "", text);
}

static void
close_request (mr_requests_t *self, mr_open_request_t *open)
{
    int id = open->id;
    open->id = 0;
    mr_server_answer (self->server, id, open->code, open->text, NULL);
}

/* Take on one job for a request; what cannot be is part of its answer. */
static void
add_job (mr_requests_t *self, mr_open_request_t *open, mr_job_t *job)
{
    mr_error_t err;
    job->request = open->id;
    if (mr_jobs_add (self->jobs, job, &err) == MR_OK) {
        open->jobs++;
    } else {
        open->code = MR_EXIT_TEMPORARY;
        add_text (open, err.text);
    }
}

static void
take_targets (mr_requests_t *self, mr_open_request_t *open, const json_t *request, bool scale)
{
    const json_t *targets = json_object_get (request, "targets");
    bool now = json_is_true (json_object_get (request, "now"));
    mr_job_t jobs[MR_PLAN_MAX_STAGES];
    size_t count = json_array_size (targets);
    mr_error_t err;
    if (count == 0 || count > MR_PLAN_MAX_STAGES) {
        open->code = MR_EXIT_USAGE;
        add_text (open, "name 1 to 16 stages");
        return;
    }
    /* All are understood before any is begun. */
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value (json_array_get (targets, i));
        mr_status_t status =
            scale ? mr_target_scale (self->jobs->plan, text != NULL ? text : "", &jobs[i], &err)
                  : mr_target_restart (self->jobs->plan, text != NULL ? text : "", &jobs[i], &err);
        if (status != MR_OK) {
            open->code = status == MR_CONFIG ? MR_EXIT_CONFIG : MR_EXIT_USAGE;
            add_text (open, err.text);
            return;
        }
        jobs[i].now = now;
    }
    for (size_t i = 0; i < count; i++) {
        add_job (self, open, &jobs[i]);
    }
}

/* What the launcher did on behalf of another file would not be what is asked for. */
static bool
is_of_our_file (mr_requests_t *self, mr_open_request_t *open, const json_t *request)
{
    mr_error_t err;
    const mr_plan_t *plan = self->jobs->plan;
    const char *given = json_string_value (json_object_get (request, "config"));
    if (given == NULL || mr_plan_same_file (plan, plan->config, given, &err) == MR_OK) {
        return true;
    }
    open->code = MR_EXIT_CONFIG;
    add_text (open, err.text);
    return false;
}

static void
take (mr_requests_t *self, mr_open_request_t *open, const char *command, const json_t *request)
{
    bool changes = strcmp (command, "restart") == 0 || strcmp (command, "scale") == 0 ||
                   strcmp (command, "reopen") == 0;
    if (changes && !is_of_our_file (self, open, request)) {
        return;
    }
    if (strcmp (command, "restart") == 0) {
        take_targets (self, open, request, false);
    } else if (strcmp (command, "scale") == 0) {
        take_targets (self, open, request, true);
    } else if (strcmp (command, "down") == 0) {
        mr_job_t job = {
            .kind = MR_JOB_DOWN,
            .slot = -1,
            .now = json_is_true (json_object_get (request, "now")),
        };
        add_job (self, open, &job);
    } else if (strcmp (command, "reopen") == 0) {
        self->reopen = true;
    } else if (strcmp (command, "watch") == 0) {
        open->watch = true;
    } else if (strcmp (command, "wait") == 0) {
        open->up = mr_jobs_busy (self->jobs, MR_JOB_UP);
        open->code = open->up ? 0 : self->up_code;
        add_text (open, open->up ? "" : self->up_text);
    } else {
        open->code = MR_EXIT_USAGE;
        add_text (open, "unknown command; known: status wait watch down restart scale reopen");
    }
}

static const char *
phase (const mr_requests_t *self)
{
    if (self->ending || mr_jobs_busy (self->jobs, MR_JOB_DOWN)) {
        return "stopping";
    }
    return mr_jobs_busy (self->jobs, MR_JOB_UP) ? "starting" : "running";
}

static void
answer_status (mr_requests_t *self, int id)
{
    json_t *body = mr_report_new (self->jobs->roster, self->jobs->plan);
    json_object_set_new (body, "phase", json_string (phase (self)));
    json_object_set_new (body, "config", json_string (self->jobs->plan->config));
    mr_server_answer (self->server, id, MR_EXIT_OK, "", body);
}

static void
on_request (void *arg, int id, const json_t *request)
{
    mr_requests_t *self = arg;
    const char *command = json_string_value (json_object_get (request, "command"));
    if (command != NULL && strcmp (command, "status") == 0) {
        answer_status (self, id);
        return;
    }
    mr_open_request_t *open = open_request (self, id);
    if (open == NULL) {
        mr_server_answer (self->server, id, MR_EXIT_TEMPORARY, "too many requests", NULL);
        return;
    }
    take (self, open, command != NULL ? command : "", request);
    if (open->jobs == 0 && !open->up && !open->watch) {
        close_request (self, open);
    }
}

void
mr_requests_init (mr_requests_t *self, mr_server_t *server, mr_jobs_t *jobs)
{
    *self = (mr_requests_t){.server = server, .jobs = jobs};
    mr_server_on_request (server, on_request, self);
}

void
mr_requests_job_done (mr_requests_t *self, const mr_job_t *job)
{
    if (job->kind == MR_JOB_UP) {
        self->up_code = job->code;
        snprintf (self->up_text, sizeof self->up_text, "%s", job->text);
    }
    for (int i = 0; i < MR_SERVER_MAX_REQUESTS; i++) {
        mr_open_request_t *open = &self->open[i];
        if (open->id != 0 && open->watch && job->kind == MR_JOB_DOWN) {
            close_request (self, open);
            continue;
        }
        bool mine =
            open->id != 0 && ((job->request != 0 && open->id == job->request && open->jobs > 0) ||
                              (open->up && job->kind == MR_JOB_UP));
        if (!mine) {
            continue;
        }
        open->code = open->code == MR_EXIT_OK ? job->code : open->code;
        if (job->text[0] != '\0') {
            add_text (open, job->text);
        }
        if (open->up || --open->jobs == 0) {
            close_request (self, open);
        }
    }
}
