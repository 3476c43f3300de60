#include "launcher/roster.h"

#include "common/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void
mr_roster_init (mr_roster_t *self, const mr_unit_env_t *env)
{
    *self = (mr_roster_t){.env = env};
}

void
mr_roster_release (mr_roster_t *self)
{
    for (int i = 0; i < self->count; i++) {
        mr_unit_destroy (&self->units[i]);
    }
    free (self->units);
    *self = (mr_roster_t){0};
}

mr_unit_t *
mr_roster_find (const mr_roster_t *self, const char *stage, int slot)
{
    for (int i = 0; i < self->count; i++) {
        if (self->units[i]->slot == slot && strcmp (self->units[i]->stage, stage) == 0) {
            return self->units[i];
        }
    }
    return NULL;
}

mr_unit_t *
mr_roster_get (mr_roster_t *self, const char *stage, int slot)
{
    mr_unit_t *unit = mr_roster_find (self, stage, slot);
    if (unit != NULL) {
        return unit;
    }
    if (self->count == self->capacity) {
        int capacity = self->capacity == 0 ? 16 : 2 * self->capacity;
        mr_unit_t **units = realloc (self->units, (size_t)capacity * sizeof (mr_unit_t *));
        if (units == NULL) {
            return NULL;
        }
        self->units = units;
        self->capacity = capacity;
    }
    if (mr_unit_new (self->env, stage, slot, &unit) != MR_OK) {
        return NULL;
    }
    self->units[self->count++] = unit;
    return unit;
}

typedef struct scan {
    mr_roster_t *roster;
    int adopted;
} scan_t;

static void
scan_one (const mr_worker_info_t *info, void *arg)
{
    scan_t *scan = arg;
    mr_roster_t *self = scan->roster;
    bool monitor = strcmp (info->stage, "monitor") == 0 && info->slot < 0;
    if (!monitor && (mr_plan_find (self->env->plan, info->stage) < 0 || info->slot < 0)) {
        return;
    }
    mr_unit_t *unit = info->alive ? mr_roster_get (self, info->stage, info->slot)
                                  : mr_roster_find (self, info->stage, info->slot);
    if (info->alive && unit != NULL && unit->child.pidfd < 0) {
        mr_unit_adopt (unit);
        scan->adopted += unit->child.pidfd >= 0;
    }
}

int
mr_roster_scan (mr_roster_t *self)
{
    mr_error_t err;
    scan_t scan = {.roster = self};
    if (mr_worker_each (self->env->plan->run_dir, scan_one, &scan, &err) != MR_OK) {
        mr_log_error ("%s", err.text);
    }
    return scan.adopted;
}

static bool
is_deserted (const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    if (lstat (path, &status) != 0 || !S_ISSOCK (status.st_mode) ||
        strlen (path) >= sizeof address.sun_path) {
        return false;
    }
    memcpy (address.sun_path, path, strlen (path));
    int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 &&
                   connect (fd, (const struct sockaddr *)&address, sizeof address) != 0 &&
                   errno == ECONNREFUSED;
    if (fd >= 0) {
        close (fd);
    }
    return refused;
}

void
mr_roster_sweep (mr_roster_t *self)
{
    mr_error_t err;
    if (mr_worker_sweep_dead (self->env->plan->run_dir, &err) != MR_OK) {
        mr_log_warn ("%s", err.text);
    }
    DIR *dir = opendir (self->env->plan->run_dir);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir (dir)) != NULL) {
        char path[PATH_MAX];
        int length = snprintf (path, sizeof path, "%s/%s", self->env->plan->run_dir, entry->d_name);
        if (length < PATH_MAX && is_deserted (path)) {
            unlink (path);
        }
    }
    if (dir != NULL) {
        closedir (dir);
    }
}
