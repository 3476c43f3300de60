/* The file sink: opening, writing, syncing. What a life before may have left is in sink_tail.c. */
#include "common/base/crashpoint.h"
#include "common/base/dirs.h"
#include "common/base/log.h"
#include "stages/exporter/sink.h"
#include "stages/exporter/sink_file_private.h"

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

/* A line that somebody left open would become one with our first row. */
static mr_status_t
end_line (sink_file_t *self, mr_error_t *err)
{
    char last = '\n';
    if (self->end > 0 && pread (self->fd, &last, 1, (off_t)self->end - 1) != 1) {
        return mr_sink_file_failed (self, "read", err);
    }
    if (last == '\n') {
        return MR_OK;
    }
    mr_log_warn ("%s ended in the middle of a line; a new one is begun", self->path);
    if (write (self->fd, "\n", 1) != 1) {
        return mr_sink_file_failed (self, "write", err);
    }
    self->end++;
    return MR_OK;
}

/* Whether it is the file that the cursor names. The number of a device holds until the machine is
 * started again: a disk may have another one then. */
static bool
is_committed (const struct stat *st, const mr_cursor_state_t *committed, bool same_boot)
{
    return st->st_ino == committed->inode && (st->st_dev == committed->device || !same_boot);
}

/* The file that the cursor names, which is not at the path any more, if it is still in the same
 * directory and has bytes beyond what was committed. -1: none. */
