#include "tests/support/simfs_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
need (void *data)
{
    if (data == NULL) {
        abort ();
    }
    return data;
}

/* Set the size of a run of bytes, zeros behind the old ones. */
static void
set_size (mr_sim_bytes_t *run, size_t size)
{
    if (size > run->capacity) {
        run->capacity = size < MR_SIM_MIN_CAPACITY ? MR_SIM_MIN_CAPACITY : size * 2;
        run->data = need (realloc (run->data, run->capacity));
    }
    if (size > run->size) {
        memset (run->data + run->size, 0, size - run->size);
    }
    run->size = size;
}

mr_sim_inode_t *
mr_sim_find (const mr_sim_names_t *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp (names->rows[i].name, name) == 0) {
            return names->rows[i].inode;
        }
    }
    return NULL;
}

/* Its memory stays until the file system goes; only its space is free. */
void
mr_sim_drop (mr_sim_inode_t *inode)
{
    inode->references--;
}

static void
unname (mr_sim_names_t *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp (names->rows[i].name, name) == 0) {
            mr_sim_inode_t *inode = names->rows[i].inode;
            names->rows[i] = names->rows[--names->count];
            mr_sim_drop (inode);
            return;
        }
    }
}

static void
name_it (mr_sim_names_t *names, const char *name, mr_sim_inode_t *inode)
{
    inode->references++;
    unname (names, name);
    names->rows = need (realloc (names->rows, (names->count + 1) * sizeof *names->rows));
    mr_sim_row_t *row = &names->rows[names->count++];
    snprintf (row->name, sizeof row->name, "%s", name);
    row->inode = inode;
}

static void
note_naming (mr_simfs_t *self, const char *from, const char *to, mr_sim_inode_t *inode)
{
    mr_sim_naming_t *naming = need (calloc (1, sizeof *naming));
    snprintf (naming->from, sizeof naming->from, "%s", from);
    snprintf (naming->to, sizeof naming->to, "%s", to);
    naming->inode = inode;
    inode->references++;
    mr_sim_naming_t **end = &self->namings;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = naming;
}

mr_sim_inode_t *
mr_sim_create (mr_simfs_t *self, const char *name)
{
    mr_sim_inode_t *inode = need (calloc (1, sizeof *inode));
    inode->data = need (calloc (1, MR_SIM_MIN_CAPACITY));
    inode->capacity = MR_SIM_MIN_CAPACITY;
    inode->changes_end = &inode->changes;
    inode->next = self->inodes;
    self->inodes = inode;
    name_it (&self->names, name, inode);
    note_naming (self, "", name, inode);
    return inode;
}

void
mr_sim_change_name (mr_simfs_t *self, const char *from, const char *to)
{
    mr_sim_inode_t *inode = mr_sim_find (&self->names, from);
    note_naming (self, from, to != NULL ? to : "", inode);
    inode->references++;
    unname (&self->names, from);
    if (to != NULL) {
        name_it (&self->names, to, inode);
    }
    mr_sim_drop (inode);
}

static mr_sim_change_t *
note_change (mr_sim_inode_t *inode, uint64_t offset, size_t bytes)
{
    mr_sim_change_t *change = need (calloc (1, sizeof *change + bytes));
    change->offset = offset;
    change->bytes = bytes;
    *inode->changes_end = change;
    inode->changes_end = &change->next;
    return change;
}

static void
set_present (mr_sim_inode_t *inode, size_t size)
{
    mr_sim_bytes_t run = {inode->data, inode->size, inode->capacity};
    set_size (&run, size);
    inode->data = run.data;
    inode->size = run.size;
    inode->capacity = run.capacity;
}

void
mr_sim_write (mr_sim_inode_t *inode, uint64_t offset, const struct iovec *iov, size_t bytes)
{
    mr_sim_change_t *change = note_change (inode, offset, bytes);
    for (size_t done = 0; done < bytes; iov++) {
        size_t piece = bytes - done < iov->iov_len ? bytes - done : iov->iov_len;
        memcpy (change->data + done, iov->iov_base, piece);
        done += piece;
    }
    if (offset + bytes > inode->size) {
        set_present (inode, (size_t)offset + bytes);
    }
    memcpy (inode->data + offset, change->data, bytes);
}

