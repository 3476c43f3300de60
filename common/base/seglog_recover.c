/* Opening: which id, where is the end, what is torn. Only the last segment is read, and of others
 * as many frame headers as the index wants.
 *
 * `lower` is a position up to which frames were surely committed: the published end if the machine
 * did not start anew since, else the synced one. A bad frame below it is damage: it is skipped and
 * kept. Behind it a bad frame is torn: it is cut. After a power loss whole frames may follow a torn
 * one (the disk reorders); they are kept too, and the gap counts as damage. */
#include "common/base/crashpoint.h"
#include "common/base/seglog.h"
#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

enum { DISTRUSTED_BYTES = 64 << 20 };

typedef struct {
    mr_seglog_scan_t scan;
    mr_seglog_segment_head_t head;
    bool head_ok;
    uint64_t size;  /* of the file */
    uint64_t lower; /* position */
    uint64_t end;   /* offset behind the last whole frame, or the header */
    uint64_t frames;
    bool unreadable; /* the disk refused some of it: cut nothing */
} last_t;

static uint64_t
lower_bound (const mr_seglog_t *self)
{
    const mr_seglog_head_t *head = self->head;
    if (!mr_seglog_head_valid (head) || head->log_id != self->id) {
        return 0;
    }
    return self->same_boot ? atomic_load (&head->end) : atomic_load (&head->synced);
}

/* The id, from the newest sound header before `count`, or from head; 0: unknown. */
static uint64_t
find_id (mr_seglog_t *self, size_t count)
{
    uint64_t id = 0;
    for (size_t i = count; i > 0 && id == 0; i--) {
        uint64_t start = self->segments.starts[i - 1];
        int fd = mr_seglog_open_segment (self->ops, self->dir, start, O_RDONLY);
        if (fd < 0) {
            continue;
        }
        mr_seglog_scan_t scan;
        mr_seglog_scan_init (&scan, self->ops, MR_SEGLOG_HEADER_CHUNK, 0);
        mr_seglog_scan_file (&scan, fd, start);
        mr_seglog_segment_head_t head;
        if (mr_seglog_scan_header (&scan, &head, NULL, NULL) == MR_OK) {
            id = head.log_id;
        }
        mr_seglog_scan_release (&scan);
        self->ops->close (self->ops->context, fd);
    }
    if (id == 0 && mr_seglog_head_valid (self->head)) {
        id = self->head->log_id;
    }
    return id != 0 ? id : self->options.id;
}

static mr_status_t
check_identity (const mr_seglog_t *self, const mr_seglog_segment_head_t *head, mr_error_t *err)
{
    if (head->kind != self->options.kind) {
        mr_error_set (err, "%s: holds a log of kind %d, expected kind %d: use another directory",
                      self->dir_name, head->kind, self->options.kind);
        return MR_CONFIG;
    }
    if (self->options.id != 0 && head->log_id != self->options.id) {
        mr_error_set (err, "%s: holds log %016llx, expected %016llx", self->dir_name,
                      (unsigned long long)head->log_id, (unsigned long long)self->options.id);
        return MR_CONFIG;
    }
    return MR_OK;
}

static void
count_damage (mr_seglog_t *self, uint64_t bytes)
{
    self->stats.damaged_ranges++;
    self->stats.damaged_bytes += bytes;
}

/* What stands behind the last whole frame, if somebody began a frame there. */
static void
count_torn (mr_seglog_t *self, last_t *last)
{
    uint64_t rest = last->size - last->end;
    uint64_t bytes = MR_SEGLOG_FRAME_BYTES;
    mr_seglog_seen_t seen;
    mr_seglog_verdict_t verdict =
        mr_seglog_scan_frame (&last->scan, last->end, last->size, false, &seen);
    if (rest == 0 || verdict == MR_SEGLOG_BAD_MAGIC || verdict == MR_SEGLOG_BAD_POSITION) {
        return; /* nothing, blocks in advance, or a recycled file's old bytes */
    }
    if (verdict == MR_SEGLOG_WHOLE) {
        bytes = seen.bytes;
    } else if (verdict == MR_SEGLOG_BAD_SIZE) {
        bytes = rest; /* the file ends inside it */
    }
    self->stats.torn_bytes = bytes < rest ? bytes : rest;
}

