#include "common/base/seglog_dump.h"

#include "common/base/clock.h"
#include "common/base/seglog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

typedef struct {
    const mr_seglog_dump_options_t *options;
    const mr_file_ops_t *ops;
    mr_seglog_check_t *check;
    mr_seglog_list_t list;
    size_t next; /* segment whose line comes next */
    int dir;
} dump_t;

static void
print_segment (dump_t *dump, uint64_t start)
{
    FILE *out = dump->options->out;
    mr_seglog_scan_t scan;
    mr_seglog_segment_head_t head;
    int fd = mr_seglog_open_segment (dump->ops, dump->dir, start, O_RDONLY);
    mr_seglog_scan_init (&scan, dump->ops, MR_SEGLOG_HEADER_CHUNK, 0);
    mr_seglog_scan_file (&scan, fd, start);
    bool sound = fd >= 0 && mr_seglog_scan_header (&scan, &head, NULL, NULL) == MR_OK;
    int64_t bytes = fd >= 0 ? dump->ops->size (dump->ops->context, fd) : 0;
    mr_seglog_scan_release (&scan);
    if (fd >= 0) {
        dump->ops->close (dump->ops->context, fd);
    }
    dump->check->segments++;
    if (sound) {
        dump->check->id = head.log_id;
        dump->check->kind = head.kind;
    } else {
        dump->check->damaged_headers++;
    }
    if (out != NULL && !sound) {
        fprintf (out, "segment %" PRIu64 " header damaged file %" PRId64 "\n", start, bytes);
    } else if (out != NULL) {
        char created[MR_RFC3339_BYTES];
        mr_clock_format (head.created_ns, created);
        fprintf (out,
                 "segment %" PRIu64 " number %" PRIu64 " kind %d id %016" PRIx64
                 " created %s header %u snapshot %u file %" PRId64 "\n",
                 start, head.number, head.kind, head.log_id, created, head.header_bytes,
                 head.snapshot_bytes, bytes);
    }
}

/* Lines of the segments that start at or below `position` and had none yet. */
static void
pass_segments (dump_t *dump, uint64_t position)
{
    while (dump->next < dump->list.count && dump->list.starts[dump->next] <= position) {
        print_segment (dump, dump->list.starts[dump->next++]);
    }
}

static void
print_frame (dump_t *dump, const mr_seglog_frame_t *frame)
{
    pass_segments (dump, frame->position);
    dump->check->frames++;
    dump->check->payload_bytes += frame->payload_bytes;
    FILE *out = dump->options->out;
    if (out == NULL || !dump->options->frames) {
        return;
    }
    fprintf (out, "frame %" PRIu64 " ordinal %" PRIu64 " %s flags %d bytes %u ok words",
             frame->position, frame->ordinal, frame->type == MR_SEGLOG_DATA ? "data" : "control",
             frame->flags, frame->payload_bytes);
    for (int i = 0; i < MR_SEGLOG_WORDS; i++) {
        fprintf (out, " %" PRIu64, frame->words[i]);
    }
    fputc ('\n', out);
}

static void
print_damage (void *arg, const mr_seglog_damage_t *damage)
{
    dump_t *dump = arg;
    pass_segments (dump, damage->position);
    if (damage->trimmed) {
        return;
    }
    dump->check->damaged_ranges++;
    dump->check->damaged_bytes += damage->bytes;
    if (dump->options->out != NULL) {
        fprintf (dump->options->out, "damaged %" PRIu64 " bytes %" PRIu64 ": %s\n",
                 damage->position, damage->bytes, damage->what);
    }
}

static mr_status_t
walk (dump_t *dump, mr_error_t *err)
{
    const mr_seglog_dump_options_t *options = dump->options;
    const mr_seglog_reader_options_t reading = {
        .dir = options->dir,
        .position = options->position,
        .ops = options->ops,
        .report = print_damage,
        .arg = dump,
    };
    mr_seglog_reader_t *reader = NULL;
    mr_status_t status = mr_seglog_reader_new (&reading, &reader, err);
    if (status != MR_OK) {
        return status == MR_AGAIN ? MR_CLOSED : status;
    }
    uint64_t left = options->max_frames != 0 ? options->max_frames : UINT64_MAX;
    while (left > 0 && status == MR_OK) {
        mr_seglog_frame_t frame;
        unsigned count = 0;
        status = mr_seglog_reader_next (reader, &frame, 1, &count, err);
        if (status == MR_OK) {
            print_frame (dump, &frame);
            left--;
        }
    }
    dump->check->end = mr_seglog_reader_end (reader);
    if (status == MR_AGAIN) {
        pass_segments (dump, dump->check->end);
    }
    mr_seglog_reader_destroy (&reader);
    return status == MR_AGAIN ? MR_OK : status;
}

mr_status_t
mr_seglog_dump (const mr_seglog_dump_options_t *options, mr_seglog_check_t *ret_check,
                mr_error_t *err)
{
    mr_seglog_check_t check = {0};
    dump_t dump = {.options = options, .check = &check};
    dump.ops = options->ops != NULL ? options->ops : mr_file_ops_system ();
    dump.dir = dump.ops->open_dir (dump.ops->context, options->dir, false);
    if (dump.dir < 0) {
        bool missing = errno == ENOENT;
        mr_status_t status = mr_error_errno (err, "%s", options->dir);
        return missing ? MR_CLOSED : status;
    }
    mr_status_t status = mr_seglog_list_load (&dump.list, dump.ops, dump.dir, ".seg", err);
    if (status == MR_OK) {
        size_t at = mr_seglog_list_at (&dump.list, options->position);
        dump.next = at < dump.list.count ? at : 0;
        check.first = dump.list.count > 0 ? dump.list.starts[0] : 0;
        status = walk (&dump, err);
    }
    if (status == MR_OK) {
        if (options->out != NULL) {
            fprintf (options->out,
                     "end %" PRIu64 " frames %" PRIu64 " bytes %" PRIu64 " damaged %" PRIu64 "\n",
                     check.end, check.frames, check.payload_bytes, check.damaged_bytes);
        }
        *ret_check = check;
    }
    mr_seglog_list_release (&dump.list);
    dump.ops->close (dump.ops->context, dump.dir);
    return status;
}
