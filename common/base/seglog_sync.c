/* Durability. A failed fdatasync may have dropped the very bytes that it could not write, and the
 * next one would then succeed without them: so after a failure everything that is not yet durable
 * is written again from memory before the next try. */
#include "common/base/crashpoint.h"
#include "common/base/seglog.h"
#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { REWRITE_BYTES = 256 << 10 };

/* Read bytes [from, to) of a file and write them where they are. 0, or -1 and errno. */
static int
rewrite (const mr_file_ops_t *ops, int fd, uint64_t from, uint64_t to)
{
    char *data = malloc (REWRITE_BYTES);
    int result = data != NULL ? 0 : -1;
    while (result == 0 && from < to) {
        size_t want = to - from < REWRITE_BYTES ? (size_t)(to - from) : REWRITE_BYTES;
        ssize_t got = ops->read (ops->context, fd, data, want, from);
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            result = -1;
            break;
        }
        struct iovec iov = {data, (size_t)got};
        result = mr_file_write_all (ops, fd, &iov, 1, from);
        from += (uint64_t)got;
    }
    int saved = errno;
    free (data);
    errno = saved;
    return result;
}

/* Sync segment i, of which the bytes below `end` (a position) matter. */
static int
sync_segment (mr_seglog_t *self, size_t i, uint64_t end)
{
    const mr_file_ops_t *ops = self->ops;
    uint64_t start = self->segments.starts[i];
    bool last = i + 1 == self->segments.count;
    bool own = last && self->fd >= 0 && self->start == start && !self->options.read_only;
    int fd = own ? self->fd : mr_seglog_open_segment (ops, self->dir, start, O_RDWR);
    if (fd < 0) {
        return -1;
    }
    uint64_t to = last ? end : self->segments.starts[i + 1];
    int result = 0;
    if (self->sync_again < to) {
        uint64_t from = self->sync_again > start ? self->sync_again - start : 0;
        result = rewrite (ops, fd, from, to - start);
    }
    if (result == 0) {
        result = ops->sync_data (ops->context, fd);
    }
    int saved = errno;
    if (!own) {
        ops->close (ops->context, fd);
    }
    errno = saved;
    return result;
}

static int
sync_all (mr_seglog_t *self, uint64_t from, uint64_t end)
{
    const mr_file_ops_t *ops = self->ops;
    size_t i = mr_seglog_list_at (&self->segments, from);
    for (i = i < self->segments.count ? i : 0; i < self->segments.count; i++) {
        if (sync_segment (self, i, end) != 0) {
            return -1;
        }
    }
    MR_CRASH_POINT ("seglog.sync.data");
    if (atomic_exchange (&self->dir_dirty, false)) {
        /* head too: it names the log should a lone segment's header be damaged. */
        if ((self->head_fd >= 0 && ops->sync_data (ops->context, self->head_fd) != 0) ||
            ops->sync_dir (ops->context, self->dir) != 0) {
            atomic_store (&self->dir_dirty, true);
            return -1;
        }
        MR_CRASH_POINT ("seglog.sync.dir");
    }
    return 0;
}

static mr_status_t
sync_locked (mr_seglog_t *self, mr_error_t *err)
{
    uint64_t end = mr_seglog_end (self);
    uint64_t synced = mr_seglog_synced (self);
    if (synced >= end && !atomic_load (&self->dir_dirty)) {
        return MR_OK;
    }
    if (sync_all (self, synced, end) != 0) {
        /* The first segment's header may be among what was lost, so from its beginning. */
        size_t i = mr_seglog_list_at (&self->segments, synced);
        self->sync_again = self->segments.starts[i < self->segments.count ? i : 0];
        (void)mr_seglog_failed (self, "cannot sync", err);
        return MR_AGAIN;
    }
    self->sync_again = UINT64_MAX;
    atomic_store_explicit (&self->head->synced, end, memory_order_release);
    MR_CRASH_POINT ("seglog.sync.published");
    return MR_OK;
}

mr_status_t
mr_seglog_sync (mr_seglog_t *self, mr_error_t *err)
{
    pthread_mutex_lock (&self->lock);
    mr_status_t status = sync_locked (self, err);
    pthread_mutex_unlock (&self->lock);
    return status;
}
