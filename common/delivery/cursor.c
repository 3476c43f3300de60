#include "common/delivery/cursor.h"

#include "common/base/bootid.h"
#include "common/base/crashpoint.h"
#include "common/base/dirs.h"
#include "common/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CURSOR_MAGIC UINT64_C (0x31524f5352554352) /* "RCURSOR1" */

#define NUMBERS_END (UINT64_C (1) << 63) /* no life is long enough for so many commits */

enum {
    CURSOR_VERSION = 2,
    SLOT_BYTES = 512,
    PLAIN_BYTES = 88, /* of the state, without its drops */
    READ_TRIES = 100,
};

typedef struct slot {
    uint64_t magic;
    uint64_t version;
    uint64_t number; /* of the commit, from 1 */
    uint8_t state[PLAIN_BYTES];
    char boot_id[MR_BOOT_ID_BYTES];
    mr_cursor_drop_t drops[MR_CURSOR_DROPS]; /* since version 2 */
    uint64_t check;                          /* hash of all before */
} slot_t;

typedef union cell {
    slot_t slot;
    uint8_t bytes[SLOT_BYTES];
} cell_t;

typedef struct layout {
    cell_t cells[2];
} layout_t;

_Static_assert(sizeof (slot_t) <= SLOT_BYTES, "a slot has a fixed size");
_Static_assert(offsetof (mr_cursor_state_t, drops) == PLAIN_BYTES, "drops come last");

struct mr_cursor {
    layout_t *map;
    slot_t last; /* as committed */
    mr_cursor_state_t state;
    char boot_id[MR_BOOT_ID_BYTES];
    int fd;
    bool named;    /* its name is durable */
    bool doubtful; /* the kernel may hold as clean what the disk never got: a sync failed, perhaps
                    * of an earlier life */
    char path[PATH_MAX];
};

void
mr_cursor_dir (const char *data_dir, int slot, char *ret_path)
{
    int bytes = snprintf (ret_path, PATH_MAX, "%s/exporter.%d.cursors", data_dir, slot);
    MR_ASSERT (bytes > 0 && bytes < PATH_MAX); /* the configuration bounds data_dir */
}

/* What a slot holds; version 1 had no drops, and its check stood in their place.
 * false: it is not whole, or of another version. */
static bool
read_slot (const slot_t *slot, slot_t *ret_slot)
{
    *ret_slot = *slot;
    uint64_t check = slot->check;
    size_t bytes = offsetof (slot_t, check);
    if (slot->version == 1) {
        bytes = offsetof (slot_t, drops);
        memcpy (&check, ret_slot->drops, sizeof check);
        memset (ret_slot->drops, 0, sizeof ret_slot->drops);
    }
    return slot->magic == CURSOR_MAGIC && slot->version >= 1 && slot->version <= CURSOR_VERSION &&
           slot->number < NUMBERS_END && check == mr_hash64 (slot, bytes);
}

static mr_cursor_state_t
state_of (const slot_t *slot)
{
    mr_cursor_state_t state;
    memcpy (&state, slot->state, PLAIN_BYTES);
    memcpy (state.drops, slot->drops, sizeof state.drops);
    return state;
}

static bool
is_blank (const layout_t *layout)
{
    static const char zeros[sizeof (layout_t)];
    return memcmp ((const void *)layout, zeros, sizeof zeros) == 0;
}

/* The newer whole slot. MR_CLOSED: nothing was ever committed; MR_INVALID: neither is whole. */
static mr_status_t
choose (const layout_t *layout, slot_t *ret_slot)
{
    bool found = false;
    slot_t best = {0};
    for (int i = 0; i < 2; i++) {
        slot_t slot;
        if (read_slot (&layout->cells[i].slot, &slot) && (!found || slot.number > best.number)) {
            best = slot;
            found = true;
        }
    }
    if (!found) {
        return is_blank (layout) ? MR_CLOSED : MR_INVALID;
    }
    *ret_slot = best;
    return MR_OK;
}

static mr_status_t
broken (const char *path, mr_error_t *err)
{
    mr_error_set (err,
                  "the cursor %s is broken or of another version; restore it, or remove it to go "
                  "on with what comes next",
                  path);
    return MR_INVALID;
}

static mr_status_t
map_file (mr_cursor_t *self, mr_error_t *err)
{
    self->fd = open (self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (self->fd < 0) {
        return mr_error_errno (err, "cannot open the cursor %s", self->path);
    }
    struct stat st;
    int failed = fstat (self->fd, &st);
    if (failed == 0 && st.st_size < (off_t)sizeof (layout_t)) {
        failed = posix_fallocate (self->fd, 0, (off_t)sizeof (layout_t));
        errno = failed != 0 ? failed : errno;
    }
    void *map = failed != 0 ? MAP_FAILED
                            : mmap (NULL, sizeof (layout_t), PROT_READ | PROT_WRITE, MAP_SHARED,
                                    self->fd, 0);
    MR_CRASH_POINT ("cursor.open.mapped");
    if (map == MAP_FAILED) {
        return mr_error_errno (err, "cannot map the cursor %s", self->path);
    }
    self->map = map;
    return MR_OK;
}

mr_status_t
mr_cursor_open (const char *path, mr_cursor_t **ret_cursor, mr_error_t *err)
{
    mr_cursor_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "cursor");
    }
    mr_boot_id (self->boot_id);
    snprintf (self->path, sizeof self->path, "%s", path);
    self->doubtful = true;
    mr_status_t status = map_file (self, err);
    if (status == MR_OK) {
        status = choose (self->map, &self->last);
    }
    if (status == MR_INVALID) {
        status = broken (path, err);
    }
    if (status != MR_OK && status != MR_CLOSED) {
        mr_cursor_close (&self);
        return status;
    }
    self->state = state_of (&self->last);
    *ret_cursor = self;
    return MR_OK;
}