void
mr_sim_resize (mr_sim_inode_t *inode, uint64_t size)
{
    note_change (inode, size, 0)->resize = true;
    set_present (inode, (size_t)size);
}

void
mr_sim_forget (mr_sim_inode_t *inode)
{
    while (inode->changes != NULL) {
        mr_sim_change_t *change = inode->changes;
        inode->changes = change->next;
        free (change);
    }
    inode->changes_end = &inode->changes;
}

/* All of one write. */
static void
apply (mr_sim_inode_t *inode, const mr_sim_change_t *change)
{
    size_t end = (size_t)change->offset + change->bytes;
    if (change->resize || end > inode->disk.size) {
        set_size (&inode->disk, end);
    }
    if (change->bytes > 0) {
        memcpy (inode->disk.data + change->offset, change->data, change->bytes);
    }
}

void
mr_sim_settle (mr_sim_inode_t *inode)
{
    /* Change by change, not a copy: what a failed sync forgot stays unwritten. */
    for (const mr_sim_change_t *change = inode->changes; change != NULL; change = change->next) {
        apply (inode, change);
    }
    mr_sim_forget (inode);
    if (inode->mapped) { /* stores into the mapping are no changes that we see */
        set_size (&inode->disk, inode->size);
        memcpy (inode->disk.data, inode->data, inode->size);
    }
}

static void
apply_naming (mr_simfs_t *self, const mr_sim_naming_t *naming)
{
    mr_sim_names_t *names = &self->disk_names;
    if (naming->from[0] == '\0') {
        name_it (names, naming->to, naming->inode);
    } else if (naming->inode != NULL && mr_sim_find (names, naming->from) == naming->inode) {
        if (naming->to[0] != '\0') {
            name_it (names, naming->to, naming->inode);
        }
        unname (names, naming->from);
    }
}

static void
drop_naming (mr_simfs_t *self)
{
    mr_sim_naming_t *naming = self->namings;
    self->namings = naming->next;
    mr_sim_drop (naming->inode);
    free (naming);
}

void
mr_sim_settle_names (mr_simfs_t *self)
{
    while (self->namings != NULL) {
        apply_naming (self, self->namings);
        drop_naming (self);
    }
}

uint64_t
mr_sim_space (const mr_simfs_t *self)
{
    uint64_t total = 0;
    for (const mr_sim_inode_t *inode = self->inodes; inode != NULL; inode = inode->next) {
        total += inode->references > 0 ? inode->size : 0;
    }
    return total;
}

/* Each sector of one write reaches the disk, or does not. */
static void
tear (mr_simfs_t *self, mr_sim_inode_t *inode, const mr_sim_change_t *change)
{
    for (size_t at = 0; at < change->bytes;) {
        size_t offset = (size_t)change->offset + at;
        size_t piece = MR_SIM_SECTOR - offset % MR_SIM_SECTOR;
        piece = change->bytes - at < piece ? change->bytes - at : piece;
        if (mr_simfs_random (self, 2) == 0) {
            if (offset + piece > inode->disk.size) {
                set_size (&inode->disk, offset + piece);
            }
            memcpy (inode->disk.data + offset, change->data + at, piece);
        }
        at += piece;
    }
}

static void
lose_contents (mr_simfs_t *self, mr_sim_inode_t *inode)
{
    bool written_back = inode->mapped && mr_simfs_random (self, 2) == 0;
    if (written_back) {
        set_size (&inode->disk, inode->size);
        memcpy (inode->disk.data, inode->data, inode->size);
    }
    for (const mr_sim_change_t *change = inode->changes; !written_back && change != NULL;
         change = change->next) {
        uint64_t luck = mr_simfs_random (self, 3);
        if (luck == 0 || (change->resize && luck == 1)) {
            apply (inode, change);
        } else if (luck == 1) {
            tear (self, inode, change);
        }
    }
    mr_sim_forget (inode);
    set_present (inode, inode->disk.size);
    if (inode->disk.size > 0) {
        memcpy (inode->data, inode->disk.data, inode->disk.size);
    }
    inode->mapped = false;
}

