#include "common/base/seglog_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { READ_ERROR_STEP = 4096 }; /* a sector that cannot be read costs one page */

void
mr_seglog_scan_init (mr_seglog_scan_t *self, const mr_file_ops_t *ops, size_t chunk,
                     uint32_t max_payload_bytes)
{
    *self = (mr_seglog_scan_t){
        .ops = ops, .fd = -1, .chunk = chunk, .max_payload_bytes = max_payload_bytes};
}

void
mr_seglog_scan_release (mr_seglog_scan_t *self)
{
    free (self->buffer);
    self->buffer = NULL;
    self->capacity = 0;
    self->used = 0;
}

void
mr_seglog_scan_file (mr_seglog_scan_t *self, int fd, uint64_t start)
{
    self->fd = fd;
    self->start = start;
    self->used = 0;
    self->offset = 0;
}

bool
mr_seglog_scan_has (const mr_seglog_scan_t *self, uint64_t offset, uint64_t bytes)
{
    return offset >= self->offset && offset - self->offset <= self->used &&
           bytes <= self->used - (offset - self->offset);
}

static mr_status_t
grow (mr_seglog_scan_t *self, size_t bytes)
{
    if (bytes <= self->capacity) {
        return MR_OK;
    }
    char *bigger = realloc (self->buffer, bytes);
    if (bigger == NULL) {
        return MR_SYSTEM;
    }
    self->buffer = bigger;
    self->capacity = bytes;
    return MR_OK;
}

/* Fill the buffer from `offset` on with at least `bytes`, more if there is room and file. */
static mr_status_t
fill (mr_seglog_scan_t *self, uint64_t offset, size_t bytes, uint64_t limit)
{
    if (grow (self, bytes > self->chunk ? bytes : self->chunk) != MR_OK) {
        return MR_SYSTEM;
    }
    uint64_t room = limit - offset;
    size_t want = room < self->capacity ? (size_t)room : self->capacity;
    self->offset = offset;
    self->used = 0;
    while (self->used < bytes) {
        ssize_t got = self->ops->read (self->ops->context, self->fd, self->buffer + self->used,
                                       want - self->used, offset + self->used);
        if (got < 0) {
            return MR_INVALID;
        }
        if (got == 0) {
            return MR_CLOSED;
        }
        self->used += (size_t)got;
    }
    return MR_OK;
}

mr_status_t
mr_seglog_scan_view (mr_seglog_scan_t *self, uint64_t offset, size_t bytes, uint64_t limit,
                     const char **ret_data)
{
    if (offset > limit || bytes > limit - offset) {
        return MR_CLOSED;
    }
    if (!mr_seglog_scan_has (self, offset, bytes)) {
        mr_status_t status = fill (self, offset, bytes, limit);
        if (status != MR_OK) {
            return status;
        }
    }
    *ret_data = self->buffer + (offset - self->offset);
    return MR_OK;
}

static mr_seglog_verdict_t
verdict_of (mr_status_t status)
{
    return status == MR_CLOSED ? MR_SEGLOG_BAD_SIZE : MR_SEGLOG_UNREADABLE;
}

mr_seglog_verdict_t
mr_seglog_scan_frame (mr_seglog_scan_t *self, uint64_t offset, uint64_t limit, bool payload,
                      mr_seglog_seen_t *ret_seen)
{
    const char *data = NULL;
    mr_status_t status = mr_seglog_scan_view (self, offset, MR_SEGLOG_FRAME_BYTES, limit, &data);
    if (status != MR_OK) {
        return verdict_of (status);
    }
    mr_seglog_frame_head_t head;
    memcpy (&head, data, sizeof head);
    mr_seglog_verdict_t verdict = mr_seglog_frame_judge (&head, self->log_id, self->start + offset);
    if (verdict != MR_SEGLOG_WHOLE) {
        return verdict;
    }
    uint64_t bytes = mr_seglog_frame_size (head.payload_bytes);
    if (head.payload_bytes > self->max_payload_bytes || bytes > limit - offset) {
        return MR_SEGLOG_BAD_SIZE;
    }
    *ret_seen = (mr_seglog_seen_t){.head = head, .bytes = bytes};
    if (!payload) {
        return MR_SEGLOG_WHOLE;
    }
    status = mr_seglog_scan_view (self, offset, (size_t)bytes, limit, &data);
    if (status != MR_OK) {
        return verdict_of (status);
    }
    ret_seen->payload = data + MR_SEGLOG_FRAME_BYTES;
    struct iovec iov = {(char *)data + MR_SEGLOG_FRAME_BYTES, head.payload_bytes};
    return mr_seglog_payload_check (self->log_id, &iov, 1, NULL) == head.payload_check
               ? MR_SEGLOG_WHOLE
               : MR_SEGLOG_BAD_PAYLOAD;
}

