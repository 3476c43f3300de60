/* Retention: whole segments go, oldest first. The new first position is published before a file is
 * touched, so that a reader can tell a recycled file from a damaged one. */
#include "common/base/clock.h"
#include "common/base/crashpoint.h"
#include "common/base/seglog.h"
#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* The caller has other work, and removing a file of 16 MiB takes a millisecond: so many a call,
 * more of small ones, and always more than were made since the call before. */
enum {
    TRIM_FILES = 8,
    TRIM_SMALL_FILES = 256,
    TRIM_SMALL_BYTES = 128 << 20, /* of them together */
};

/* When the segment after the oldest was begun: the oldest one's last write. INT64_MIN: unknown. */
static int64_t
next_begun_ns (const mr_seglog_t *self)
{
    uint64_t start = self->segments.starts[1];
    int fd = mr_seglog_open_segment (self->ops, self->dir, start, O_RDONLY);
    if (fd < 0) {
        return INT64_MIN;
    }
    mr_seglog_scan_t scan;
    mr_seglog_scan_init (&scan, self->ops, MR_SEGLOG_HEADER_CHUNK, 0);
    mr_seglog_scan_file (&scan, fd, start);
    mr_seglog_segment_head_t head;
    mr_status_t status = mr_seglog_scan_header (&scan, &head, NULL, NULL);
    mr_seglog_scan_release (&scan);
    self->ops->close (self->ops->context, fd);
    return status == MR_OK ? head.created_ns : INT64_MIN;
}

/* Whether retention by bytes and age keeps the oldest segment. */
static bool
retained (const mr_seglog_t *self, int64_t now_ns)
{
    const mr_seglog_options_t *options = &self->options;
    if (options->keep_bytes == 0 && options->keep_ms == 0) {
        return false;
    }
    uint64_t total = mr_seglog_end (self) - self->segments.starts[0];
    if (options->keep_bytes != 0 && total > options->keep_bytes) {
        return false;
    }
    if (options->keep_ms == 0) {
        return true;
    }
    int64_t begun = next_begun_ns (self);
    return begun != INT64_MIN && (now_ns - begun) / MR_NS_PER_MS < options->keep_ms;
}

/* Only files of this life are used again: one of a former life may hold frames of a tail that a
 * power loss took, at positions that are being given out anew. */
static bool
reusable (const mr_seglog_t *self, uint64_t start, const char *name)
{
    if (self->pool_count >= self->options.pool_segments || start < self->born) {
        return false;
    }
    int fd = self->ops->open (self->ops->context, self->dir, name, O_RDONLY);
    if (fd < 0) {
        return false;
    }
    int64_t size = self->ops->size (self->ops->context, fd);
    self->ops->close (self->ops->context, fd);
    return size > 0 && (uint64_t)size <= 2 * mr_seglog_segment_limit (self) &&
           (uint64_t)size >= self->options.segment_bytes / 2;
}

/* The oldest segment's file: into the pool, or off the disk. Gone already is fine. */
static int
dispose (mr_seglog_t *self, uint64_t start)
{
    const mr_file_ops_t *ops = self->ops;
    char name[MR_SEGLOG_NAME_BYTES];
    char stock[MR_SEGLOG_NAME_BYTES];
    mr_seglog_name (name, start, ".seg");
    mr_seglog_name (stock, start, ".free");
    if (reusable (self, start, name)) {
        if (ops->rename (ops->context, self->dir, name, stock) == 0) {
            self->pool[self->pool_count++] = start;
            return 0;
        }
        return errno == ENOENT ? 0 : -1;
    }
    return ops->unlink (ops->context, self->dir, name) == 0 || errno == ENOENT ? 0 : -1;
}

static int
remove_oldest (mr_seglog_t *self)
{
    atomic_store_explicit (&self->head->first, self->segments.starts[1], memory_order_release);
    MR_CRASH_POINT ("seglog.trim.published");
    if (dispose (self, self->segments.starts[0]) != 0) {
        return -1;
    }
    MR_CRASH_POINT ("seglog.trim.disposed");
    pthread_mutex_lock (&self->lock);
    self->segments.count--;
    memmove (self->segments.starts, self->segments.starts + 1,
             self->segments.count * sizeof *self->segments.starts);
    pthread_mutex_unlock (&self->lock);
    atomic_store (&self->dir_dirty, true);
    return 0;
}

/* Whether a call that began at `from`, and removed so many since, leaves the rest to the next. */
static bool
enough (const mr_seglog_t *self, unsigned removed, uint64_t from, uint64_t made)
{
    uint64_t bytes = self->segments.starts[0] - from;
    bool small = removed < TRIM_SMALL_FILES && bytes < TRIM_SMALL_BYTES;
    return removed >= TRIM_FILES + made && !small;
}

mr_status_t
mr_seglog_trim (mr_seglog_t *self, uint64_t position, int64_t now_ns, unsigned *ret_removed,
                mr_error_t *err)
{
    MR_ASSERT (!self->options.read_only);
    mr_status_t status = MR_OK;
    unsigned removed = 0;
    uint64_t protect = mr_seglog_index_oldest_kept (&self->index);
    uint64_t below = position < protect ? position : protect;
    uint64_t from = self->segments.starts[0];
    uint64_t begun = self->stats.made + self->stats.recycled;
    uint64_t made = begun - self->trimmed;
    self->trimmed = begun;
    while (self->segments.count > 1 && self->segments.starts[1] <= below &&
           !enough (self, removed, from, made) && !retained (self, now_ns)) {
        if (remove_oldest (self) != 0) {
            (void)mr_seglog_failed (self, "cannot remove a segment", err);
            status = MR_AGAIN;
            break;
        }
        removed++;
    }
    if (ret_removed != NULL) {
        *ret_removed = removed;
    }
    return status;
}