static int
find_away (const sink_file_t *self, const mr_cursor_state_t *committed, bool same_boot,
           struct stat *ret_st)
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
        if (fd >= 0 && (!is_committed (ret_st, committed, same_boot) ||
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

static void
say_cut (sink_file_t *self, uint64_t bytes, const char *why)
{
    snprintf (self->harm, sizeof self->harm,
              "%.160s has %" PRIu64 " bytes fewer than were written: %s", self->path, bytes, why);
    mr_log_warn ("%s has %" PRIu64 " bytes fewer than were written: %s", self->path, bytes, why);
}

/* The file that the cursor names: from the committed length on. */
static mr_status_t
go_on (sink_file_t *self, const mr_cursor_state_t *committed, bool same_boot, const struct stat *st,
       mr_error_t *err)
{
    uint64_t size = (uint64_t)st->st_size;
    if (size < committed->length) {
        say_cut (self, committed->length - size,
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
        return mr_sink_file_failed (self, "open", err);
    }
    if (!S_ISREG (st.st_mode)) { /* a pipe would take rows for nobody, and hold up who stops */
        close (fd);
        mr_error_set (err, "%s is not a file; move it away", self->path);
        return MR_AGAIN;
    }
    bool known = committed->inode != 0 && !self->gone;
    bool same = known && is_committed (&st, committed, same_boot);
    self->away = false;
    self->gone = false;
    if (known && !same) {
        struct stat away_st;
        int away = find_away (self, committed, same_boot, &away_st);
        if (away >= 0) {
            close (fd);
            fd = away;
            st = away_st;
            self->away = true;
        }
    }
    self->fd = fd;
    self->named = false;
    self->device = st.st_dev;
    self->inode = st.st_ino;
    mr_status_t status = same || self->away ? go_on (self, committed, same_boot, &st, err)
                                            : begin_at_end (self, &st, err);
    if (status != MR_OK) {
        close_file (self);
    }
    return status;
}

/* ---- writing ---- */

/* Somebody else's bytes may have come in between: they stay, and ours go on behind them. run: where
 * what was written last, without a break, begins. */
static void
note_end (sink_file_t *self, size_t wrote, uint64_t *run)
{
    off_t at = lseek (self->fd, 0, SEEK_CUR);
    uint64_t expected = self->end + wrote;
    self->end = at >= 0 ? (uint64_t)at : expected;
    if (self->end == expected) {
        return;
    }
    *run = self->end - wrote;
    if (!self->foreign_said) {
        self->foreign_said = true;
        mr_log_warn ("%s: somebody else writes in it", self->path);
    }
}

/* Take back what a write that failed has left, if nobody wrote behind it: who reads the file sees
 * whole lines only. What somebody wrote before it stays. Where this fails the bytes are compared
 * with what is due. */
static void
cut_back (const sink_file_t *self, uint64_t run)
{
    struct stat st;
    if (self->end == run || fstat (self->fd, &st) != 0 || (uint64_t)st.st_size != self->end) {
        return;
    }
    if (ftruncate (self->fd, (off_t)run) != 0) {
        mr_log_error ("%s ends in a torn line for now: %s", self->path, strerror (errno));
        return;
    }
    MR_CRASH_POINT ("sink.write.undone");
}

/* While it is open, and all of it ours: what is missing is said, and what follows begins a line. */
static mr_status_t
look_for_cut (sink_file_t *self, mr_error_t *err)
{
    struct stat st;
    if (self->tail > 0 || fstat (self->fd, &st) != 0 || (uint64_t)st.st_size >= self->end) {
        return MR_OK;
    }
    say_cut (self, self->end - (uint64_t)st.st_size, "somebody cut it");
    return begin_at_end (self, &st, err);
}

static mr_status_t
write_rows (void *arg, const struct iovec *iov, int count, mr_error_t *err)
{
    sink_file_t *self = arg;
    size_t skip = 0;
    mr_status_t status = look_for_cut (self, err);
    if (status == MR_OK) {
        status = mr_sink_file_match (self, iov, count, &skip, err);
    }
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
    uint64_t run = self->end;
    if (MR_CRASH_HIT ("sink.write.half") && used > 0) {
        (void)mr_sink_file_write_all (self->fd, rest[0].iov_base, rest[0].iov_len / 2);
        mr_crash_now ();
    }
    for (int i = 0; i < used;) {
        ssize_t wrote = writev (self->fd, rest + i, used - i);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            mr_status_t failure = mr_sink_file_failed (self, "write", err);
            cut_back (self, run);
            return failure;
        }
        note_end (self, (size_t)wrote, &run);
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
    return self->tail > 0 ? mr_sink_file_set_aside (self, err) : MR_OK;
}

/* A file without a name is none after a power loss. */
static mr_status_t
sync_file (void *arg, mr_error_t *err)
{
    sink_file_t *self = arg;
    if (fdatasync (self->fd) != 0 || (!self->named && mr_dirs_sync_of (self->path) != 0)) {
        return mr_sink_file_failed (self, "sync", err);
    }
    self->named = true;
    MR_CRASH_POINT ("sink.sync.done");
    return MR_OK;
}

static void
place (const void *arg, mr_cursor_state_t *state)
{
    const sink_file_t *self = arg;
    state->device = self->device;
    state->inode = self->inode;
    state->length = self->end;
}

/* Nobody can open it any more: what it has is gone once we have closed it. */
static void
say_gone (sink_file_t *self)
{
    struct stat st;
    if (fstat (self->fd, &st) == 0 && st.st_nlink > 0) {
        mr_log_info ("%s was moved away; a new file is begun", self->path);
        return;
    }
    self->gone = true;
    snprintf (self->harm, sizeof self->harm, "%.160s was deleted with %" PRIu64 " bytes in it",
              self->path, self->end);
    mr_log_warn ("%s was deleted with %" PRIu64 " bytes in it; a new file is begun", self->path,
                 self->end);
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
        say_gone (self);
    }
    return away;
}

static bool
harmed (void *arg, mr_error_t *err)
{
    sink_file_t *self = arg;
    if (self->fd >= 0 && look_for_cut (self, err) != MR_OK) {
        mr_log_warn ("%s", err->text); /* the next write meets it too */
    }
    bool is_harmed = self->harm[0] != '\0';
    mr_error_set (err, "%s", self->harm);
    self->harm[0] = '\0';
    return is_harmed;
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
        .harmed = harmed,
        .close = close_file,
        .destroy = destroy,
        .self = self,
    };
    return MR_OK;
}
