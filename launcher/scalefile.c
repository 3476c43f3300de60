#include "launcher/scalefile.h"

#include "common/base/log.h"
#include "common/base/slots.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = PATH_MAX + 32 };

static void
file_path (const mr_plan_t *plan, const char *suffix, char path[PATH_BYTES])
{
    snprintf (path, PATH_BYTES, "%s/launcher.scale%s", plan->run_dir, suffix);
}

void
mr_scalefile_write (const mr_plan_t *plan)
{
    char path[PATH_BYTES];
    char next[PATH_BYTES];
    file_path (plan, "", path);
    file_path (plan, ".new", next);
    json_t *object = json_object ();
    for (int i = 0; i < plan->stage_count; i++) {
        json_object_set_new (object, plan->stages[i].name, json_integer (plan->stages[i].workers));
    }
    if (json_dump_file (object, next, JSON_COMPACT) != 0 || rename (next, path) != 0) {
        mr_log_warn ("cannot write %s: %s", path, strerror (errno));
    }
    json_decref (object);
}

bool
mr_scalefile_there (const mr_plan_t *plan)
{
    char path[PATH_BYTES];
    file_path (plan, "", path);
    return access (path, F_OK) == 0 || errno != ENOENT;
}

bool
mr_scalefile_read (mr_plan_t *plan)
{
    char path[PATH_BYTES];
    file_path (plan, "", path);
    json_error_t fault;
    json_t *object = json_load_file (path, 0, &fault);
    if (object == NULL && json_error_code (&fault) != json_error_cannot_open_file) {
        mr_log_warn ("%s is broken (%s); the configuration's numbers of workers count", path,
                     fault.text);
    }
    for (int i = 0; i < plan->stage_count; i++) {
        json_int_t workers = json_integer_value (json_object_get (object, plan->stages[i].name));
        if (workers >= 1 && workers <= MR_SLOTS_MAX) {
            plan->stages[i].workers = (int)workers;
        }
    }
    bool found = object != NULL;
    json_decref (object);
    return found;
}

void
mr_scalefile_remove (const mr_plan_t *plan)
{
    char path[PATH_BYTES];
    file_path (plan, "", path);
    unlink (path);
}