static void
scan_frames (mr_seglog_t *self, last_t *last)
{
    uint64_t offset = last->head_ok ? last->head.header_bytes : 0;
    uint64_t begin = offset;
    last->end = offset;
    while (offset < last->size) {
        mr_seglog_seen_t seen;
        mr_seglog_verdict_t verdict =
            mr_seglog_scan_frame (&last->scan, offset, last->size, true, &seen);
        if (verdict == MR_SEGLOG_WHOLE) {
            if (offset > last->end && (last->head_ok || last->end > begin)) {
                count_damage (self, offset - last->end);
            }
            mr_seglog_index_push (&self->index, &seen.head);
            self->ordinal = seen.head.ordinal + 1;
            last->frames++;
            offset += seen.bytes;
            last->end = offset;
            continue;
        }
        last->unreadable = last->unreadable || verdict == MR_SEGLOG_UNREADABLE;
        if (self->same_boot && last->lower != 0 && last->scan.start + offset >= last->lower) {
            break; /* torn: one writer wrote one frame there, and died */
        }
        offset = mr_seglog_scan_skip (&last->scan, offset, last->size);
    }
    count_torn (self, last);
}

/* Data frames of one earlier segment, by their headers; into the index when `push`. */
static uint64_t
walk_headers (mr_seglog_t *self, size_t i, bool push)
{
    uint64_t start = self->segments.starts[i];
    uint64_t limit = self->segments.starts[i + 1] - start;
    int fd = mr_seglog_open_segment (self->ops, self->dir, start, O_RDONLY);
    if (fd < 0) {
        return 0;
    }
    mr_seglog_scan_t scan;
    mr_seglog_scan_init (&scan, self->ops, MR_SEGLOG_HEADER_CHUNK, MR_SEGLOG_PAYLOAD_MAX);
    scan.log_id = self->id;
    mr_seglog_scan_file (&scan, fd, start);
    mr_seglog_segment_head_t head;
    mr_status_t known = mr_seglog_scan_header (&scan, &head, NULL, NULL);
    uint64_t offset = known == MR_OK ? head.header_bytes : 0;
    uint64_t count = 0;
    while (offset < limit) {
        mr_seglog_seen_t seen;
        if (mr_seglog_scan_frame (&scan, offset, limit, false, &seen) != MR_SEGLOG_WHOLE) {
            offset = mr_seglog_scan_skip (&scan, offset, limit);
            continue;
        }
        count += seen.head.type == MR_SEGLOG_DATA;
        if (push) {
            mr_seglog_index_push (&self->index, &seen.head);
        }
        offset += seen.bytes;
    }
    mr_seglog_scan_release (&scan);
    self->ops->close (self->ops->context, fd);
    return count;
}

/* The last segment alone may hold too few frames for the index: begin further back. */
static void
fill_index (mr_seglog_t *self, last_t *last)
{
    size_t count = self->segments.count;
    if (mr_seglog_index_full (&self->index) || count < 2) {
        return;
    }
    uint64_t want =
        self->index.keep > self->index.capacity ? self->index.keep : self->index.capacity;
    uint64_t have = self->index.capacity > 0 ? self->index.pushed : self->index.kept;
    size_t from = count - 1;
    while (from > 0 && have < want) {
        have += walk_headers (self, --from, false);
    }
    mr_seglog_index_clear (&self->index);
    for (size_t i = from; i < count - 1; i++) {
        walk_headers (self, i, true);
    }
    uint64_t offset = last->head_ok ? last->head.header_bytes : 0;
    while (offset < last->end) {
        mr_seglog_seen_t seen;
        if (mr_seglog_scan_frame (&last->scan, offset, last->end, true, &seen) != MR_SEGLOG_WHOLE) {
            offset = mr_seglog_scan_skip (&last->scan, offset, last->end);
            continue;
        }
        mr_seglog_index_push (&self->index, &seen.head);
        offset += seen.bytes;
    }
}

/* Where the log goes on: behind the last frame, or in a new segment if this one is not to be
 * trusted with more. */
static mr_status_t
settle_tail (mr_seglog_t *self, last_t *last, mr_error_t *err)
{
    uint64_t end = last->scan.start + last->end;
    uint64_t file_end = last->scan.start + ((last->size + 7) & ~UINT64_C (7));
    self->must_roll = !last->head_ok;
    self->roll_at = end;
    if (last->lower > end && file_end > end) {
        uint64_t reach = last->lower < file_end ? last->lower : file_end;
        count_damage (self, reach - end);
        self->must_roll = true;
        self->roll_at = reach;
    }
    if (last->unreadable) {
        self->must_roll = true;
        self->roll_at = file_end;
    }
    self->start = last->scan.start;
    self->header = last->head_ok ? last->head.header_bytes : 0;
    self->tail = last->end;
    self->allocated = last->end;
    self->number = last->head_ok ? last->head.number : self->segments.count - 1;
    if (!self->must_roll && !self->options.read_only && last->size > last->end) {
        if (self->ops->truncate (self->ops->context, self->fd, last->end) != 0) {
            return mr_seglog_failed (self, "cannot cut the torn tail", err);
        }
        MR_CRASH_POINT ("seglog.recover.cut");
        /* Before anything is built on it: a cut that a power loss undoes brings dead bytes back. */
        bool matters = !self->same_boot || self->stats.torn_bytes > 0;
        if (matters && self->ops->sync_data (self->ops->context, self->fd) != 0) {
            return mr_seglog_failed (self, "cannot sync the cut tail", err);
        }
    }
    return MR_OK;
}

