#include "common/base/seglog_walk.h"

#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>

enum { TRIES = 100 };

typedef struct {
    const mr_seglog_walk_options_t *options;
    const mr_file_ops_t *ops;
    mr_seglog_walked_t *walked;
    mr_seglog_list_t list;
    const mr_seglog_reader_t *reader;
    size_t next;        /* segment that is told of next */
    mr_status_t status; /* of a visitor that was called where nothing can be returned */
    mr_error_t *err;    /* of the caller */
    int dir;
} walk_t;

/* One segment's header. MR_CLOSED: its file is gone; MR_SYSTEM: no memory. */
static mr_status_t
look_at_segment (const walk_t *walk, uint64_t start, mr_seglog_scan_t *scan,
                 mr_seglog_segment_t *segment)
{
    *segment = (mr_seglog_segment_t){.start = start};
    int fd = mr_seglog_open_segment (walk->ops, walk->dir, start, O_RDONLY);
    if (fd < 0) {
        return errno != ENOENT ? MR_OK : MR_CLOSED;
    }
    mr_seglog_scan_file (scan, fd, start);
    mr_error_t why;
    mr_status_t status = mr_seglog_scan_header (scan, &segment->head, &segment->snapshot, &why);
    segment->sound = status == MR_OK;
    int64_t bytes = walk->ops->size (walk->ops->context, fd);
    segment->file_bytes = bytes > 0 ? (uint64_t)bytes : 0;
    walk->ops->close (walk->ops->context, fd);
    if (status == MR_SYSTEM) {
        mr_error_set (walk->err, "%s", why.text);
        return status;
    }
    if (!segment->sound) { /* it may have been recycled in between */
        fd = mr_seglog_open_segment (walk->ops, walk->dir, start, O_RDONLY);
        if (fd < 0) {
            return errno != ENOENT ? MR_OK : MR_CLOSED;
        }
        walk->ops->close (walk->ops->context, fd);
    }
    return MR_OK;
}

static mr_status_t
tell_segment (walk_t *walk, uint64_t start)
{
    const mr_seglog_visitor_t *visitor = &walk->options->visitor;
    mr_seglog_scan_t scan;
    mr_seglog_segment_t segment;
    mr_seglog_scan_init (&scan, walk->ops, MR_SEGLOG_HEADER_CHUNK, 0);
    mr_status_t status = look_at_segment (walk, start, &scan, &segment);
    if (status == MR_CLOSED) {
        status = MR_OK;
    } else if (status == MR_OK) {
        walk->walked->segments++;
        if (segment.sound) {
            walk->walked->id = segment.head.log_id;
            walk->walked->kind = segment.head.kind;
        } else {
            walk->walked->damaged_headers++;
        }
        status = visitor->segment != NULL ? visitor->segment (visitor->arg, &segment) : MR_OK;
    }
    mr_seglog_scan_release (&scan);
    return status;
}

/* Tell of the segments that start at or below `position` and were not told of yet. One that
 * retention has let go since is left out, though its file may still be there: the reader, which
 * begins with the oldest there is, has passed over its frames. */
static mr_status_t
pass_segments (walk_t *walk, uint64_t position)
{
    while (walk->status == MR_OK && walk->next < walk->list.count &&
           walk->list.starts[walk->next] <= position) {
        uint64_t start = walk->list.starts[walk->next++];
        if (!mr_seglog_reader_gone (walk->reader, start)) {
            walk->status = tell_segment (walk, start);
        }
    }
    return walk->status;
}

/* A frame of a segment that went before any was told of is left out with it: nobody knows yet whose
 * it is, and the walk begins with the next. */
static mr_status_t
tell_frame (walk_t *walk, const mr_seglog_frame_t *frame)
{
    mr_status_t status = pass_segments (walk, frame->position);
    if (status == MR_OK && walk->walked->segments == 0) {
        return MR_OK;
    }
    const mr_seglog_visitor_t *visitor = &walk->options->visitor;
    walk->walked->frames++;
    walk->walked->payload_bytes += frame->payload_bytes;
    return status == MR_OK && visitor->frame != NULL ? visitor->frame (visitor->arg, frame)
                                                     : status;
}

