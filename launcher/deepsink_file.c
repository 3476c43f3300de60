/* The bytes of a file sink, from the end that its cursor covers backwards: the frames' rows, newest
 * first, must stand there. The file may begin later than the spool does (rotation), or earlier. */
#include "common/delivery/spool.h"
#include "launcher/deepsink_private.h"
#include "launcher/deepsink_splice.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 << 10, DIFFERENCES_MOST = 10 };

typedef struct comparison {
    mr_deepsink_look_t *look;
    mr_seglog_reader_t *reader;
    int fd;
    uint64_t end;   /* what is due next ends here in the file */
    uint64_t left;  /* rows that the cursor still has to have accounted for */
    uint64_t drops; /* of them, rows that may have been let go */
    unsigned told;  /* differences */
    /* Bytes that the file has more than the cursor covers, as long as they were not found, and
     * where it ends; 0: all is where it should be, or cannot be told. */
    int64_t shift;
    uint64_t size;
    bool begun; /* the newest rows were looked at */
    bool blind; /* rows that the spool does not have may end at `end` */
    /* The first difference since `end` moved, while frames that may have been dropped are tried. */
    bool open;
    uint64_t at;
    size_t row; /* of the frame */
    mr_deepsink_frame_t frame;
    uint64_t skipped;       /* rows of frames that were tried, ... */
    uint64_t skipped_bytes; /* ... and how long they are */
} comparison_t;

/* ---- the file ---- */

static int
open_if_same (const char *path, const mr_cursor_state_t *state)
{
    struct stat st;
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 &&
        (fstat (fd, &st) != 0 || st.st_ino != state->inode || st.st_dev != state->device)) {
        close (fd);
        return -1;
    }
    return fd;
}

/* The file that the cursor names, by its inode: at its path or, moved away, beside it. -1: gone. */
static int
open_file (const mr_deepsink_look_t *look)
{
    const mr_cursor_state_t *state = &look->sink.state;
    int fd = open_if_same (look->path, state);
    char name[PATH_MAX + NAME_MAX + 2];
    snprintf (name, sizeof name, "%s", look->path);
    char *slash = strrchr (name, '/');
    size_t at = slash == NULL ? 0 : (size_t)(slash - name) + 1;
    name[at] = '\0';
    DIR *dir = fd < 0 ? opendir (at == 0 ? "." : name) : NULL;
    struct dirent *entry;
    while (dir != NULL && fd < 0 && (entry = readdir (dir)) != NULL) {
        if (entry->d_ino == state->inode) {
            snprintf (name + at, sizeof name - at, "%s", entry->d_name);
            fd = open_if_same (name, state);
        }
    }
    if (dir != NULL) {
        closedir (dir);
    }
    return fd;
}

/* How many of these bytes, from the first on, stand in the file at `at`. */
static size_t
same_bytes (int fd, uint64_t at, const char *data, size_t bytes)
{
    char piece[PIECE];
    size_t same = 0;
    while (same < bytes) {
        size_t want = bytes - same < sizeof piece ? bytes - same : sizeof piece;
        ssize_t got = pread (fd, piece, want, (off_t)(at + same));
        if (got <= 0) {
            return same;
        }
        for (size_t i = 0; i < (size_t)got; i++) {
            if (piece[i] != data[same + i]) {
                return same + i;
            }
        }
        same += (size_t)got;
    }
    return same;
}

/* ---- frame by frame ---- */

/* The rows of a frame. MR_CLOSED: it cannot be read any more; MR_INVALID: it made no rows. */
static mr_status_t
make_rows (comparison_t *self, const mr_deepsink_frame_t *frame, const char **ret_lines,
           size_t *ret_bytes, uint32_t *ret_count)
{
    mr_rows_t *rows = &self->look->rows;
    mr_seglog_frame_t whole;
    mr_error_t why;
    if (mr_seglog_reader_at (self->reader, frame->position, &whole, &why) != MR_OK) {
        return MR_CLOSED;
    }
    if (rows->input == MR_ROWS_METRICS) {
        mr_buffer_t lines = {.data = (char *)(uintptr_t)whole.payload, .size = whole.payload_bytes};
        return mr_rows_select (rows, &lines, ret_lines, ret_bytes, ret_count);
    }
    mr_batch_t batch;
    mr_status_t status = mr_batch_decode (whole.payload, whole.payload_bytes, &batch, &why);
    return status == MR_OK ? mr_rows_make (rows, &batch, ret_lines, ret_bytes, ret_count) : status;
}

static void
tell_at (const comparison_t *self, const mr_deepsink_frame_t *frame, uint64_t offset,
         const char *text)
{
    mr_deep_fault_t fault = {.journal = frame->journal, .seq = frame->seq, .offset = offset};
    snprintf (fault.file, sizeof fault.file, "%.1000s", self->look->path);
    snprintf (fault.what, sizeof fault.what, "sink %.60s of exporter.%d: %.200s",
              self->look->sink.name, self->look->sink.slot, text);
    self->look->visitor->fault (self->look->visitor->arg, &fault);
}

