#include "common/base/seglog_reader.h"

#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Open the segment that holds `position`. MR_CLOSED: all start behind it; ret_first is the first.
 */
static mr_status_t
cursor_open (mr_seglog_reader_t *self, mr_seglog_scan_t *scan, uint64_t position,
             uint64_t *ret_first, mr_error_t *err)
{
    mr_seglog_list_t list = {0};
    const mr_seglog_place_t place = {self->ops, self->dir, self->dir_name};
    mr_status_t status = mr_seglog_list_load (&list, &place, ".seg", err);
    if (status == MR_OK) {
        size_t i = mr_seglog_list_at (&list, position);
        mr_seglog_reader_leave (self, scan);
        if (i == list.count) {
            *ret_first = list.count > 0 ? list.starts[0] : UINT64_MAX;
            status = MR_CLOSED;
        } else {
            int fd = mr_seglog_open_segment (self->ops, self->dir, list.starts[i], O_RDONLY);
            if (fd < 0) {
                status = errno == ENOENT
                             ? MR_AGAIN
                             : mr_seglog_reader_failed (self, "cannot open a segment", err);
            } else {
                mr_seglog_scan_file (scan, fd, list.starts[i]);
            }
        }
    }
    mr_seglog_list_release (&list);
    return status;
}

/* The frame that was seen at the cursor's `offset`. */
static void
fill_frame (const mr_seglog_scan_t *scan, const mr_seglog_seen_t *seen,
            mr_seglog_frame_t *ret_frame)
{
    const mr_seglog_frame_head_t *head = &seen->head;
    *ret_frame = (mr_seglog_frame_t){
        .position = head->position,
        .next = head->position + seen->bytes,
        .ordinal = head->ordinal,
        .type = head->type,
        .flags = head->flags,
        .payload = seen->payload,
        .payload_bytes = head->payload_bytes,
        .fd = scan->fd,
        .file_offset = head->position - scan->start + MR_SEGLOG_FRAME_BYTES,
    };
    memcpy (ret_frame->words, head->words, sizeof ret_frame->words);
}

static void
report (mr_seglog_reader_t *self, const mr_seglog_damage_t *damage)
{
    if (damage->trimmed) {
        self->stats.trimmed_bytes += damage->bytes;
    } else {
        self->stats.damaged_ranges++;
        self->stats.damaged_bytes += damage->bytes;
    }
    if (self->options.report != NULL) {
        self->options.report (self->options.arg, damage);
    }
}

/* Retention was faster than this reader: go on at the oldest segment. */
static void
skip_trimmed (mr_seglog_reader_t *self, uint64_t first)
{
    mr_seglog_damage_t damage = {
        .position = self->position,
        .bytes = first - self->position,
        .what = "trimmed",
        .trimmed = true,
    };
    self->position = first;
    mr_seglog_reader_leave (self, &self->here);
    if (damage.position != 0) {
        report (self, &damage);
    }
}

/* Where the segments after the cursor's begin; `end` if none does. */
static mr_status_t
next_start (mr_seglog_reader_t *self, uint64_t end, uint64_t *ret_start, mr_error_t *err)
{
    mr_seglog_list_t list = {0};
    const mr_seglog_place_t place = {self->ops, self->dir, self->dir_name};
    mr_status_t status = mr_seglog_list_load (&list, &place, ".seg", err);
    uint64_t start = end;
    for (size_t i = 0; status == MR_OK && i < list.count; i++) {
        if (list.starts[i] > self->here.start) {
            start = list.starts[i] < end ? list.starts[i] : end;
            break;
        }
    }
    mr_seglog_list_release (&list);
    *ret_start = start;
    return status;
}

/* No frame at the position, and no segment begins there. */
static mr_status_t
skip_damage (mr_seglog_reader_t *self, uint64_t end, const char *what, mr_error_t *err)
{
    mr_seglog_scan_t *scan = &self->here;
    uint64_t bound = end;
    mr_status_t status = next_start (self, end, &bound, err);
    if (status != MR_OK || mr_seglog_reader_gone (self, self->position)) {
        return status;
    }
    if (bound <= self->position) {
        mr_seglog_reader_leave (self, &self->here); /* the position lies in a later segment */
        return MR_OK;
    }
    uint64_t offset = self->position - scan->start;
    uint64_t next = mr_seglog_scan_skip (scan, offset, bound - scan->start);
    mr_seglog_damage_t damage = {.position = self->position, .bytes = next - offset, .what = what};
    if (self->options.keep_damage) {
        mr_seglog_keep_damage (scan, self->dir, offset, damage.bytes, damage.kept);
    }
    self->position = scan->start + next;
    report (self, &damage);
    return MR_OK;
}

