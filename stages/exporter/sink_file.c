/* The file sink. `end` is where what is due next belongs; `tail` bytes stand behind it that an
 * earlier life may have written before it could commit: due rows are compared with them first. */
#include "common/base/crashpoint.h"
#include "common/base/dirs.h"
#include "common/base/log.h"
#include "stages/exporter/sink.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 << 10 };

typedef struct sink_file {
    int fd; /* -1: closed */
    uint64_t device;
    uint64_t inode;
    uint64_t end;
    uint64_t tail;
    bool away;         /* the open file is not the one at the path: finish it, then move on */
    bool foreign_said; /* that somebody else writes in the file */
    char path[PATH_MAX];
} sink_file_t;

/* ---- opening ---- */

static void
close_file (void *arg)
{
    sink_file_t *self = arg;
    if (self->fd >= 0) {
        close (self->fd);
        self->fd = -1;
    }
}

static int
open_at (const char *path, int flags, struct stat *ret_st)
{
    int fd = open (path, O_RDWR | O_APPEND | O_CLOEXEC | flags, 0640);
    if (fd >= 0 && fstat (fd, ret_st) != 0) {
        int error = errno;
        close (fd);
        errno = error;
        return -1;
    }
    return fd;
}

static mr_status_t
make_parents (const sink_file_t *self, mr_error_t *err)
{
    char directory[PATH_MAX];
    snprintf (directory, sizeof directory, "%s", self->path);
    char *slash = strrchr (directory, '/');
    if (slash == NULL || slash == directory) {
        return MR_OK;
    }
    *slash = '\0';
    return mr_dirs_make (directory, 0750, err);
}

static mr_status_t
failed (const sink_file_t *self, const char *what, mr_error_t *err)
{
    (void)mr_error_errno (err, "cannot %s %s", what, self->path);
    return MR_AGAIN;
}

/* A line that somebody left open would become one with our first row. */
static mr_status_t
end_line (sink_file_t *self, mr_error_t *err)
{
    char last = '\n';
    if (self->end > 0 && pread (self->fd, &last, 1, (off_t)self->end - 1) != 1) {
        return failed (self, "read", err);
    }
    if (last == '\n') {
        return MR_OK;
    }
    mr_log_warn ("%s ended in the middle of a line; a new one is begun", self->path);
    if (write (self->fd, "\n", 1) != 1) {
        return failed (self, "write", err);
    }
    self->end++;
    return MR_OK;
}

/* The file that the cursor names, which is not at the path any more, if it is still in the same
 * directory and has bytes beyond what was committed. -1: none. */
static int
find_away (const sink_file_t *self, const mr_cursor_state_t *committed, struct stat *ret_st)
{
    char name[PATH_MAX + NAME_MAX + 2];
    snprintf (name, sizeof name, "%s", self->path);
    char *slash = strrchr (name, '/');
    size_t at = slash == NULL ? 0 : (size_t)(slash - name) + 1;
    name[at] = '\0';
    DIR *dir = opendir (at == 0 ? "." : name);
    int fd = -1;
    struct dirent *entry;
    while (dir != NULL && fd < 0 && (entry = readdir (dir)) != NULL) {
        if (entry->d_ino != committed->inode || entry->d_type != DT_REG) {
            continue;
        }
        snprintf (name + at, sizeof name - at, "%s", entry->d_name);
        fd = open_at (name, 0, ret_st);
        if (fd >= 0 && (ret_st->st_dev != committed->device || ret_st->st_ino != committed->inode ||
                        (uint64_t)ret_st->st_size <= committed->length)) {
            close (fd);
            fd = -1;
            break;
        }
    }
    if (dir != NULL) {
        closedir (dir);
    }
    return fd;
}

static mr_status_t
begin_at_end (sink_file_t *self, const struct stat *st, mr_error_t *err)
{
    self->end = (uint64_t)st->st_size;
    self->tail = 0;
    return end_line (self, err);
}

/* The file that the cursor names: from the committed length on. */
static mr_status_t
go_on (sink_file_t *self, const mr_cursor_state_t *committed, bool same_boot, const struct stat *st,
       mr_error_t *err)
{
    uint64_t size = (uint64_t)st->st_size;
    if (size < committed->length) {
        mr_log_warn ("%s has %" PRIu64 " bytes fewer than were written: %s", self->path,
                     committed->length - size,
                     same_boot ? "somebody cut it" : "lost with the power");
        return begin_at_end (self, st, err);
    }
    self->end = committed->length;
    self->tail = size - committed->length;
    return MR_OK;
}

