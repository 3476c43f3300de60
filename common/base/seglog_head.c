/* The published positions: a small file that writer and readers map. It is a hint: a log without it
 * is read by its checksums. */
#include "common/base/crashpoint.h"
#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>

static const char head_name[] = "head";

bool
mr_seglog_head_valid (const mr_seglog_head_t *head)
{
    return head->magic == MR_SEGLOG_HEAD_MAGIC && head->version == MR_SEGLOG_VERSION;
}

static mr_status_t
map_head (mr_seglog_t *self, mr_error_t *err)
{
    const mr_file_ops_t *ops = self->ops;
    int64_t size = ops->size (ops->context, self->head_fd);
    if (size < MR_SEGLOG_HEAD_BYTES) {
        /* Written, not only lengthened: a store into a hole of a full disk would be SIGBUS. */
        static char zeros[MR_SEGLOG_HEAD_BYTES];
        struct iovec iov = {zeros, sizeof zeros};
        if (self->options.read_only || mr_file_write_all (ops, self->head_fd, &iov, 1, 0) != 0) {
            return mr_seglog_failed (self, "cannot write head", err);
        }
    }
    void *data =
        ops->map (ops->context, self->head_fd, MR_SEGLOG_HEAD_BYTES, !self->options.read_only);
    if (data == NULL) {
        return mr_seglog_failed (self, "cannot map head", err);
    }
    self->head = data;
    return MR_OK;
}

/* Read-only opens take a private copy, so that the rest of the code may store into it. */
static void
copy_head (mr_seglog_t *self)
{
    const mr_seglog_head_t *from = self->head;
    mr_seglog_head_t *to = &self->own_head;
    to->magic = from->magic;
    to->version = from->version;
    to->log_id = from->log_id;
    to->boot[0] = from->boot[0];
    to->boot[1] = from->boot[1];
    atomic_store (&to->ready, atomic_load (&from->ready));
    atomic_store (&to->first, atomic_load (&from->first));
    atomic_store (&to->end, atomic_load (&from->end));
    atomic_store (&to->synced, atomic_load (&from->synced));
    self->ops->unmap (self->ops->context, self->head, MR_SEGLOG_HEAD_BYTES);
    self->head = to;
}

mr_status_t
mr_seglog_head_open (mr_seglog_t *self, mr_error_t *err)
{
    const mr_file_ops_t *ops = self->ops;
    bool write = !self->options.read_only;
    if (ops->boot_id (ops->context, self->boot) != 0) {
        self->boot[0] = 0; /* unknown: no head is of this machine start */
        self->boot[1] = 0;
    }
    int fd = ops->open (ops->context, self->dir, head_name, write ? O_RDWR | O_CREAT : O_RDONLY);
    if (fd < 0) {
        return write ? mr_seglog_failed (self, "cannot open head", err) : MR_OK;
    }
    self->head_fd = fd;
    mr_status_t status = map_head (self, err);
    if (status != MR_OK) {
        ops->close (ops->context, fd);
        self->head_fd = -1;
        return write ? status : MR_OK;
    }
    const mr_seglog_head_t *head = self->head;
    self->same_boot = mr_seglog_head_valid (head) && atomic_load (&head->ready) == 1 &&
                      head->boot[0] == self->boot[0] && head->boot[1] == self->boot[1] &&
                      (self->boot[0] | self->boot[1]) != 0;
    if (!write) {
        copy_head (self);
        ops->close (ops->context, fd);
        self->head_fd = -1;
    }
    return MR_OK;
}

void
mr_seglog_head_publish (mr_seglog_t *self, uint64_t end, uint64_t synced)
{
    mr_seglog_head_t *head = self->head;
    bool known = mr_seglog_head_valid (head) && head->log_id == self->id && self->same_boot;
    if (!known) {
        atomic_store (&head->ready, 0);
        head->magic = MR_SEGLOG_HEAD_MAGIC;
        head->version = MR_SEGLOG_VERSION;
        head->kind = self->options.kind;
        head->log_id = self->id;
        head->boot[0] = self->boot[0];
        head->boot[1] = self->boot[1];
    }
    MR_CRASH_POINT ("seglog.head.begin");
    atomic_store (&head->first, self->segments.count > 0 ? self->segments.starts[0] : 0);
    atomic_store (&head->synced, synced);
    atomic_store (&head->end, end);
    atomic_store (&head->ready, 1);
    self->same_boot = true;
}

void
mr_seglog_head_close (mr_seglog_t *self)
{
    if (self->head != NULL && self->head != &self->own_head) {
        self->ops->unmap (self->ops->context, self->head, MR_SEGLOG_HEAD_BYTES);
    }
    if (self->head_fd >= 0) {
        self->ops->close (self->ops->context, self->head_fd);
        self->head_fd = -1;
    }
    self->head = NULL;
}

uint64_t
mr_seglog_end (const mr_seglog_t *self)
{
    return atomic_load_explicit (&self->head->end, memory_order_acquire);
}

uint64_t
mr_seglog_first (const mr_seglog_t *self)
{
    return atomic_load_explicit (&self->head->first, memory_order_acquire);
}

uint64_t
mr_seglog_synced (const mr_seglog_t *self)
{
    return atomic_load_explicit (&self->head->synced, memory_order_acquire);
}