static void
tell_difference (comparison_t *self)
{
    if (!self->open) {
        return;
    }
    self->open = false;
    if (++self->told <= DIFFERENCES_MOST) {
        char text[200];
        snprintf (text, sizeof text,
                  "row %zu of %" PRIu64 " differs from what the spool says is due here (frame at "
                  "%" PRIu64 "); or its `match` or `envelope` was changed since",
                  self->row, self->frame.rows, self->frame.position);
        tell_at (self, &self->frame, self->at, text);
    }
}

static void
note (comparison_t *self, const char *text)
{
    mr_deepsink_t *sink = &self->look->sink;
    snprintf (sink->note, sizeof sink->note, "%s", text);
}

/* ---- lines too many, or too few ---- */

static bool
stands_at (const comparison_t *self, uint64_t end, const char *lines, size_t bytes)
{
    return bytes <= end && same_bytes (self->fd, end - bytes, lines, bytes) == bytes;
}

static bool
find_splice (const comparison_t *self, const char *lines, size_t bytes, size_t *ret_at,
             bool *ret_twice)
{
    mr_splice_t splice = {
        .fd = self->fd, .end = self->end, .rows = lines, .bytes = bytes, .shift = self->shift};
    return mr_splice_find (&splice, ret_at, ret_twice);
}

static void
tell_length (const comparison_t *self)
{
    uint64_t length = self->look->sink.state.length;
    mr_deepsink_tell (self->look, self->look->path, self->size < length ? self->size : length,
                      "the cursor covers %" PRIu64 " bytes, the file has %" PRIu64, length,
                      self->size);
}

/* Of the newest rows: do they stand where the cursor ends, or where the file does, because lines
 * are missing before, or too many? false: the file is shorter, and that cannot be told. */
static bool
find_end (comparison_t *self, const char *lines, size_t bytes)
{
    size_t at;
    bool twice;
    bool is_short = self->shift < 0;
    if (self->begun || self->shift == 0) {
        return true;
    }
    self->begun = true;
    if (!is_short && stands_at (self, self->end, lines, bytes)) {
        self->shift = 0; /* what stands behind is not covered yet */
        return true;
    }
    uint64_t covered = self->end;
    self->end = self->size;
    if (self->drops == 0 && (stands_at (self, self->end, lines, bytes) ||
                             find_splice (self, lines, bytes, &at, &twice))) {
        return true;
    }
    self->end = covered;
    if (is_short) {
        tell_length (self);
    }
    self->shift = 0;
    return !is_short;
}

/* Whether lines were put in between these rows, or taken out: then that is told, and all is where
 * it should be again. */
static bool
mend_shift (comparison_t *self, const mr_deepsink_frame_t *frame, const char *lines, size_t bytes)
{
    size_t at;
    bool twice;
    char text[200];
    if (self->shift == 0 || !find_splice (self, lines, bytes, &at, &twice)) {
        return false;
    }
    size_t row = mr_splice_row (lines, at);
    if (self->shift < 0) {
        size_t rows = mr_splice_row (lines + at, (size_t)-self->shift) - 1;
        snprintf (text, sizeof text, "%zu row%s missing here, from row %zu of %" PRIu64 " on", rows,
                  rows == 1 ? " is" : "s are", row, frame->rows);
    } else {
        snprintf (text, sizeof text,
                  "%" PRId64 " bytes stand here that are not due, before row %zu of %" PRIu64 "%s",
                  self->shift, row, frame->rows, twice ? ": a row is there twice" : "");
    }
    uint64_t begin = (uint64_t)((int64_t)self->end - (int64_t)bytes - self->shift);
    tell_at (self, frame, begin + at, text);
    self->end = begin;
    self->shift = 0;
    return true;
}

/* Whether the frames that were tried were not let go, but bytes of them changed: then the one
 * before them stands before them. */
static bool
is_behind_changed (const comparison_t *self, const mr_deepsink_frame_t *frame, const char *lines,
                   size_t bytes)
{
    return self->open && frame->position < self->frame.position &&
           self->skipped_bytes < self->end &&
           stands_at (self, self->end - self->skipped_bytes, lines, bytes);
}

