#include "tests/support/simfs.h"

#include "tests/support/simfs_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_FD = 1000, DIR_FD = 999 };

uint64_t
mr_simfs_random (mr_simfs_t *self, uint64_t limit)
{
    uint64_t z = (self->random += UINT64_C (0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C (0x94d049bb133111eb);
    return (z ^ (z >> 31)) % limit;
}

/* Count a call; false and errno when it is to fail. */
static bool
may_go (mr_simfs_t *self)
{
    self->calls++;
    if (self->dead) {
        errno = EIO;
        return false;
    }
    if (self->fail_in > 0 && --self->fail_in == 0) {
        if (self->fail_times > 1) {
            self->fail_times--;
            self->fail_in = 1;
        }
        errno = self->fail_error;
        return false;
    }
    return true;
}

/* Whether the process dies in this changing call. */
static bool
dies (mr_simfs_t *self)
{
    if (self->die_in > 0 && --self->die_in == 0) {
        self->dead = true;
    }
    return self->dead;
}

static mr_sim_inode_t *
inode_of (mr_simfs_t *self, int fd)
{
    if (fd < FIRST_FD || fd >= FIRST_FD + MR_SIM_FDS || self->fds[fd - FIRST_FD] == NULL) {
        fprintf (stderr, "simfs: bad descriptor %d\n", fd);
        abort ();
    }
    return self->fds[fd - FIRST_FD];
}

static int
sim_open_dir (void *context, const char *path, bool make)
{
    (void)path;
    (void)make;
    return may_go (context) ? DIR_FD : -1;
}

static int
sim_open (void *context, int dir, const char *name, int flags)
{
    mr_simfs_t *self = context;
    (void)dir;
    if (!may_go (self)) {
        return -1;
    }
    mr_sim_inode_t *inode = mr_sim_find (&self->names, name);
    if (inode != NULL && (flags & O_EXCL) != 0) {
        errno = EEXIST;
        return -1;
    }
    if (inode == NULL) {
        if ((flags & O_CREAT) == 0) {
            errno = ENOENT;
            return -1;
        }
        if (dies (self)) {
            errno = EIO;
            return -1;
        }
        inode = mr_sim_create (self, name);
    }
    if ((flags & O_TRUNC) != 0) {
        mr_sim_resize (inode, 0);
    }
    for (int i = 0; i < MR_SIM_FDS; i++) {
        if (self->fds[i] == NULL) {
            self->fds[i] = inode;
            inode->references++;
            return FIRST_FD + i;
        }
    }
    errno = EMFILE;
    return -1;
}

static int
sim_close (void *context, int fd)
{
    mr_simfs_t *self = context;
    if (fd != DIR_FD) {
        mr_sim_drop (inode_of (self, fd));
        self->fds[fd - FIRST_FD] = NULL;
    }
    return 0;
}

static int64_t
sim_size (void *context, int fd)
{
    mr_simfs_t *self = context;
    return may_go (self) ? (int64_t)inode_of (self, fd)->size : -1;
}

static ssize_t
sim_read (void *context, int fd, void *data, size_t bytes, uint64_t offset)
{
    mr_simfs_t *self = context;
    const mr_sim_inode_t *inode = inode_of (self, fd);
    if (!may_go (self)) {
        return -1;
    }
    if (offset >= inode->size) {
        return 0;
    }
    size_t there = inode->size - (size_t)offset;
    size_t got = bytes < there ? bytes : there;
    if (offset < inode->bad_to && offset + got > inode->bad_from) {
        if (offset >= inode->bad_from) {
            errno = EIO;
            return -1;
        }
        got = (size_t)(inode->bad_from - offset);
    }
    memcpy (data, inode->data + offset, got);
    self->bytes_read += got;
    return (ssize_t)got;
}

/* How many bytes a file may have, given what all others have. */
static uint64_t
room_for (const mr_simfs_t *self, const mr_sim_inode_t *inode, uint64_t wanted)
{
    uint64_t others = mr_sim_space (self) - inode->size;
    if (self->space == 0 || others + wanted <= self->space || wanted <= inode->size) {
        return wanted;
    }
    uint64_t room = self->space > others ? self->space - others : 0;
    return room > inode->size ? room : inode->size;
}

static ssize_t
sim_write (void *context, int fd, const struct iovec *iov, int count, uint64_t offset)
{
    mr_simfs_t *self = context;
    mr_sim_inode_t *inode = inode_of (self, fd);
    size_t total = 0;
    for (int i = 0; i < count; i++) {
        total += iov[i].iov_len;
    }
    bool fails = !may_go (self);
    int error = errno;
    if (fails && self->dead) {
        return -1;
    }
    size_t part = total;
    if (fails || dies (self)) {
        part = (size_t)mr_simfs_random (self, total + 1);
        error = self->dead ? EIO : error;
        fails = true;
    }
    uint64_t end = room_for (self, inode, offset + part);
    part = end > offset ? (size_t)(end - offset) < part ? (size_t)(end - offset) : part : 0;
    mr_sim_write (inode, offset, iov, part);
    if (fails || (part == 0 && total > 0)) {
        errno = fails ? error : ENOSPC;
        return -1;
    }
    return (ssize_t)part;
}

static int
sim_truncate (void *context, int fd, uint64_t bytes)
{
    mr_simfs_t *self = context;
    mr_sim_inode_t *inode = inode_of (self, fd);
    if (!may_go (self)) {
        return -1;
    }
    bool dead = dies (self);
    if (!dead || mr_simfs_random (self, 2) == 0) {
        mr_sim_resize (inode, bytes);
    }
    return dead ? -1 : 0;
}

static int
sim_allocate (void *context, int fd, uint64_t offset, uint64_t bytes)
{
    mr_simfs_t *self = context;
    mr_sim_inode_t *inode = inode_of (self, fd);
    if (!may_go (self)) {
        return -1;
    }
    if (dies (self)) {
        errno = EIO;
        return -1;
    }
    if (room_for (self, inode, offset + bytes) < offset + bytes) {
        errno = ENOSPC;
        return -1;
    }
    if (offset + bytes > inode->size) {
        mr_sim_resize (inode, offset + bytes);
    }
    return 0;
}

static int
sim_sync_data (void *context, int fd)
{
    mr_simfs_t *self = context;
    mr_sim_inode_t *inode = inode_of (self, fd);
    bool fails = !may_go (self);
    if (fails && self->dead) {
        return -1;
    }
    if (fails) {
        int error = errno;
        mr_sim_forget (inode); /* clean pages that the disk never saw */
        errno = error;
        return -1;
    }
    if (dies (self)) {
        return -1;
    }
    mr_sim_settle (inode);
    return 0;
}

static int
sim_sync_dir (void *context, int dir)
{
    mr_simfs_t *self = context;
    (void)dir;
    if (!may_go (self) || dies (self)) {
        return -1;
    }
    mr_sim_settle_names (self);
    return 0;
}

static int
sim_rename (void *context, int dir, const char *from, const char *to)
{
    mr_simfs_t *self = context;
    (void)dir;
    if (!may_go (self)) {
        return -1;
    }
    if (mr_sim_find (&self->names, from) == NULL) {
        errno = ENOENT;
        return -1;
    }
    bool dead = dies (self);
    if (!dead || mr_simfs_random (self, 2) == 0) {
        mr_sim_change_name (self, from, to);
    }
    return dead ? -1 : 0;
}

static int
sim_unlink (void *context, int dir, const char *name)
{
    mr_simfs_t *self = context;
    (void)dir;
    if (!may_go (self)) {
        return -1;
    }
    if (mr_sim_find (&self->names, name) == NULL) {
        errno = ENOENT;
        return -1;
    }
    bool dead = dies (self);
    if (!dead || mr_simfs_random (self, 2) == 0) {
        mr_sim_change_name (self, name, NULL);
    }
    return dead ? -1 : 0;
}

static int
sim_list (void *context, int dir, mr_file_each_fn *each, void *arg)
{
    mr_simfs_t *self = context;
    (void)dir;
    if (!may_go (self)) {
        return -1;
    }
    for (size_t i = 0; i < self->names.count; i++) {
        each (arg, self->names.rows[i].name);
    }
    return 0;
}

static void *
sim_map (void *context, int fd, size_t bytes, bool writable)
{
    mr_simfs_t *self = context;
    mr_sim_inode_t *inode = inode_of (self, fd);
    (void)writable;
    if (bytes > MR_SIM_MIN_CAPACITY || inode->size < bytes || !may_go (self)) {
        return NULL;
    }
    inode->mapped = true;
    return inode->data;
}

static void
sim_unmap (void *context, void *data, size_t bytes)
{
    (void)context;
    (void)data;
    (void)bytes;
}

static int
sim_boot_id (void *context, uint64_t ret_id[2])
{
    const mr_simfs_t *self = context;
    ret_id[0] = self->boot;
    ret_id[1] = 1;
    return 0;
}

mr_simfs_t *
mr_simfs_new (uint64_t seed)
{
    mr_simfs_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        abort ();
    }
    self->random = seed;
    self->boot = 1;
    self->ops = (mr_file_ops_t){
        .context = self,
        .open_dir = sim_open_dir,
        .open = sim_open,
        .close = sim_close,
        .size = sim_size,
        .read = sim_read,
        .write = sim_write,
        .truncate = sim_truncate,
        .allocate = sim_allocate,
        .sync_data = sim_sync_data,
        .sync_dir = sim_sync_dir,
        .rename = sim_rename,
        .unlink = sim_unlink,
        .list = sim_list,
        .map = sim_map,
        .unmap = sim_unmap,
        .boot_id = sim_boot_id,
    };
    return self;
}

const mr_file_ops_t *
mr_simfs_ops (mr_simfs_t *self)
{
    return &self->ops;
}

void
mr_simfs_kill (mr_simfs_t *self)
{
    for (int i = 0; i < MR_SIM_FDS; i++) {
        if (self->fds[i] != NULL) {
            mr_sim_drop (self->fds[i]);
            self->fds[i] = NULL;
        }
    }
    self->dead = false;
    self->die_in = 0;
    self->fail_in = 0;
}

void
mr_simfs_fail_at (mr_simfs_t *self, uint64_t nth, int error, uint64_t times)
{
    self->fail_in = nth;
    self->fail_error = error;
    self->fail_times = times;
}

void
mr_simfs_die_at (mr_simfs_t *self, uint64_t nth)
{
    self->die_in = nth;
}

bool
mr_simfs_is_dead (const mr_simfs_t *self)
{
    return self->dead;
}

void
mr_simfs_set_space (mr_simfs_t *self, uint64_t bytes)
{
    self->space = bytes;
}

uint64_t
mr_simfs_calls (const mr_simfs_t *self)
{
    return self->calls;
}

uint64_t
mr_simfs_bytes_read (const mr_simfs_t *self)
{
    return self->bytes_read;
}
