#include "stages/exporter/windows.h"

#include "common/base/log.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static void
window_path (const mr_windows_t *self, int slot, char ret_path[PATH_MAX])
{
    int bytes = snprintf (ret_path, PATH_MAX, "%s/ingest.%d.window", self->data_dir, slot);
    MR_ASSERT (bytes > 0 && bytes < PATH_MAX); /* the configuration bounds data_dir */
}

/* Make slots[slot] the file that is there now; it stays NULL where there is none to be used. */
static mr_status_t
map (mr_windows_t *self, int slot, mr_error_t *err)
{
    char path[PATH_MAX];
    window_path (self, slot, path);
    mr_window_close (&self->slots[slot]);
    mr_status_t status = mr_window_open (path, 0, &self->slots[slot], err);
    return status == MR_CLOSED ? MR_OK : status;
}

mr_status_t
mr_windows_open (mr_windows_t *self, const char *data_dir, mr_spool_t *spool, unsigned *ret_freed,
                 mr_error_t *err)
{
    *self = (mr_windows_t){.data_dir = data_dir};
    *ret_freed = 0;
    for (int slot = 0; slot < MR_WORKER_MAX_SLOTS; slot++) {
        mr_status_t status = map (self, slot, err);
        if (status != MR_OK) {
            mr_windows_close (self);
            return status == MR_INVALID ? MR_CONFIG : status;
        }
        if (self->slots[slot] != NULL) {
            *ret_freed += mr_spool_settle (spool, self->slots[slot]);
        }
    }
    return MR_OK;
}

void
mr_windows_close (mr_windows_t *self)
{
    for (int slot = 0; slot < MR_WORKER_MAX_SLOTS; slot++) {
        mr_window_close (&self->slots[slot]);
    }
}

mr_status_t
mr_windows_find (mr_windows_t *self, const mr_spool_t *spool, uint16_t slot, uint64_t journal,
                 mr_window_t **ret_window, mr_error_t *err)
{
    if (slot >= MR_WORKER_MAX_SLOTS) {
        return MR_CLOSED;
    }
    mr_window_t **window = &self->slots[slot];
    if (*window == NULL || mr_window_journal (*window) != journal) {
        if (mr_spool_is_holding (spool)) {
            mr_error_set (err, "a batch waits for the spool's disk");
            return MR_AGAIN;
        }
        if (map (self, slot, err) != MR_OK) {
            return MR_AGAIN;
        }
    }
    if (*window == NULL || mr_window_journal (*window) != journal) {
        return MR_CLOSED;
    }
    *ret_window = *window;
    return MR_OK;
}

static void
refresh_slot (mr_windows_t *self, int slot)
{
    mr_window_t **window = &self->slots[slot];
    if (*window != NULL && mr_window_is_current (*window)) {
        return;
    }
    mr_error_t err;
    if (map (self, slot, &err) != MR_OK) {
        mr_log_warn ("%s", err.text);
    }
    self->complete = self->complete && *window != NULL;
}

void
mr_windows_refresh (mr_windows_t *self, const mr_spool_t *spool)
{
    self->complete = false;
    DIR *dir = opendir (self->data_dir);
    if (dir == NULL || mr_spool_is_holding (spool)) {
        if (dir != NULL) {
            closedir (dir);
        }
        return;
    }
    self->complete = true;
    struct dirent *entry;
    while ((entry = readdir (dir)) != NULL) {
        int slot = -1;
        int used = 0;
        if (sscanf (entry->d_name, "ingest.%2d.journal%n", &slot, &used) == 1 && used > 0 &&
            entry->d_name[used] == '\0' && slot >= 0 && slot < MR_WORKER_MAX_SLOTS) {
            refresh_slot (self, slot);
        }
    }
    closedir (dir);
}

uint64_t
mr_windows_watermark (const mr_windows_t *self, uint64_t journal)
{
    for (int slot = 0; slot < MR_WORKER_MAX_SLOTS; slot++) {
        if (self->slots[slot] != NULL && mr_window_journal (self->slots[slot]) == journal) {
            return mr_window_watermark (self->slots[slot]);
        }
    }
    return self->complete ? UINT64_MAX : 0;
}
