#include "common/base/slots.h"
#include "common/delivery/cursor.h"
#include "common/delivery/window.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char suffix[] = ".cursor";

static int
is_cursor (const struct dirent *entry)
{
    size_t bytes = strlen (entry->d_name);
    return bytes >= sizeof suffix &&
           strcmp (entry->d_name + bytes + 1 - sizeof suffix, suffix) == 0;
}

static mr_status_t
tell (const char *dir, int slot, char *file, mr_cursor_fn *fn, void *arg)
{
    char path[PATH_MAX + NAME_MAX + 2];
    snprintf (path, sizeof path, "%s/%s", dir, file);
    file[strlen (file) + 1 - sizeof suffix] = '\0';
    const mr_cursor_place_t place = {slot, file, path};
    return fn (arg, &place);
}

mr_status_t
mr_cursor_each_of (const char *data_dir, int slot, mr_cursor_fn *fn, void *arg, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    char dir[PATH_MAX];
    mr_cursor_dir (data_dir, slot, dir);
    struct dirent **entries = NULL;
    int count = scandir (dir, &entries, is_cursor, alphasort);
    if (count < 0 && errno != ENOENT) {
        return mr_error_errno (err, "cannot list the cursors in %s", dir);
    }
    for (int i = 0; i < count; i++) {
        if (status == MR_OK) {
            status = tell (dir, slot, entries[i]->d_name, fn, arg);
        }
        free (entries[i]);
    }
    free (entries);
    return status;
}

mr_status_t
mr_cursor_each (const char *data_dir, mr_cursor_fn *fn, void *arg, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    for (int slot = 0; slot < MR_SLOTS_MAX && status == MR_OK; slot++) {
        status = mr_cursor_each_of (data_dir, slot, fn, arg, err);
    }
    return status;
}