/* The cursor is open and the position not past the end, but no frame stands there. */
static mr_status_t
step_over (mr_seglog_reader_t *self, mr_seglog_verdict_t verdict, uint64_t end, mr_error_t *err)
{
    if (self->position != self->here.start) {
        int fd = mr_seglog_open_segment (self->ops, self->dir, self->position, O_RDONLY);
        if (fd >= 0) {
            mr_seglog_reader_leave (self, &self->here);
            mr_seglog_scan_file (&self->here, fd, self->position);
            return MR_OK;
        }
        return skip_damage (self, end, mr_seglog_verdict_text (verdict), err);
    }
    mr_seglog_segment_head_t head;
    mr_status_t status = mr_seglog_scan_header (&self->here, &head, NULL, err);
    if (status == MR_OK && head.log_id == self->id) {
        self->position += head.header_bytes;
        return MR_OK;
    }
    if (status == MR_CONFIG || status == MR_SYSTEM) {
        return status;
    }
    return skip_damage (self, end, "segment header", err);
}

/* Frames from the cursor; those behind the first only from the buffer. */
static unsigned
take_frames (mr_seglog_reader_t *self, uint64_t end, mr_seglog_frame_t *frames, unsigned max,
             mr_seglog_verdict_t *ret_verdict)
{
    mr_seglog_scan_t *scan = &self->here;
    bool payload = !self->options.headers_only;
    unsigned count = 0;
    *ret_verdict = MR_SEGLOG_WHOLE;
    while (count < max && self->position < end) {
        uint64_t offset = self->position - scan->start;
        mr_seglog_seen_t seen;
        if (count > 0) {
            if (!mr_seglog_scan_has (scan, offset, MR_SEGLOG_FRAME_BYTES) ||
                mr_seglog_scan_frame (scan, offset, end - scan->start, false, &seen) !=
                    MR_SEGLOG_WHOLE ||
                (payload && !mr_seglog_scan_has (scan, offset, seen.bytes))) {
                break;
            }
        }
        mr_seglog_verdict_t verdict =
            mr_seglog_scan_frame (scan, offset, end - scan->start, payload, &seen);
        if (verdict != MR_SEGLOG_WHOLE) {
            *ret_verdict = verdict;
            break;
        }
        fill_frame (&self->here, &seen, &frames[count++]);
        self->position += seen.bytes;
    }
    self->stats.frames += count;
    return count;
}

mr_status_t
mr_seglog_reader_next (mr_seglog_reader_t *self, mr_seglog_frame_t *frames, unsigned max,
                       unsigned *ret_count, mr_error_t *err)
{
    for (;;) {
        uint64_t end = mr_seglog_reader_end (self);
        if (self->position >= end) {
            return MR_AGAIN;
        }
        if (mr_seglog_reader_gone (self, self->position)) {
            skip_trimmed (self, atomic_load (&self->head->first));
            continue;
        }
        if (self->here.fd < 0) {
            uint64_t first = 0;
            mr_status_t status = cursor_open (self, &self->here, self->position, &first, err);
            if (status == MR_CLOSED) {
                skip_trimmed (self, first < end ? first : end);
                continue;
            }
            if (status == MR_AGAIN && mr_seglog_reader_gone (self, self->position)) {
                continue; /* trimmed this instant; it is not the end */
            }
            if (status != MR_OK) {
                return status;
            }
        }
        mr_seglog_verdict_t verdict;
        unsigned count = take_frames (self, end, frames, max, &verdict);
        if (count > 0) {
            *ret_count = count;
            return MR_OK;
        }
        mr_status_t status = step_over (self, verdict, end, err);
        if (status != MR_OK) {
            return status;
        }
    }
}

mr_status_t
mr_seglog_reader_at (mr_seglog_reader_t *self, uint64_t position, mr_seglog_frame_t *ret_frame,
                     mr_error_t *err)
{
    mr_seglog_scan_t *scan = &self->there;
    uint64_t end = mr_seglog_reader_end (self);
    mr_seglog_verdict_t verdict = MR_SEGLOG_BAD_MAGIC;
    for (int tries = 0; tries < 2 && position < end; tries++) {
        if (scan->fd >= 0 && position >= scan->start) {
            mr_seglog_seen_t seen;
            verdict =
                mr_seglog_scan_frame (scan, position - scan->start, end - scan->start, true, &seen);
            if (verdict == MR_SEGLOG_WHOLE) {
                fill_frame (scan, &seen, ret_frame);
                return MR_OK;
            }
        }
        uint64_t first;
        mr_status_t status = tries == 0 ? cursor_open (self, scan, position, &first, err) : MR_OK;
        if (status == MR_CLOSED || status == MR_AGAIN) {
            break;
        }
        if (status != MR_OK) {
            return status;
        }
    }
    mr_error_set (err, "%s: position %llu: %s", self->dir_name, (unsigned long long)position,
                  mr_seglog_verdict_text (verdict));
    return MR_INVALID;
}

mr_status_t
mr_seglog_read (mr_seglog_t *self, uint64_t position, mr_seglog_frame_t *ret_frame, mr_error_t *err)
{
    if (self->reader == NULL) {
        mr_status_t status = mr_seglog_reader_inside (self, err);
        if (status != MR_OK) {
            return status;
        }
    }
    return mr_seglog_reader_at (self->reader, position, ret_frame, err);
}

uint64_t
mr_seglog_reader_position (const mr_seglog_reader_t *self)
{
    return self->position;
}

void
mr_seglog_reader_stats (const mr_seglog_reader_t *self, mr_seglog_reader_stats_t *ret_stats)
{
    *ret_stats = self->stats;
}
