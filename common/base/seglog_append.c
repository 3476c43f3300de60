/* Appending: one system call a frame; what a failure leaves is cut before anything else happens. */
#include "common/base/crashpoint.h"
#include "common/base/seglog.h"
#include "common/base/seglog_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ALLOCATE_STEP = 4 << 20 }; /* blocks of a new file at once: measured, see bench_seglog.c */

/* Take back whatever lies behind the tail. 0, or -1 and errno. */
static int
cut (mr_seglog_t *self)
{
    const mr_file_ops_t *ops = self->ops;
    if (ops->truncate (ops->context, self->fd, self->tail) == 0) {
        self->allocated = self->tail;
        return 0;
    }
    /* A frame without its magic is none; these bytes have blocks if a frame could be there. */
    char zeros[8] = {0};
    struct iovec iov = {zeros, sizeof zeros};
    return mr_file_write_all (ops, self->fd, &iov, 1, self->tail);
}

mr_status_t
mr_seglog_mend (mr_seglog_t *self, mr_error_t *err)
{
    if (!self->doubt) {
        return MR_OK;
    }
    if (cut (self) != 0) {
        (void)mr_seglog_failed (self, "the log is in doubt: cannot cut a failed append", err);
        return MR_SYSTEM;
    }
    self->doubt = false;
    MR_CRASH_POINT ("seglog.mend.done");
    return MR_OK;
}

/* Disks that cannot allocate are written with zeros; the frame overwrites them. */
static int
write_zeros (mr_seglog_t *self, uint64_t offset, uint64_t bytes)
{
    static char zeros[64 << 10];
    while (bytes > 0) {
        size_t piece = bytes < sizeof zeros ? (size_t)bytes : sizeof zeros;
        struct iovec iov = {zeros, piece};
        if (mr_file_write_all (self->ops, self->fd, &iov, 1, offset) != 0) {
            return -1;
        }
        offset += piece;
        bytes -= piece;
    }
    return 0;
}

uint64_t
mr_seglog_segment_limit (const mr_seglog_t *self)
{
    uint64_t bytes = self->options.segment_bytes;
    return bytes < 2 * self->header ? 2 * self->header : bytes;
}

/* Blocks for [tail, tail + bytes): a large step if the disk has it. `must`: zeros if need be. */
static int
allocate (mr_seglog_t *self, uint64_t bytes, bool must)
{
    const mr_file_ops_t *ops = self->ops;
    uint64_t need = self->tail + bytes;
    if (need <= self->allocated) {
        return 0;
    }
    uint64_t want = self->tail + ALLOCATE_STEP;
    uint64_t limit = mr_seglog_segment_limit (self);
    want = want < limit ? want : limit;
    if (want > need && ops->allocate (ops->context, self->fd, self->tail, want - self->tail) == 0) {
        self->allocated = want;
        return 0;
    }
    int result = ops->allocate (ops->context, self->fd, self->tail, bytes);
    if (result != 0 && must && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL)) {
        result = write_zeros (self, self->tail, bytes);
    }
    if (result == 0) {
        self->allocated = need;
    }
    return result;
}

/* No doubt, and a segment with room in its size for a frame of so many bytes. */
static mr_status_t
make_ready (mr_seglog_t *self, uint64_t bytes, mr_error_t *err)
{
    MR_ASSERT (!self->options.read_only);
    mr_status_t status = mr_seglog_mend (self, err);
    if (status != MR_OK) {
        return status;
    }
    if (self->must_roll) {
        return mr_seglog_begin (self, self->roll_at, err);
    }
    if (self->tail > self->header && self->tail + bytes > mr_seglog_segment_limit (self)) {
        return mr_seglog_begin (self, self->start + self->tail, err);
    }
    return MR_OK;
}

/* The disk is full: a file of the pool has blocks. */
static bool
take_from_pool (mr_seglog_t *self, uint64_t bytes)
{
    return self->pool_count > 0 && !self->recycled && self->tail > self->header &&
           bytes < self->options.segment_bytes &&
           mr_seglog_begin (self, self->start + self->tail, NULL) == MR_OK;
}

mr_status_t
mr_seglog_reserve (mr_seglog_t *self, uint32_t payload_bytes, mr_error_t *err)
{
    uint64_t bytes = mr_seglog_frame_size (payload_bytes);
    mr_status_t status = make_ready (self, bytes, err);
    if (status != MR_OK) {
        return status;
    }
    if (allocate (self, bytes, true) == 0) {
        return MR_OK;
    }
    int error = errno;
    if (take_from_pool (self, bytes) && allocate (self, bytes, true) == 0) {
        return MR_OK;
    }
    errno = error;
    return mr_seglog_failed (self, "no space for a frame", err);
}

