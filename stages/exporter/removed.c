#include "stages/exporter/removed.h"

#include "common/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char suffix[] = ".cursor";

static bool
is_configured (const mr_config_t *config, const char *name)
{
    const mr_config_section_t *section = NULL;
    while ((section = mr_config_next_section (config, "sink", section)) != NULL) {
        if (strcmp (mr_config_section_name (section), name) == 0) {
            return true;
        }
    }
    return false;
}

static void
put_aside (const char *dir, const char *name)
{
    char from[PATH_MAX + NAME_MAX + 2];
    char to[PATH_MAX + NAME_MAX + 2];
    snprintf (from, sizeof from, "%s/%s%s", dir, name, suffix);
    snprintf (to, sizeof to, "%s/%s.removed", dir, name);
    if (rename (from, to) == 0) {
        mr_log_info ("sink %s is not in the configuration any more; nothing is kept for it", name);
    } else {
        mr_log_warn ("cannot rename %s: %s", from, strerror (errno));
    }
}

void
mr_removed_sinks (const char *cursors_dir, const mr_config_t *config, const char *keep)
{
    DIR *dir = opendir (cursors_dir);
    if (dir == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir (dir)) != NULL) {
        size_t bytes = strlen (entry->d_name);
        if (bytes < sizeof suffix ||
            strcmp (entry->d_name + bytes + 1 - sizeof suffix, suffix) != 0) {
            continue;
        }
        char name[NAME_MAX + 1];
        snprintf (name, sizeof name, "%.*s", (int)(bytes + 1 - sizeof suffix), entry->d_name);
        if (strcmp (name, keep) != 0 && !is_configured (config, name)) {
            put_aside (cursors_dir, name);
        }
    }
    closedir (dir);
}