static mr_status_t
open_file (void *arg, const mr_cursor_state_t *committed, bool same_boot, mr_error_t *err)
{
    sink_file_t *self = arg;
    if (self->fd >= 0) {
        return MR_OK;
    }
    if (make_parents (self, err) != MR_OK) {
        return MR_AGAIN;
    }
    struct stat st;
    int fd = open_at (self->path, O_CREAT, &st);
    if (fd < 0) {
        return failed (self, "open", err);
    }
    bool known = committed->inode != 0;
    bool same = known && st.st_ino == committed->inode && st.st_dev == committed->device;
    self->away = false;
    if (known && !same) {
        struct stat away_st;
        int away = find_away (self, committed, &away_st);
        if (away >= 0) {
            close (fd);
            fd = away;
            st = away_st;
            self->away = true;
        }
    }
    self->fd = fd;
    self->device = st.st_dev;
    self->inode = st.st_ino;
    mr_status_t status = same || self->away ? go_on (self, committed, same_boot, &st, err)
                                            : begin_at_end (self, &st, err);
    if (status != MR_OK) {
        close_file (self);
    }
    return status;
}

/* ---- what stands behind the committed length ---- */

static int
write_all (int fd, const char *data, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t wrote = write (fd, data + done, bytes - done);
        if (wrote < 0 && errno != EINTR) {
            return -1;
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}

/* Append the file's bytes from `from` on to another file. 0, or -1 and errno. */
static int
copy_tail (int fd, uint64_t from, int to)
{
    char piece[PIECE];
    for (;;) {
        ssize_t got = pread (fd, piece, sizeof piece, (off_t)from);
        if (got == 0) {
            return fsync (to);
        }
        if (got < 0 || write_all (to, piece, (size_t)got) != 0) {
            return -1;
        }
        from += (uint64_t)got;
    }
}

/* Move everything from self->end on to PATH.torn: it is not what is due. */
static mr_status_t
set_aside (sink_file_t *self, mr_error_t *err)
{
    char torn[PATH_MAX + 8];
    snprintf (torn, sizeof torn, "%s.torn", self->path);
    int to = open (torn, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    int result = to < 0 ? -1 : copy_tail (self->fd, self->end, to);
    int error = errno;
    if (to >= 0) {
        close (to);
    }
    errno = error;
    if (result != 0) {
        return failed (self, "set aside the end of", err);
    }
    MR_CRASH_POINT ("sink.torn.copied");
    if (ftruncate (self->fd, (off_t)self->end) != 0) {
        return failed (self, "cut the end of", err);
    }
    MR_CRASH_POINT ("sink.torn.cut");
    mr_log_warn ("%s: %" PRIu64 " bytes at its end are not what is due there; moved to %s",
                 self->path, self->tail, torn);
    self->tail = 0;
    return MR_OK;
}

/* How many of these bytes, from the first on, the file has at self->end. */
static mr_status_t
compare (sink_file_t *self, const char *data, size_t bytes, size_t *ret_same, mr_error_t *err)
{
    char piece[PIECE];
    size_t same = 0;
    while (same < bytes) {
        size_t want = bytes - same < sizeof piece ? bytes - same : sizeof piece;
        ssize_t got = pread (self->fd, piece, want, (off_t)(self->end + same));
        if (got <= 0) {
            return failed (self, "read", err);
        }
        size_t i = 0;
        while (i < (size_t)got && piece[i] == data[same + i]) {
            i++;
        }
        same += i;
        if (i < (size_t)got) {
            break;
        }
    }
    *ret_same = same;
    return MR_OK;
}

static size_t
whole_lines (const char *data, size_t bytes)
{
    const char *last = bytes > 0 ? memrchr (data, '\n', bytes) : NULL;
    return last == NULL ? 0 : (size_t)(last - data) + 1;
}

/* Go over what is due and in the file already.
 *   ret_done  bytes of it that need not be written */
static mr_status_t
match_tail (sink_file_t *self, const struct iovec *iov, int count, size_t *ret_done,
            mr_error_t *err)
{
    *ret_done = 0;
    for (int i = 0; i < count && self->tail > 0; i++) {
        size_t bytes = iov[i].iov_len < self->tail ? iov[i].iov_len : (size_t)self->tail;
        size_t same = 0;
        mr_status_t status = compare (self, iov[i].iov_base, bytes, &same, err);
        if (status != MR_OK) {
            return status;
        }
        bool differs = same < bytes;
        if (differs) {
            same = whole_lines (iov[i].iov_base, same);
        }
        self->end += same;
        self->tail -= same;
        *ret_done += same;
        if (differs) {
            return set_aside (self, err);
        }
    }
    return MR_OK;
}

/* ---- writing ---- */

/* Somebody else's bytes may have come in between: they stay, and ours go on behind them. */
static void
note_end (sink_file_t *self, size_t wrote)
{
    off_t at = lseek (self->fd, 0, SEEK_CUR);
    uint64_t expected = self->end + wrote;
    self->end = at >= 0 ? (uint64_t)at : expected;
    if (self->end != expected && !self->foreign_said) {
        self->foreign_said = true;
        mr_log_warn ("%s: somebody else writes in it", self->path);
    }
}

/* Take back what a write that failed has left, if nobody wrote behind it: who reads the file sees
 * whole lines only. Where this fails the bytes are compared with what is due. */
static void
cut_back (const sink_file_t *self, uint64_t begin)
{
    struct stat st;
    if (self->end > begin && fstat (self->fd, &st) == 0 && (uint64_t)st.st_size == self->end &&
        ftruncate (self->fd, (off_t)begin) != 0) {
        mr_log_error ("%s ends in a torn line for now: %s", self->path, strerror (errno));
    }
}

static mr_status_t
write_rows (void *arg, const struct iovec *iov, int count, mr_error_t *err)
{
    sink_file_t *self = arg;
    size_t skip = 0;
    mr_status_t status = match_tail (self, iov, count, &skip, err);
    if (status != MR_OK) {
        return status;
    }
    struct iovec rest[MR_SINK_IOV_MAX];
    int used = 0;
    for (int i = 0; i < count; i++) {
        size_t over = skip < iov[i].iov_len ? skip : iov[i].iov_len;
        skip -= over;
        if (over < iov[i].iov_len) {
            rest[used++] = (struct iovec){(char *)iov[i].iov_base + over, iov[i].iov_len - over};
        }
    }
    uint64_t begin = self->end;
    if (MR_CRASH_HIT ("sink.write.half") && used > 0) {
        (void)write_all (self->fd, rest[0].iov_base, rest[0].iov_len / 2);
        mr_crash_now ();
    }
    for (int i = 0; i < used;) {
        ssize_t wrote = writev (self->fd, rest + i, used - i);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            mr_status_t failure = failed (self, "write", err);
            cut_back (self, begin);
            return failure;
        }
        note_end (self, (size_t)wrote);
        for (; i < used && (size_t)wrote >= rest[i].iov_len; i++) {
            wrote -= (ssize_t)rest[i].iov_len;
        }
        if (wrote > 0) {
            rest[i].iov_base = (char *)rest[i].iov_base + wrote;
            rest[i].iov_len -= (size_t)wrote;
        }
    }
    MR_CRASH_POINT ("sink.write.done");
    return MR_OK;
}

static mr_status_t
settle (void *arg, mr_error_t *err)
{
    sink_file_t *self = arg;
    return self->tail > 0 ? set_aside (self, err) : MR_OK;
}

static mr_status_t
sync_file (void *arg, mr_error_t *err)
{
    sink_file_t *self = arg;
    return fdatasync (self->fd) == 0 ? MR_OK : failed (self, "sync", err);
}

static void
place (const void *arg, mr_cursor_state_t *state)
{
    const sink_file_t *self = arg;
    state->device = self->device;
    state->inode = self->inode;
    state->length = self->end;
}

/* Moved or removed by somebody: what follows belongs into a new file at the path. */
static bool
moved (void *arg)
{
    sink_file_t *self = arg;
    struct stat st;
    if (self->fd < 0 || self->tail > 0) {
        return false;
    }
    bool away =
        stat (self->path, &st) != 0 || st.st_ino != self->inode || st.st_dev != self->device;
    if (away && !self->away) {
        mr_log_info ("%s was moved away; a new file is begun", self->path);
    }
    return away;
}

static void
destroy (void *arg)
{
    close_file (arg);
    free (arg);
}

mr_status_t
mr_sink_file_new (const char *path, mr_sink_t *ret_sink, mr_error_t *err)
{
    sink_file_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "file sink");
    }
    self->fd = -1;
    snprintf (self->path, sizeof self->path, "%s", path);
    *ret_sink = (mr_sink_t){
        .open = open_file,
        .write = write_rows,
        .settle = settle,
        .sync = sync_file,
        .place = place,
        .moved = moved,
        .close = close_file,
        .destroy = destroy,
        .self = self,
    };
    return MR_OK;
}