static void
lose_names (mr_simfs_t *self)
{
    bool in_order = mr_simfs_random (self, 2) == 0;
    bool kept = true;
    while (self->namings != NULL) {
        bool luck = mr_simfs_random (self, 4) > 0;
        kept = in_order ? kept && luck : luck;
        if (kept) {
            apply_naming (self, self->namings);
        }
        drop_naming (self);
    }
    while (self->names.count > 0) {
        unname (&self->names, self->names.rows[0].name);
    }
    for (size_t i = 0; i < self->disk_names.count; i++) {
        name_it (&self->names, self->disk_names.rows[i].name, self->disk_names.rows[i].inode);
    }
}

void
mr_simfs_power_loss (mr_simfs_t *self)
{
    mr_simfs_kill (self);
    for (mr_sim_inode_t *inode = self->inodes; inode != NULL; inode = inode->next) {
        lose_contents (self, inode);
    }
    lose_names (self);
    self->boot++;
}

char *
mr_simfs_file (mr_simfs_t *self, const char *name, size_t *ret_bytes)
{
    mr_sim_inode_t *inode = mr_sim_find (&self->names, name);
    if (inode == NULL) {
        return NULL;
    }
    *ret_bytes = inode->size;
    return inode->data;
}

void
mr_simfs_put (mr_simfs_t *self, const char *name, const void *data, size_t bytes)
{
    mr_sim_inode_t *inode = mr_sim_find (&self->names, name);
    if (inode == NULL) {
        inode = mr_sim_create (self, name);
    }
    struct iovec iov = {(void *)data, bytes};
    mr_sim_resize (inode, 0);
    mr_sim_write (inode, 0, &iov, bytes);
    mr_sim_settle (inode);
    mr_sim_settle_names (self);
}

void
mr_simfs_spoil (mr_simfs_t *self, const char *name, uint64_t from, uint64_t to)
{
    mr_sim_inode_t *inode = mr_sim_find (&self->names, name);
    inode->bad_from = from;
    inode->bad_to = to;
}

void
mr_simfs_remove (mr_simfs_t *self, const char *name)
{
    mr_sim_change_name (self, name, NULL);
    mr_sim_settle_names (self);
}

static bool
ends_with (const char *name, const char *suffix)
{
    size_t length = strlen (name);
    size_t tail = strlen (suffix);
    return length >= tail && strcmp (name + length - tail, suffix) == 0;
}

unsigned
mr_simfs_count (const mr_simfs_t *self, const char *suffix)
{
    unsigned count = 0;
    for (size_t i = 0; i < self->names.count; i++) {
        count += ends_with (self->names.rows[i].name, suffix);
    }
    return count;
}

const char *
mr_simfs_last (const mr_simfs_t *self, const char *suffix)
{
    const char *last = "";
    for (size_t i = 0; i < self->names.count; i++) {
        const char *name = self->names.rows[i].name;
        if (ends_with (name, suffix) && strcmp (name, last) > 0) {
            last = name;
        }
    }
    return last;
}

void
mr_simfs_destroy (mr_simfs_t **self_p)
{
    mr_simfs_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    mr_simfs_kill (self);
    while (self->namings != NULL) {
        drop_naming (self);
    }
    while (self->names.count > 0) {
        unname (&self->names, self->names.rows[0].name);
    }
    while (self->disk_names.count > 0) {
        unname (&self->disk_names, self->disk_names.rows[0].name);
    }
    while (self->inodes != NULL) {
        mr_sim_inode_t *inode = self->inodes;
        self->inodes = inode->next;
        mr_sim_forget (inode);
        free (inode->data);
        free (inode->disk.data);
        free (inode);
    }
    free (self->names.rows);
    free (self->disk_names.rows);
    free (self);
    *self_p = NULL;
}