void
mr_cursor_close (mr_cursor_t **self_p)
{
    mr_cursor_t *self = *self_p;
    if (self != NULL) {
        if (self->map != NULL) {
            munmap (self->map, sizeof (layout_t));
        }
        if (self->fd >= 0) {
            close (self->fd);
        }
        free (self);
        *self_p = NULL;
    }
}

const mr_cursor_state_t *
mr_cursor_state (const mr_cursor_t *self)
{
    return &self->state;
}

bool
mr_cursor_same_boot (const mr_cursor_t *self)
{
    return memcmp (self->last.boot_id, self->boot_id, sizeof self->boot_id) == 0;
}

/* boot_id: the start of the machine that the slot is of. */
static void
commit (mr_cursor_t *self, const mr_cursor_state_t *state, const char *boot_id)
{
    slot_t slot;
    memset (&slot, 0, sizeof slot);
    slot.magic = CURSOR_MAGIC;
    slot.version = CURSOR_VERSION;
    slot.number = self->last.number + 1;
    memcpy (slot.state, state, PLAIN_BYTES);
    memcpy (slot.drops, state->drops, sizeof slot.drops);
    memcpy (slot.boot_id, boot_id, sizeof slot.boot_id);
    slot.check = mr_hash64 (&slot, offsetof (slot_t, check));
    slot_t *place = &self->map->cells[slot.number % 2].slot;
    MR_CRASH_POINT ("cursor.commit.begin");
    if (MR_CRASH_HIT ("cursor.commit.torn")) {
        memcpy (place, &slot, sizeof slot / 2);
        mr_crash_now ();
    }
    memcpy (place, &slot, sizeof slot);
    MR_CRASH_POINT ("cursor.commit.done");
    self->last = slot;
    self->state = *state;
}

void
mr_cursor_commit (mr_cursor_t *self, const mr_cursor_state_t *state)
{
    commit (self, state, self->boot_id);
}

void
mr_cursor_move (mr_cursor_t *self, const mr_cursor_state_t *state)
{
    char boot_id[MR_BOOT_ID_BYTES];
    memcpy (boot_id, self->last.boot_id, sizeof boot_id);
    commit (self, state, boot_id);
}

mr_status_t
mr_cursor_sync (mr_cursor_t *self, mr_error_t *err)
{
    if (self->doubtful) { /* dirty again, all of it: it is one page */
        volatile unsigned char *byte = (volatile unsigned char *)self->map;
        unsigned char kept = *byte;
        *byte = kept;
    }
    self->doubtful =
        fdatasync (self->fd) != 0 || (!self->named && mr_dirs_sync_of (self->path) != 0);
    if (self->doubtful) {
        return mr_error_errno (err, "cannot sync the cursor %s", self->path);
    }
    self->named = true;
    MR_CRASH_POINT ("cursor.sync.done");
    return MR_OK;
}

/* ---- what was let go ---- */

void
mr_cursor_drop (mr_cursor_state_t *state, uint64_t journal, uint64_t rows)
{
    int i = journal != 0 ? 0 : MR_CURSOR_DROPS - 1;
    while (i < MR_CURSOR_DROPS - 1 && state->drops[i].journal != journal &&
           state->drops[i].journal != 0) {
        i++;
    }
    state->drops[i].journal = i < MR_CURSOR_DROPS - 1 ? journal : 0;
    state->drops[i].records += rows;
    state->dropped += rows;
}

uint64_t
mr_cursor_dropped (const mr_cursor_state_t *state, uint64_t journal)
{
    for (int i = 0; i < MR_CURSOR_DROPS - 1; i++) {
        if (state->drops[i].journal == journal) {
            return state->drops[i].records;
        }
    }
    return 0;
}

mr_status_t
mr_cursor_read (const char *path, mr_cursor_state_t *ret_state, mr_error_t *err)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? MR_CLOSED
                               : mr_error_errno (err, "cannot open the cursor %s", path);
    }
    mr_status_t status = MR_INVALID;
    slot_t slot;
    for (int i = 0; i < READ_TRIES && status == MR_INVALID; i++) { /* it may be being written */
        layout_t layout = {0};
        ssize_t bytes = pread (fd, &layout, sizeof layout, 0);
        if (bytes < 0) {
            status = mr_error_errno (err, "cannot read the cursor %s", path);
            break;
        }
        status = choose (&layout, &slot);
    }
    close (fd);
    if (status == MR_OK) {
        *ret_state = state_of (&slot);
    }
    return status == MR_INVALID ? broken (path, err) : status;
}
