#include "common/runtime/worker.h"

#include "common/base/clock.h"
#include "common/base/dirs.h"
#include "common/base/log.h"
#include "common/runtime/worker_line.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES = 256, CLAIM_TRIES = 100 };

struct mr_worker {
    char path[PATH_MAX];
    char name[MR_WORKER_NAME_BYTES];
    uint64_t incarnation;
    int64_t started_ns;
    mr_worker_state_t state;
    int fd;
    void *map; /* of the whole file */
    mr_worker_page_t *page;
    bool has_predecessor;
    mr_worker_traces_t predecessor;
};

static void
lock_path (const char *run_dir, const char *name, char path[PATH_MAX])
{
    snprintf (path, PATH_MAX, "%s/%s.lock", run_dir, name);
}

/* OFD locks rather than flock: they can be asked about without being taken, so that somebody who
 * looks never makes a worker that starts believe that its slot is held. */
static bool
try_lock (int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl (fd, F_OFD_SETLK, &lock) == 0;
}

static bool
is_locked (int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool
same_file (int fd, const char *path)
{
    struct stat held;
    struct stat named;
    return fstat (fd, &held) == 0 && stat (path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

/* Open and lock the file that the path names at that moment: a former holder may unlink it between
 * our open and our lock. */
static mr_status_t
open_locked (const char *path, int flags, int *ret_fd, mr_error_t *err)
{
    for (int i = 0; i < CLAIM_TRIES; i++) {
        int fd = open (path, O_RDWR | O_CLOEXEC | flags, 0600);
        if (fd < 0) {
            if (errno == ENOENT && (flags & O_CREAT) == 0) {
                return MR_CLOSED;
            }
            return mr_error_errno (err, "cannot open the lock file %s", path);
        }
        if (!try_lock (fd)) {
            close (fd);
            return MR_AGAIN;
        }
        if (same_file (fd, path)) {
            *ret_fd = fd;
            return MR_OK;
        }
        close (fd);
    }
    mr_error_set (err, "cannot lock %s: it is replaced again and again", path);
    return MR_SYSTEM;
}

static mr_status_t
write_line (mr_worker_t *self)
{
    char line[LINE_BYTES + 1];
    char started[MR_RFC3339_BYTES];
    mr_clock_format (self->started_ns, started);
    int length =
        snprintf (line, sizeof line, "pid=%d incarnation=%016" PRIx64 " state=%s started=%s",
                  (int)getpid (), self->incarnation, mr_worker_state_name (self->state), started);
    memset (line + length, ' ', sizeof line - (size_t)length);
    line[LINE_BYTES - 1] = '\n';
    return pwrite (self->fd, line, LINE_BYTES, 0) == LINE_BYTES ? MR_OK : MR_SYSTEM;
}

/* What the file says, whoever holds it. */
static mr_status_t
read_line (int fd, mr_worker_info_t *info)
{
    char line[LINE_BYTES + 1] = {0};
    uint64_t words[4] = {0};
    if (pread (fd, line, LINE_BYTES, 0) < 0) {
        return MR_SYSTEM;
    }
    if (mr_worker_parse_line (line, info) != MR_OK) {
        return MR_INVALID;
    }
    (void)!pread (fd, words, sizeof words, MR_WORKER_PAGE_AT);
    info->traces = (mr_worker_traces_t){
        .incarnation = info->incarnation,
        .crumb = words[0],
        .evidence = words[1],
        .progress = words[2],
        .holding = words[3] != 0,
    };
    return MR_OK;
}

static mr_status_t
map_page (mr_worker_t *self)
{
    static const uint8_t zeros[MR_WORKER_FILE_BYTES - LINE_BYTES];
    if (pwrite (self->fd, zeros, sizeof zeros, LINE_BYTES) != (ssize_t)sizeof zeros) {
        return MR_SYSTEM;
    }
    void *map = mmap (NULL, MR_WORKER_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0);
    if (map == MAP_FAILED) {
        return MR_SYSTEM;
    }
    self->map = map;
    self->page = (mr_worker_page_t *)(void *)((char *)map + MR_WORKER_PAGE_AT);
    return MR_OK;
}

static void
format_name (const char *stage, int slot, char name[MR_WORKER_NAME_BYTES])
{
    if (slot < 0) {
        snprintf (name, MR_WORKER_NAME_BYTES, "%s", stage);
    } else {
        snprintf (name, MR_WORKER_NAME_BYTES, "%s.%d", stage, slot);
    }
}

static mr_status_t
report_holder (const char *run_dir, const char *name, mr_error_t *err)
{
    mr_worker_info_t info = {0};
    if (mr_worker_read (run_dir, name, &info, NULL) == MR_OK) {
        mr_error_set (err, "%s is already running in %s as pid %d; stop it first", name, run_dir,
                      (int)info.pid);
    } else {
        mr_error_set (err, "%s is already running in %s; stop it first", name, run_dir);
    }
    return MR_AGAIN;
}

mr_status_t
mr_worker_claim (const char *run_dir, const char *stage, int slot, mr_worker_t **ret_worker,
                 mr_error_t *err)
{
    mr_worker_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "worker");
    }
    format_name (stage, slot, self->name);
    lock_path (run_dir, self->name, self->path);
    mr_status_t status = open_locked (self->path, O_CREAT, &self->fd, err);
    if (status != MR_OK) {
        if (status == MR_AGAIN) {
            status = report_holder (run_dir, self->name, err);
        }
        free (self);
        return status;
    }
    mr_worker_info_t before = {0};
    self->has_predecessor = read_line (self->fd, &before) == MR_OK;
    self->predecessor = before.traces;
    self->started_ns = mr_clock_wall_ns ();
    ssize_t random = getrandom (&self->incarnation, sizeof self->incarnation, 0);
    if (random != (ssize_t)sizeof self->incarnation || map_page (self) != MR_OK ||
        write_line (self) != MR_OK) {
        status = mr_error_errno (err, "cannot write %s", self->path);
        mr_worker_release (&self);
        return status;
    }
    *ret_worker = self;
    return MR_OK;
}

bool
mr_worker_gone (const mr_worker_t *self)
{
    struct stat held;
    struct stat named;
    bool there = stat (self->path, &named) == 0;
    bool known = fstat (self->fd, &held) == 0 && (there || errno == ENOENT || errno == ENOTDIR);
    return known && (!there || held.st_ino != named.st_ino || held.st_dev != named.st_dev);
}

/* Who uses the page, another thread too, goes on in the new file's: mapping over it is one step. */
static mr_status_t
move_to (mr_worker_t *self, int fd)
{
    const char *page = (const char *)self->map + LINE_BYTES;
    size_t bytes = MR_WORKER_FILE_BYTES - LINE_BYTES;
    if (pwrite (fd, page, bytes, LINE_BYTES) != (ssize_t)bytes ||
        mmap (self->map, MR_WORKER_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
              0) == MAP_FAILED) {
        return MR_SYSTEM;
    }
    close (self->fd);
    self->fd = fd;
    return write_line (self);
}

mr_status_t
mr_worker_hold (mr_worker_t *self, mr_error_t *err)
{
    if (!mr_worker_gone (self)) {
        return MR_OK;
    }
    char run_dir[PATH_MAX];
    int fd = -1;
    snprintf (run_dir, sizeof run_dir, "%s", self->path);
    *strrchr (run_dir, '/') = '\0';
    mr_status_t status = mr_dirs_make_last (run_dir, 0700, err);
    if (status == MR_OK) {
        status = open_locked (self->path, O_CREAT, &fd, err);
    }
    if (status == MR_AGAIN) {
        return report_holder (run_dir, self->name, err);
    }
    if (status == MR_OK && move_to (self, fd) != MR_OK) {
        status = mr_error_errno (err, "cannot write %s", self->path);
        if (self->fd != fd) {
            close (fd);
        }
    }
    if (status == MR_OK) {
        mr_log_warn ("%s was gone, and is made again: keep from run_dir what cleans up there",
                     self->path);
    }
    return status;
}

const mr_worker_traces_t *
mr_worker_predecessor (const mr_worker_t *self)
{
    return self->has_predecessor ? &self->predecessor : NULL;
}

mr_worker_page_t *
mr_worker_page (mr_worker_t *self)
{
    return self->page;
}

const char *
mr_worker_name (const mr_worker_t *self)
{
    return self->name;
}

uint64_t
mr_worker_incarnation (const mr_worker_t *self)
{
    return self->incarnation;
}

void
mr_worker_set_state (mr_worker_t *self, mr_worker_state_t state)
{
    self->state = state;
    (void)!write_line (self); /* only for those who look; the lock is what counts */
}

void
mr_worker_release (mr_worker_t **self_p)
{
    mr_worker_t *self = *self_p;
    if (self != NULL) {
        if (self->map != NULL) {
            munmap (self->map, MR_WORKER_FILE_BYTES);
        }
        if (!mr_worker_gone (self)) {
            unlink (self->path); /* while the lock is held: nobody else's file can come there */
        }
        close (self->fd);
        free (self);
        *self_p = NULL;
    }
}

mr_status_t
mr_worker_read (const char *run_dir, const char *name, mr_worker_info_t *ret_info, mr_error_t *err)
{
    char path[PATH_MAX];
    lock_path (run_dir, name, path);
    int fd = open (path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? MR_CLOSED : mr_error_errno (err, "cannot open %s", path);
    }
    mr_worker_info_t info = {.alive = is_locked (fd)};
    mr_status_t status = read_line (fd, &info);
    close (fd);
    if (status == MR_SYSTEM) {
        return mr_error_errno (err, "cannot read %s", path);
    }
    if (status != MR_OK || mr_worker_parse_name (name, info.stage, &info.slot) != MR_OK) {
        mr_error_set (err, "%s does not hold a worker's line", path);
        return MR_INVALID;
    }
    snprintf (info.name, sizeof info.name, "%s", name);
    *ret_info = info;
    return MR_OK;
}

/* "processor.1.lock" -> "processor.1". */
static bool
name_of (const char *file, char name[MR_WORKER_NAME_BYTES])
{
    size_t bytes = strlen (file);
    if (bytes <= 5 || bytes - 5 >= MR_WORKER_NAME_BYTES ||
        strcmp (file + bytes - 5, ".lock") != 0) {
        return false;
    }
    memcpy (name, file, bytes - 5);
    name[bytes - 5] = '\0';
    return true;
}

mr_status_t
mr_worker_each (const char *run_dir, mr_worker_fn *fn, void *arg, mr_error_t *err)
{
    DIR *dir = opendir (run_dir);
    if (dir == NULL) {
        return mr_error_errno (err, "cannot read the run directory %s", run_dir);
    }
    const struct dirent *entry;
    while ((entry = readdir (dir)) != NULL) {
        char name[MR_WORKER_NAME_BYTES];
        if (!name_of (entry->d_name, name)) {
            continue;
        }
        mr_worker_info_t info;
        if (mr_worker_read (run_dir, name, &info, NULL) == MR_OK) {
            fn (&info, arg);
        }
    }
    closedir (dir);
    return MR_OK;
}

mr_status_t
mr_worker_sweep (const char *run_dir, const char *name, mr_error_t *err)
{
    char path[PATH_MAX];
    lock_path (run_dir, name, path);
    int fd = -1;
    mr_status_t status = open_locked (path, 0, &fd, err);
    if (status == MR_CLOSED) {
        return MR_OK;
    }
    if (status != MR_OK) {
        return status;
    }
    char socket[PATH_MAX];
    snprintf (socket, sizeof socket, "%.*s.ipc", (int)(strlen (path) - strlen (".lock")), path);
    unlink (socket);
    unlink (path);
    close (fd);
    return MR_OK;
}

mr_status_t
mr_worker_sweep_dead (const char *run_dir, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    DIR *dir = opendir (run_dir);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir (dir)) != NULL) {
        char name[MR_WORKER_NAME_BYTES];
        char stage[MR_WORKER_NAME_BYTES];
        int slot;
        if (name_of (entry->d_name, name) && mr_worker_parse_name (name, stage, &slot) == MR_OK &&
            mr_worker_sweep (run_dir, name, status == MR_OK ? err : NULL) == MR_SYSTEM) {
            status = MR_SYSTEM;
        }
    }
    if (dir != NULL) {
        closedir (dir);
    }
    return status;
}

mr_status_t
mr_worker_accuse (const char *run_dir, const char *name, uint64_t incarnation, uint64_t evidence)
{
    char path[PATH_MAX];
    lock_path (run_dir, name, path);
    int fd = open (path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? MR_CLOSED : MR_SYSTEM;
    }
    mr_worker_info_t info = {0};
    mr_status_t status = MR_CLOSED;
    if (is_locked (fd) && read_line (fd, &info) == MR_OK && info.incarnation == incarnation) {
        off_t at = MR_WORKER_PAGE_AT + (off_t)offsetof (mr_worker_page_t, evidence);
        status = pwrite (fd, &evidence, sizeof evidence, at) == (ssize_t)sizeof evidence
                     ? MR_OK
                     : MR_SYSTEM;
    }
    close (fd);
    return status;
}