/* The rows of one frame against the file. false: that was the last one. */
static bool
compare_frame (comparison_t *self, const mr_deepsink_frame_t *frame, const char *lines,
               size_t bytes, uint32_t count)
{
    mr_deepsink_t *sink = &self->look->sink;
    if (!find_end (self, lines, bytes)) {
        return false;
    }
    if (!stands_at (self, self->end, lines, bytes) && mend_shift (self, frame, lines, bytes)) {
        return true;
    }
    if (bytes > self->end) {
        if (self->end > 0 &&
            same_bytes (self->fd, 0, lines + bytes - self->end, (size_t)self->end) < self->end) {
            note (self, "the file begins with other bytes");
        } else {
            note (self, "the file begins here");
        }
        return false;
    }
    size_t same = same_bytes (self->fd, self->end - bytes, lines, bytes);
    if (same < bytes && is_behind_changed (self, frame, lines, bytes)) {
        tell_difference (self);
        self->skipped = 0;
        self->end -= self->skipped_bytes;
        same = bytes;
    }
    if (same == bytes) {
        self->open = false; /* what was tried in between was dropped */
        self->drops -= self->skipped < self->drops ? self->skipped : self->drops;
        self->skipped = 0;
        self->skipped_bytes = 0;
        self->blind = false;
        self->end -= bytes;
        sink->rows += count;
        sink->bytes += bytes;
        sink->journal = frame->journal;
        sink->seq = frame->seq;
        return true;
    }
    if (self->blind) {
        note (self, "the spool cannot be read further back");
        return false;
    }
    if (!self->open) {
        self->open = true;
        self->at = self->end - bytes + same;
        self->row = mr_splice_row (lines, same);
        self->frame = *frame;
    }
    if (self->skipped + frame->rows <= self->drops) {
        self->skipped += frame->rows;
        self->skipped_bytes += bytes;
        return true; /* perhaps it was let go: then an older one ends here */
    }
    tell_difference (self);
    self->end -= bytes;
    return self->told <= DIFFERENCES_MOST;
}

static void
compare_frames (comparison_t *self)
{
    mr_deepsink_look_t *look = self->look;
    self->blind = look->hole;
    for (size_t i = look->count; i > 0 && self->left > 0; i--) {
        const mr_deepsink_frame_t *frame = &look->frames[i - 1];
        const char *lines = NULL;
        size_t bytes = 0;
        uint32_t count = 0;
        self->left -= frame->rows < self->left ? frame->rows : self->left;
        mr_status_t status = make_rows (self, frame, &lines, &bytes, &count);
        if (status == MR_CLOSED) {
            note (self, "the spool cannot be read further back");
            return;
        }
        if (status == MR_OK && bytes > 0 && !compare_frame (self, frame, lines, bytes, count)) {
            return;
        }
        self->blind = self->blind || frame->after_hole;
    }
}

/* Whether something ends here that can be a row, or the file begins. */
static bool
is_end_of_row (const comparison_t *self)
{
    char text[PIECE];
    size_t bytes = self->end < sizeof text ? (size_t)self->end : sizeof text;
    if (pread (self->fd, text, bytes, (off_t)(self->end - bytes)) != (ssize_t)bytes) {
        return false;
    }
    if (bytes == 0) {
        return true;
    }
    const char *before = memrchr (text, '\n', bytes - 1);
    const char *row = before != NULL ? before + 1 : text;
    bool whole = before != NULL || bytes == self->end;
    size_t length = (size_t)(text + bytes - row);
    return length > 2 && row[length - 1] == '\n' && row[length - 2] == '}' &&
           (!whole || row[0] == '{') && memchr (row, '\0', length) == NULL;
}

/* All that is left was tried, and may have been let go: the spool begins where its rows are not due
 * in the file. */
static void
end_open (comparison_t *self)
{
    if (self->open && self->skipped <= self->drops && is_end_of_row (self)) {
        self->open = false;
        note (self, "what the spool has before was dropped");
    }
    tell_difference (self);
}

static mr_status_t
open_reader (comparison_t *self, mr_error_t *err)
{
    char dir[PATH_MAX];
    mr_spool_path (self->look->data_dir, self->look->sink.slot, dir);
    mr_seglog_reader_options_t options = {.dir = dir};
    return mr_seglog_reader_new (&options, &self->reader, err);
}

mr_status_t
mr_deepsink_compare (mr_deepsink_look_t *look, mr_error_t *err)
{
    const mr_cursor_state_t *state = &look->sink.state;
    comparison_t self = {
        .look = look,
        .end = state->length,
        .left = state->delivered + state->unmatched + state->rejected + state->dropped,
        .drops = state->dropped,
    };
    if (state->inode == 0) {
        return MR_OK; /* it never wrote anything */
    }
    self.fd = open_file (look);
    if (self.fd < 0) {
        note (&self, access (look->path, F_OK) == 0 ? "another file stands at its path"
                                                    : "the file was moved away");
        return MR_OK;
    }
    struct stat st;
    if (fstat (self.fd, &st) != 0) {
        close (self.fd);
        return mr_error_errno (err, "cannot look at %s", look->path);
    }
    self.size = (uint64_t)st.st_size;
    self.shift = (int64_t)self.size - (int64_t)state->length;
    mr_status_t status = open_reader (&self, err);
    if (status == MR_OK) {
        compare_frames (&self);
        end_open (&self);
        if (self.shift != 0 && (self.begun || self.shift < 0)) { /* not in what was compared */
            tell_length (&self);
        }
    }
    mr_seglog_reader_destroy (&self.reader);
    close (self.fd);
    return status == MR_AGAIN ? MR_OK : status;
}