/* Read the last segment. ret_again: it held nothing and is gone; look at the one before. */
static mr_status_t
recover_last (mr_seglog_t *self, last_t *last, bool *ret_again, mr_error_t *err)
{
    size_t i = self->segments.count - 1;
    uint64_t start = self->segments.starts[i];
    self->fd = mr_seglog_open_segment (self->ops, self->dir, start,
                                       self->options.read_only ? O_RDONLY : O_RDWR);
    int64_t size = self->fd >= 0 ? self->ops->size (self->ops->context, self->fd) : -1;
    if (size < 0) {
        return mr_seglog_failed (self, "cannot open the last segment", err);
    }
    last->size = (uint64_t)size;
    mr_seglog_scan_file (&last->scan, self->fd, start);
    mr_status_t status = mr_seglog_scan_header (&last->scan, &last->head, NULL, err);
    last->head_ok = status == MR_OK;
    if (status == MR_CONFIG || status == MR_SYSTEM) {
        return status;
    }
    if (last->head_ok) {
        status = check_identity (self, &last->head, err);
        if (status != MR_OK) {
            return status;
        }
        self->ordinal = last->head.ordinal;
    }
    self->id = last->head_ok ? last->head.log_id : find_id (self, i);
    last->scan.log_id = self->id;
    last->lower = lower_bound (self);
    scan_frames (self, last);
    if (!last->head_ok && last->frames == 0 && last->lower <= start && !last->unreadable) {
        /* Torn before its first frame; without a head nobody can tell, so then it is kept. */
        bool sure = mr_seglog_head_valid (self->head) && self->head->log_id == self->id;
        self->ops->close (self->ops->context, self->fd);
        self->fd = -1;
        if (!sure && last->size > 0) {
            count_damage (self, last->size);
        }
        *ret_again = true;
        return mr_seglog_remove (self, i, !sure && last->size > 0, err);
    }
    fill_index (self, last);
    return settle_tail (self, last, err);
}

static mr_status_t
make_log (mr_seglog_t *self, mr_error_t *err)
{
    self->id = self->options.id;
    while (self->id == 0) {
        if (getrandom (&self->id, sizeof self->id, 0) != (ssize_t)sizeof self->id) {
            return mr_seglog_failed (self, "no random id", err);
        }
    }
    self->ordinal = 0;
    atomic_store (&self->head->synced, 0);
    return mr_seglog_begin (self, 0, err);
}

/* A sync of an earlier life may have failed: what it did not make durable is then in memory, held
 * as clean, and the next sync has to write it again. Of a log that is behind by more nothing was
 * promised (durability was not fsync). */
static void
distrust (mr_seglog_t *self, uint64_t synced, uint64_t end)
{
    size_t i = mr_seglog_list_at (&self->segments, synced);
    if (synced < end && end - synced <= DISTRUSTED_BYTES) {
        self->sync_again = self->segments.starts[i < self->segments.count ? i : 0];
    }
}

static mr_status_t
recover_segments (mr_seglog_t *self, mr_error_t *err)
{
    while (self->segments.count > 0) {
        last_t last = {0};
        bool again = false;
        mr_seglog_scan_init (&last.scan, self->ops, MR_SEGLOG_CHUNK, MR_SEGLOG_PAYLOAD_MAX);
        mr_status_t status = recover_last (self, &last, &again, err);
        mr_seglog_scan_release (&last.scan);
        if (status != MR_OK) {
            return status;
        }
        if (!again) {
            uint64_t end = self->must_roll ? self->roll_at : self->start + self->tail;
            bool ours = mr_seglog_head_valid (self->head) && self->head->log_id == self->id;
            self->born = end;
            uint64_t synced = ours ? mr_seglog_synced (self) : 0;
            mr_seglog_head_publish (self, end, synced < end ? synced : end);
            distrust (self, synced, end);
            return MR_OK;
        }
    }
    if (self->options.read_only) {
        mr_error_set (err, "%s: no log there", self->dir_name);
        return MR_CLOSED;
    }
    return make_log (self, err);
}

mr_status_t
mr_seglog_recover (mr_seglog_t *self, mr_error_t *err)
{
    const mr_seglog_place_t place = {self->ops, self->dir, self->dir_name};
    mr_status_t status = mr_seglog_list_load (&self->segments, &place, ".seg", err);
    if (status == MR_OK && !self->options.read_only) {
        status = mr_seglog_clean (self, err);
    }
    return status == MR_OK ? recover_segments (self, err) : status;
}