/* The first offset in [from, to) of the buffer that looks like a frame of its place; else `to`. */
static uint64_t
likely (const mr_seglog_scan_t *self, uint64_t from, uint64_t to)
{
    for (uint64_t offset = from; offset < to; offset += 8) {
        const char *data = self->buffer + (offset - self->offset);
        uint32_t magic;
        uint64_t position;
        memcpy (&magic, data, sizeof magic);
        if (magic != MR_SEGLOG_FRAME_MAGIC) {
            continue;
        }
        memcpy (&position, data + offsetof (mr_seglog_frame_head_t, position), sizeof position);
        if (position == self->start + offset) {
            return offset;
        }
    }
    return to;
}

bool
mr_seglog_scan_resync (mr_seglog_scan_t *self, uint64_t from, uint64_t limit, uint64_t *ret_offset)
{
    uint64_t offset = (from + 7) & ~UINT64_C (7);
    while (offset <= limit && limit - offset >= MR_SEGLOG_FRAME_BYTES) {
        const char *data = NULL;
        mr_status_t status =
            mr_seglog_scan_view (self, offset, MR_SEGLOG_FRAME_BYTES, limit, &data);
        if (status == MR_CLOSED || status == MR_SYSTEM) {
            return false;
        }
        if (status != MR_OK) {
            offset = (offset / READ_ERROR_STEP + 1) * READ_ERROR_STEP;
            continue;
        }
        uint64_t last = self->offset + self->used - MR_SEGLOG_FRAME_BYTES;
        uint64_t to = (last & ~UINT64_C (7)) + 8;
        offset = likely (self, offset, to);
        mr_seglog_seen_t seen;
        if (offset < to) {
            if (mr_seglog_scan_frame (self, offset, limit, true, &seen) == MR_SEGLOG_WHOLE) {
                *ret_offset = offset;
                return true;
            }
            offset += 8;
        }
    }
    return false;
}

uint64_t
mr_seglog_scan_skip (mr_seglog_scan_t *self, uint64_t offset, uint64_t limit)
{
    mr_seglog_seen_t seen;
    uint64_t from = offset + 8;
    if (mr_seglog_scan_frame (self, offset, limit, false, &seen) == MR_SEGLOG_WHOLE) {
        from = offset + seen.bytes; /* a sound header says where its frame ends */
    }
    uint64_t next;
    return mr_seglog_scan_resync (self, from, limit, &next) ? next : limit;
}

mr_status_t
mr_seglog_scan_header (mr_seglog_scan_t *self, mr_seglog_segment_head_t *ret_head,
                       const char **ret_snapshot, mr_error_t *err)
{
    char name[MR_SEGLOG_NAME_BYTES];
    mr_seglog_name (name, self->start, ".seg");
    const char *data = NULL;
    mr_seglog_segment_head_t head;
    /* Not a byte more: what follows may not be written yet, and would stay in the buffer. */
    mr_status_t status =
        mr_seglog_scan_view (self, 0, MR_SEGLOG_SEGMENT_BYTES, MR_SEGLOG_SEGMENT_BYTES, &data);
    if (status == MR_OK) {
        memcpy (&head, data, sizeof head);
        status = mr_seglog_segment_sizes_ok (&head) ? MR_OK : MR_INVALID;
    }
    if (status == MR_OK) {
        status = mr_seglog_scan_view (self, 0, head.header_bytes, head.header_bytes, &data);
    }
    if (status == MR_OK &&
        !mr_seglog_segment_sound (&head, data + MR_SEGLOG_SEGMENT_BYTES, self->start)) {
        status = MR_INVALID;
    }
    if (status == MR_SYSTEM) {
        mr_error_set (err, "%s: no memory to read what it begins with", name);
        return MR_SYSTEM;
    }
    if (status != MR_OK) {
        mr_error_set (err, "%s: the segment header is damaged", name);
        return MR_INVALID;
    }
    if (head.version > MR_SEGLOG_VERSION) {
        mr_error_set (err,
                      "%s: written by a newer Millrace (log format %d, this one reads up to %d): "
                      "use that release, or another data_dir",
                      name, head.version, MR_SEGLOG_VERSION);
        return MR_CONFIG;
    }
    *ret_head = head;
    if (ret_snapshot != NULL) {
        *ret_snapshot = data + MR_SEGLOG_SEGMENT_BYTES;
    }
    return MR_OK;
}
