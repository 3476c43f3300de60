#include "stages/exporter/windows.h"

#include "common/base/log.h"
#include "common/base/slots.h"
#include "common/delivery/filelock.h"
#include "common/delivery/journal.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REFRESHES_A_PEEK = 16 }; /* reading a journal costs more than looking at a mapped page */

static void
window_path (const mr_windows_t *self, int slot, char ret_path[PATH_MAX])
{
    int bytes = snprintf (ret_path, PATH_MAX, "%s/ingest.%d.window", self->data_dir, slot);
    MR_ASSERT (bytes > 0 && bytes < PATH_MAX); /* the configuration bounds data_dir */
}

static void
unmap (mr_windows_t *self, int slot)
{
    mr_window_close (&self->slots[slot]);
    mr_filelock_release (self->locks[slot]);
    self->locks[slot] = -1;
}

/* Make slots[slot] the file that is there now; it stays NULL where there is none to be used. The
 * lock comes first: a window that is mapped is never made anew beside us. */
static mr_status_t
map (mr_windows_t *self, int slot, mr_error_t *err)
{
    char path[PATH_MAX];
    char lock_path[PATH_MAX];
    window_path (self, slot, path);
    unmap (self, slot);
    if (access (path, F_OK) != 0) {
        return MR_OK;
    }
    const mr_filelock_options_t lock = mr_filelock_mapped (self->data_dir, slot, true, lock_path);
    mr_status_t status = mr_filelock_take (&lock, &self->locks[slot], err);
    if (status == MR_OK) {
        status = mr_window_open (path, 0, &self->slots[slot], err);
    }
    if (self->slots[slot] == NULL) {
        unmap (self, slot);
    }
    return status == MR_CLOSED ? MR_OK : status;
}

mr_status_t
mr_windows_open (mr_windows_t *self, const char *data_dir, mr_spool_t *spool, unsigned *ret_freed,
                 mr_error_t *err)
{
    *self = (mr_windows_t){.data_dir = data_dir};
    memset (self->locks, -1, sizeof self->locks);
    *ret_freed = 0;
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
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
    if (self->data_dir == NULL) { /* never opened */
        return;
    }
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        unmap (self, slot);
    }
}

mr_status_t
mr_windows_find (mr_windows_t *self, const mr_spool_t *spool, const mr_batch_t *batch,
                 mr_window_t **ret_window, mr_error_t *err)
{
    if (batch->origin >= MR_SLOTS_MAX) {
        return MR_CLOSED;
    }
    mr_window_t **window = &self->slots[batch->origin];
    if (*window == NULL || mr_window_journal (*window) != batch->journal) {
        if (mr_spool_is_holding (spool)) {
            mr_error_set (err, "a batch waits for the spool's disk");
            return MR_AGAIN;
        }
        if (map (self, batch->origin, err) != MR_OK) {
            return MR_AGAIN;
        }
    }
    if (*window == NULL || mr_window_journal (*window) != batch->journal) {
        return MR_CLOSED;
    }
    *ret_window = *window;
    return MR_OK;
}

/* The slot of "ingest.N.journal"; -1: another name. */
static int
slot_of_journal (const char *file)
{
    static const char prefix[] = "ingest.";
    if (strncmp (file, prefix, strlen (prefix)) != 0) {
        return -1;
    }
    const char *digits = file + strlen (prefix);
    char *end;
    long slot = strtol (digits, &end, 10);
    bool is_plain = digits[0] >= '0' && digits[0] <= '9' && strcmp (end, ".journal") == 0;
    return is_plain && slot < MR_SLOTS_MAX ? (int)slot : -1;
}

/* An ingest worker that is not started any more makes no window anew after another start of the
 * machine. Its journal says durably up to where it is settled, and what is above that its next life
 * looks for in the spools. */
static void
ask_journal (mr_windows_t *self, int slot)
{
    char dir[PATH_MAX];
    mr_journal_info_t info;
    mr_error_t err;
    if (self->journals[slot] != 0 && self->refreshed % REFRESHES_A_PEEK != 0) {
        return;
    }
    self->journals[slot] = 0;
    mr_journal_path (self->data_dir, slot, dir);
    mr_status_t status = mr_journal_peek (dir, &info, &err);
    if (status == MR_OK) {
        self->journals[slot] = info.id;
        self->noted[slot] = info.watermark;
    } else if (status != MR_CLOSED) {
        mr_log_debug ("%s", err.text);
        self->complete = false;
    }
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
    if (*window == NULL) {
        ask_journal (self, slot);
    }
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
    self->refreshed++;
    bool seen[MR_SLOTS_MAX] = {false};
    struct dirent *entry;
    while ((entry = readdir (dir)) != NULL) {
        int slot = slot_of_journal (entry->d_name);
        if (slot >= 0) {
            seen[slot] = true;
            refresh_slot (self, slot);
        }
    }
    closedir (dir);
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        self->journals[slot] = seen[slot] ? self->journals[slot] : 0;
    }
}

uint64_t
mr_windows_watermark (const mr_windows_t *self, uint64_t journal)
{
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        if (self->slots[slot] != NULL && mr_window_journal (self->slots[slot]) == journal) {
            return mr_window_watermark (self->slots[slot]);
        }
    }
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        if (self->slots[slot] == NULL && self->journals[slot] == journal) {
            return self->noted[slot];
        }
    }
    return self->complete ? UINT64_MAX : 0;
}
