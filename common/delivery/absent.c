#include "common/delivery/absent.h"

#include "common/base/slots.h"
#include "common/delivery/journal.h"
#include "common/delivery/tally_spool.h"
#include "common/delivery/window.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All journals that anybody knows of. */
typedef struct search {
    const char *data_dir;
    mr_absent_t *rows;
    size_t count;
    size_t capacity;
} search_t;

bool
mr_absent_is_settled (const mr_absent_t *self)
{
    return self->known && self->unsettled == 0;
}

/* NULL: no memory. */
static mr_absent_t *
row_of (search_t *self, uint64_t journal)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->rows[i].journal == journal) {
            return &self->rows[i];
        }
    }
    if (self->count == self->capacity) {
        size_t capacity = self->capacity == 0 ? 64 : 2 * self->capacity;
        mr_absent_t *rows = reallocarray (self->rows, capacity, sizeof *rows);
        if (rows == NULL) {
            return NULL;
        }
        self->rows = rows;
        self->capacity = capacity;
    }
    mr_absent_t *row = &self->rows[self->count++];
    *row = (mr_absent_t){.journal = journal, .slot = -1};
    return row;
}

/* ---- who knows of journals ---- */

static mr_status_t
ask_spool (search_t *self, int slot, mr_error_t *err)
{
    mr_spool_sum_t sums[MR_SPOOL_SUMS_MAX];
    uint32_t count = 0;
    mr_status_t status = mr_tally_spool_sums (self->data_dir, slot, sums, &count, err);
    for (uint32_t i = 0; status == MR_OK && i < count; i++) {
        mr_absent_t *row = sums[i].journal != 0 ? row_of (self, sums[i].journal) : NULL;
        if (row != NULL) {
            row->exported += sums[i].exported;
            row->filtered += sums[i].filtered;
            row->dead += sums[i].dead;
        } else if (sums[i].journal != 0) {
            status = mr_error_errno (err, "audit");
        }
    }
    return status == MR_CLOSED ? MR_OK : status;
}

/* "ingest.N.window", or "ingest.N.window.JOURNAL", which was kept. Returns the slot, or -1. */
static int
slot_of_window (const char *file, bool *ret_kept)
{
    static const char prefix[] = "ingest.";
    static const char middle[] = ".window";
    char *at = NULL;
    if (strncmp (file, prefix, strlen (prefix)) != 0) {
        return -1;
    }
    long slot = strtol (file + strlen (prefix), &at, 10);
    if (slot < 0 || slot >= MR_SLOTS_MAX || strncmp (at, middle, strlen (middle)) != 0) {
        return -1;
    }
    at += strlen (middle);
    *ret_kept = strlen (at) == 17 && strspn (at + 1, "0123456789abcdef") == 16;
    return at[0] == '\0' || (at[0] == '.' && *ret_kept) ? (int)slot : -1;
}

static mr_status_t
ask_window (search_t *self, const char *file, mr_error_t *err)
{
    char path[PATH_MAX + NAME_MAX + 2];
    bool kept = false;
    int slot = slot_of_window (file, &kept);
    if (slot < 0) {
        return MR_OK;
    }
    snprintf (path, sizeof path, "%s/%s", self->data_dir, file);
    mr_window_t *window = NULL;
    mr_error_t unusable;
    mr_status_t status = kept ? mr_window_open_kept (path, &window, &unusable)
                              : mr_window_open (path, 0, &window, &unusable);
    if (status != MR_OK) {
        return MR_OK; /* says nothing: one of another start of the machine, for one */
    }
    bool is_used = mr_window_top (window) > 0; /* asked once: its worker may just begin */
    mr_absent_t *row = is_used ? row_of (self, mr_window_journal (window)) : NULL;
    if (row != NULL) {
        row->slot = slot;
        row->known = true;
        row->unsettled = mr_window_unsettled (window);
    } else if (is_used) {
        status = mr_error_errno (err, "audit");
    }
    mr_window_close (&window);
    return status;
}

static mr_status_t
ask_windows (search_t *self, mr_error_t *err)
{
    DIR *dir = opendir (self->data_dir);
    mr_status_t status = MR_OK;
    struct dirent *entry;
    while (dir != NULL && status == MR_OK && (entry = readdir (dir)) != NULL) {
        status = ask_window (self, entry->d_name, err);
    }
    if (dir != NULL) {
        closedir (dir);
    }
    return status;
}

/* ---- and which are there ---- */

static mr_status_t
take_living_out (search_t *self, mr_error_t *err)
{
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        char dir[PATH_MAX];
        mr_journal_info_t info;
        mr_journal_path (self->data_dir, slot, dir);
        mr_status_t status = mr_journal_peek (dir, &info, err);
        for (size_t i = 0; status == MR_OK && i < self->count; i++) {
            if (self->rows[i].journal == info.id) {
                self->rows[i] = self->rows[--self->count];
                break;
            }
        }
        if (status != MR_OK && status != MR_CLOSED) {
            return status;
        }
    }
    return MR_OK;
}

/* Journals come last: one that is new meanwhile is there before anybody knows of it. */
mr_status_t
mr_absent_each (const char *data_dir, mr_absent_fn *fn, void *arg, mr_error_t *err)
{
    search_t search = {.data_dir = data_dir};
    mr_status_t status = MR_OK;
    for (int slot = 0; slot < MR_SLOTS_MAX && status == MR_OK; slot++) {
        status = ask_spool (&search, slot, err);
    }
    if (status == MR_OK) {
        status = ask_windows (&search, err);
    }
    if (status == MR_OK) {
        status = take_living_out (&search, err);
    }
    for (size_t i = 0; status == MR_OK && i < search.count; i++) {
        fn (arg, &search.rows[i]);
    }
    free (search.rows);
    return status;
}