static mr_status_t
measure (const mr_seglog_t *self, const mr_seglog_entry_t *entry, uint32_t *ret_bytes,
         mr_error_t *err)
{
    MR_ASSERT (entry->iov_count >= 0 && entry->iov_count <= MR_SEGLOG_IOV_MAX);
    MR_ASSERT (entry->type == MR_SEGLOG_DATA || entry->type == MR_SEGLOG_CONTROL);
    uint64_t total = 0;
    for (int i = 0; i < entry->iov_count; i++) {
        total += entry->iov[i].iov_len;
        if (total > self->options.max_payload_bytes) {
            mr_error_set (err, "%s: a frame over the limit of %u bytes", self->dir_name,
                          self->options.max_payload_bytes);
            return MR_INVALID;
        }
    }
    *ret_bytes = (uint32_t)total;
    return MR_OK;
}

/* Write the frame at the tail. 0, or -1 and errno; then part of it may be there. */
static int
write_frame (mr_seglog_t *self, const mr_seglog_entry_t *entry, uint32_t payload_bytes)
{
    static const char zeros[8];
    mr_seglog_frame_head_t head = {
        .magic = MR_SEGLOG_FRAME_MAGIC,
        .type = entry->type,
        .flags = entry->flags,
        .payload_bytes = payload_bytes,
        .position = self->start + self->tail,
        .ordinal = self->ordinal,
        .payload_check =
            mr_seglog_payload_check (self->id, entry->iov, entry->iov_count, self->hash_state),
    };
    memcpy (head.words, entry->words, sizeof head.words);
    mr_seglog_frame_seal (&head, self->id);
    struct iovec iov[MR_SEGLOG_IOV_MAX + 2];
    iov[0] = (struct iovec){&head, sizeof head};
    for (int i = 0; i < entry->iov_count; i++) {
        iov[1 + i] = entry->iov[i];
    }
    uint64_t bytes = mr_seglog_frame_size (payload_bytes);
    int count = 1 + entry->iov_count;
    size_t padding = (size_t)(bytes - sizeof head - payload_bytes);
    if (padding > 0) {
        iov[count++] = (struct iovec){(char *)zeros, padding};
    }
    if (MR_CRASH_HIT ("seglog.append.torn")) {
        iov[0].iov_len /= 2;
        (void)mr_file_write_all (self->ops, self->fd, iov, 1, self->tail);
        mr_crash_now ();
    }
    if (MR_CRASH_HIT ("seglog.append.half") && count > 1) {
        iov[1].iov_len /= 2;
        (void)mr_file_write_all (self->ops, self->fd, iov, 2, self->tail);
        mr_crash_now ();
    }
    int result = mr_file_write_all (self->ops, self->fd, iov, count, self->tail);
    if (result == 0) {
        MR_CRASH_POINT ("seglog.append.written");
        mr_seglog_index_push (&self->index, &head);
    }
    return result;
}

/* An append failed (errno): leave nothing of it. */
static mr_status_t
give_up (mr_seglog_t *self, mr_error_t *err)
{
    int error = errno;
    self->doubt = true;
    mr_status_t mended = mr_seglog_mend (self, err);
    if (mended != MR_OK) {
        return mended;
    }
    errno = error;
    (void)mr_seglog_failed (self, "cannot append", err);
    return MR_AGAIN;
}

mr_status_t
mr_seglog_append (mr_seglog_t *self, const mr_seglog_entry_t *entry, uint64_t *ret_position,
                  mr_error_t *err)
{
    uint32_t payload_bytes = 0;
    mr_status_t status = measure (self, entry, &payload_bytes, err);
    uint64_t bytes = mr_seglog_frame_size (payload_bytes);
    if (status == MR_OK) {
        status = make_ready (self, bytes, err);
    }
    if (status != MR_OK) {
        return status;
    }
    (void)allocate (self, bytes, false); /* the write itself says whether there is room */
    MR_CRASH_POINT ("seglog.append.begin");
    if (write_frame (self, entry, payload_bytes) != 0) {
        status = give_up (self, err);
        if (status != MR_AGAIN || !take_from_pool (self, bytes)) {
            return status;
        }
        if (write_frame (self, entry, payload_bytes) != 0) {
            return give_up (self, err);
        }
    }
    uint64_t position = self->start + self->tail;
    self->tail += bytes;
    self->allocated = self->allocated > self->tail ? self->allocated : self->tail;
    self->ordinal++;
    atomic_store_explicit (&self->head->end, self->start + self->tail, memory_order_release);
    MR_CRASH_POINT ("seglog.append.published");
    *ret_position = position;
    return MR_OK;
}