static void
tell_damage (void *arg, const mr_seglog_damage_t *damage)
{
    walk_t *walk = arg;
    const mr_seglog_visitor_t *visitor = &walk->options->visitor;
    if (pass_segments (walk, damage->position) != MR_OK) {
        return;
    }
    if (damage->trimmed) {
        walk->walked->trimmed_bytes += damage->bytes;
    } else {
        walk->walked->damaged_ranges++;
        walk->walked->damaged_bytes += damage->bytes;
    }
    if (visitor->damage != NULL) {
        size_t i = mr_seglog_list_at (&walk->list, damage->position);
        uint64_t start = i < walk->list.count ? walk->list.starts[i] : damage->position;
        walk->status = visitor->damage (visitor->arg, damage, start);
    }
}

static mr_status_t
walk_frames (walk_t *walk, mr_seglog_reader_t *reader, uint64_t until, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    for (int tries = 0; tries < TRIES && mr_seglog_reader_position (reader) < until;) {
        mr_seglog_frame_t frame;
        unsigned count = 0;
        status = mr_seglog_reader_next (reader, &frame, 1, &count, err);
        if (walk->status != MR_OK) {
            return walk->status;
        }
        if (status == MR_OK && frame.position < until) {
            status = tell_frame (walk, &frame);
        }
        if (status == MR_AGAIN) {
            tries++; /* a segment went this instant: it is passed over the next time */
        } else if (status != MR_OK) {
            return status;
        }
    }
    return MR_OK;
}

static mr_status_t
walk_log (walk_t *walk, mr_error_t *err)
{
    const mr_seglog_walk_options_t *options = walk->options;
    const mr_seglog_reader_options_t reading = {
        .dir = options->dir,
        .position = options->position,
        .headers_only = options->headers_only,
        .ops = options->ops,
        .report = tell_damage,
        .arg = walk,
    };
    mr_seglog_reader_t *reader = NULL;
    mr_status_t status = mr_seglog_reader_new (&reading, &reader, err);
    if (status != MR_OK) {
        return status == MR_AGAIN ? MR_CLOSED : status;
    }
    walk->reader = reader;
    uint64_t end = mr_seglog_reader_end (reader);
    uint64_t until = options->until != 0 && options->until < end ? options->until : end;
    const mr_seglog_place_t place = {walk->ops, walk->dir, options->dir};
    status = mr_seglog_list_load (&walk->list, &place, ".seg", err);
    if (status == MR_OK) {
        size_t at = mr_seglog_list_at (&walk->list, options->position);
        walk->next = at < walk->list.count ? at : 0;
        walk->walked->first = walk->list.count > 0 ? walk->list.starts[0] : 0;
        walk->walked->end = until;
        if (options->visitor.frame != NULL || options->visitor.damage != NULL) {
            status = walk_frames (walk, reader, until, err);
        }
    }
    if (status == MR_OK) {
        status = pass_segments (walk, until);
    }
    mr_seglog_reader_destroy (&reader);
    return status;
}

mr_status_t
mr_seglog_walk (const mr_seglog_walk_options_t *options, mr_seglog_walked_t *ret_walked,
                mr_error_t *err)
{
    mr_seglog_walked_t walked = {0};
    walk_t walk = {.options = options, .walked = &walked, .err = err};
    walk.ops = options->ops != NULL ? options->ops : mr_file_ops_system ();
    walk.dir = walk.ops->open_dir (walk.ops->context, options->dir, false);
    if (walk.dir < 0) {
        bool missing = errno == ENOENT;
        mr_status_t status = mr_error_errno (err, "%s", options->dir);
        return missing ? MR_CLOSED : status;
    }
    mr_status_t status = walk_log (&walk, err);
    if (status == MR_OK) {
        *ret_walked = walked;
    }
    mr_seglog_list_release (&walk.list);
    walk.ops->close (walk.ops->context, walk.dir);
    return status;
}
