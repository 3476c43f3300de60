#include "launcher/place.h"

#include "common/base/dirs.h"
#include "common/base/hash.h"
#include "launcher/filetail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "MRPLACE1", little-endian. */
#define MAGIC UINT64_C (0x314543414c50524d)

enum { MARKS_AT = 512, PATH_AT = 4096, DIR_MODE = 0750, FOLLOWED = 1 };

typedef struct disk_head {
    uint64_t magic;
    uint32_t flags;
    uint32_t generation;
    uint32_t renewed;
    uint32_t path_bytes;
    uint64_t device;
    uint64_t inode;
    int64_t begun_ns;
    int64_t seen_bytes;
    int64_t seen_ns;
    mr_place_mark_t start;
    char base[MR_PLACE_NAME_BYTES];
    char text[MR_PLACE_NAME_BYTES];
    uint64_t path_hash;
    uint64_t check; /* of all before */
} disk_head_t;

typedef struct disk_mark {
    mr_place_mark_t mark;
    uint64_t check;
} disk_mark_t;

_Static_assert(sizeof (disk_head_t) == 232, "the layout is fixed");
_Static_assert(sizeof (disk_mark_t) == 32, "the layout is fixed");
_Static_assert(PATH_AT + PATH_MAX == MR_PLACE_BYTES, "the layout is fixed");

struct mr_place {
    int fd;
    mr_place_facts_t facts;
    mr_place_mark_t marks[MR_PLACE_MARKS]; /* unused: all zero */
};

/* ---- bytes ---- */

static void
encode_head (const mr_place_facts_t *facts, disk_head_t *head)
{
    size_t path_bytes = strlen (facts->path);
    *head = (disk_head_t){
        .magic = MAGIC,
        .flags = facts->followed ? FOLLOWED : 0,
        .generation = facts->generation,
        .renewed = facts->renewed,
        .path_bytes = (uint32_t)path_bytes,
        .device = facts->device,
        .inode = facts->inode,
        .begun_ns = facts->begun_ns,
        .seen_bytes = facts->seen_bytes,
        .seen_ns = facts->seen_ns,
        .start = facts->start,
        .path_hash = mr_hash64 (facts->path, path_bytes),
    };
    memcpy (head->base, facts->base, sizeof head->base);
    memcpy (head->text, facts->text, sizeof head->text);
    head->check = mr_hash64 (head, offsetof (disk_head_t, check));
}

static disk_mark_t
encode_mark (mr_place_mark_t mark)
{
    return (disk_mark_t){mark, mr_hash64 (&mark, sizeof mark)};
}

mr_status_t
mr_place_decode (const void *data, size_t bytes, mr_place_facts_t *ret_facts,
                 mr_place_mark_t *ret_marks)
{
    disk_head_t head;
    const char *path = (const char *)data + PATH_AT;
    if (bytes != MR_PLACE_BYTES) {
        return MR_INVALID;
    }
    memcpy (&head, data, sizeof head);
    if (head.magic != MAGIC || head.check != mr_hash64 (&head, offsetof (disk_head_t, check)) ||
        head.path_bytes >= PATH_MAX || path[head.path_bytes] != '\0' ||
        head.path_hash != mr_hash64 (path, head.path_bytes) ||
        head.base[MR_PLACE_NAME_BYTES - 1] != '\0' || head.text[MR_PLACE_NAME_BYTES - 1] != '\0') {
        return MR_INVALID;
    }
    *ret_facts = (mr_place_facts_t){
        .generation = head.generation,
        .renewed = head.renewed,
        .device = head.device,
        .inode = head.inode,
        .followed = (head.flags & FOLLOWED) != 0,
        .begun_ns = head.begun_ns,
        .seen_bytes = head.seen_bytes,
        .seen_ns = head.seen_ns,
        .start = head.start,
    };
    memcpy (ret_facts->base, head.base, sizeof head.base);
    memcpy (ret_facts->text, head.text, sizeof head.text);
    memcpy (ret_facts->path, path, head.path_bytes);
    for (size_t i = 0; i < MR_PLACE_MARKS; i++) {
        disk_mark_t mark;
        memcpy (&mark, (const char *)data + MARKS_AT + i * sizeof mark, sizeof mark);
        bool sound = mark.check == mr_hash64 (&mark.mark, sizeof mark.mark) &&
                     mark.mark.number > head.start.number && mark.mark.offset > head.start.offset;
        ret_marks[i] = sound ? mark.mark : (mr_place_mark_t){0};
    }
    return MR_OK;
}

/* ---- files ---- */

static void
path_of (const char *dir, const char *base, char path[PATH_MAX])
{
    snprintf (path, PATH_MAX, "%s/%016" PRIx64 ".place", dir, mr_hash64 (base, strlen (base)));
}

static void
write_head (mr_place_t *self)
{
    disk_head_t head;
    encode_head (&self->facts, &head);
    (void)!pwrite (self->fd, &head, sizeof head, 0); /* the marks are what counts */
}

typedef struct oldest {
    size_t count;
    int64_t time_ns;
    char name[NAME_MAX + 1];
} oldest_t;

static bool
is_place (const char *name)
{
    size_t bytes = strlen (name);
    return bytes > 6 && strcmp (name + bytes - 6, ".place") == 0;
}

/* Let the oldest go, when there are as many as are kept. */
static void
make_room (const char *dir)
{
    oldest_t oldest = {0};
    DIR *list = opendir (dir);
    const struct dirent *entry;
    while (list != NULL && (entry = readdir (list)) != NULL) {
        struct stat status;
        if (!is_place (entry->d_name) || fstatat (dirfd (list), entry->d_name, &status, 0) != 0) {
            continue;
        }
        int64_t time_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
        if (oldest.count++ == 0 || time_ns < oldest.time_ns) {
            oldest.time_ns = time_ns;
            snprintf (oldest.name, sizeof oldest.name, "%s", entry->d_name);
        }
    }
    if (list != NULL && oldest.count >= MR_PLACE_KEPT) {
        (void)!unlinkat (dirfd (list), oldest.name, 0);
    }
    if (list != NULL) {
        closedir (list);
    }
}

/* The whole file, under another name first: whoever dies here leaves the old one or the new one. */
static int
write_file (const char *path, const mr_place_facts_t *facts)
{
    char image[MR_PLACE_BYTES] = {0};
    char draft[PATH_MAX + 32];
    disk_head_t head;
    encode_head (facts, &head);
    memcpy (image, &head, sizeof head);
    memcpy (image + PATH_AT, facts->path, strlen (facts->path));
    snprintf (draft, sizeof draft, "%s.%d", path, (int)getpid ());
    int fd = open (draft, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        return -1;
    }
    errno = ENOSPC;
    if (pwrite (fd, image, sizeof image, 0) != (ssize_t)sizeof image || rename (draft, path) != 0) {
        int reason = errno;
        close (fd);
        unlink (draft);
        errno = reason;
        return -1;
    }
    return fd;
}

mr_status_t
mr_place_make (const char *dir, const mr_place_facts_t *facts, mr_place_t **ret_place,
               mr_error_t *err)
{
    char path[PATH_MAX];
    mr_status_t status = mr_dirs_make (dir, DIR_MODE, err);
    if (status != MR_OK) {
        return status;
    }
    path_of (dir, facts->base, path);
    if (access (path, F_OK) != 0) {
        make_room (dir);
    }
    mr_place_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "place");
    }
    self->facts = *facts;
    self->fd = write_file (path, facts);
    if (self->fd < 0) {
        status = mr_error_errno (err, "cannot write %s", path);
        free (self);
        return status;
    }
    *ret_place = self;
    return MR_OK;
}

static mr_place_t *
open_file (const char *path)
{
    char image[MR_PLACE_BYTES + 1];
    int fd = open (path, O_RDWR | O_CLOEXEC);
    mr_place_t *self = fd >= 0 ? calloc (1, sizeof *self) : NULL;
    ssize_t bytes = self != NULL ? pread (fd, image, sizeof image, 0) : -1;
    if (bytes < 0 || mr_place_decode (image, (size_t)bytes, &self->facts, self->marks) != MR_OK) {
        if (fd >= 0) {
            close (fd);
        }
        free (self);
        return NULL;
    }
    self->fd = fd;
    return self;
}

mr_status_t
mr_place_open (const char *dir, const char *base, mr_place_t **ret_place)
{
    char path[PATH_MAX];
    path_of (dir, base, path);
    mr_place_t *self = open_file (path);
    if (self == NULL || strcmp (self->facts.base, base) != 0) {
        mr_place_close (&self);
        return MR_CLOSED;
    }
    *ret_place = self;
    return MR_OK;
}

void
mr_place_close (mr_place_t **self_p)
{
    if (*self_p != NULL) {
        close ((*self_p)->fd);
        free (*self_p);
        *self_p = NULL;
    }
}

const mr_place_facts_t *
mr_place_facts (const mr_place_t *self)
{
    return &self->facts;
}

/* ---- marks ---- */

static bool
write_mark (mr_place_t *self, size_t at, mr_place_mark_t mark)
{
    disk_mark_t disk = encode_mark (mark);
    self->marks[at] = mark;
    return pwrite (self->fd, &disk, sizeof disk, (off_t)(MARKS_AT + at * sizeof disk)) ==
           (ssize_t)sizeof disk;
}

bool
mr_place_note (mr_place_t *self, mr_place_mark_t mark)
{
    size_t at = 0;
    for (size_t i = 0; i < MR_PLACE_MARKS; i++) {
        const mr_place_mark_t *other = &self->marks[i];
        if (other->number == mark.number) {
            if (other->offset == mark.offset && other->tail == mark.tail) {
                return true; /* a second try */
            }
            at = i;
            break;
        }
        /* Unused ones are 0, and the lowest number is the one that nobody will ask for. */
        at = other->number < self->marks[at].number ? i : at;
    }
    return write_mark (self, at, mark);
}

void
mr_place_forget_above (mr_place_t *self, uint64_t number)
{
    for (size_t i = 0; i < MR_PLACE_MARKS; i++) {
        if (self->marks[i].number > number) {
            (void)!write_mark (self, i, (mr_place_mark_t){0});
        }
    }
}

mr_place_mark_t
mr_place_find (const mr_place_t *self, uint64_t number)
{
    mr_place_mark_t best = self->facts.start;
    for (size_t i = 0; i < MR_PLACE_MARKS; i++) {
        if (self->marks[i].number <= number && self->marks[i].number > best.number) {
            best = self->marks[i];
        }
    }
    return best;
}

bool
mr_place_fits (const mr_place_t *self, int fd)
{
    mr_place_mark_t newest = mr_place_find (self, UINT64_MAX);
    uint64_t tail;
    return mr_filetail_hash (fd, newest.offset, &tail) && tail == newest.tail;
}

uint64_t
mr_place_reach (const mr_place_t *self)
{
    return mr_place_find (self, UINT64_MAX).offset;
}

void
mr_place_see (mr_place_t *self, int64_t bytes, int64_t mtime_ns)
{
    if (self->facts.seen_bytes != bytes || self->facts.seen_ns != mtime_ns) {
        self->facts.seen_bytes = bytes;
        self->facts.seen_ns = mtime_ns;
        write_head (self);
    }
}

void
mr_place_follow (mr_place_t *self, const char *path)
{
    self->facts.followed = path != NULL;
    if (path != NULL && strcmp (self->facts.path, path) != 0) {
        char image[PATH_MAX] = {0};
        snprintf (self->facts.path, sizeof self->facts.path, "%s", path);
        memcpy (image, self->facts.path, strlen (self->facts.path));
        (void)!pwrite (self->fd, image, sizeof image, PATH_AT);
    }
    write_head (self);
}

void
mr_place_move (mr_place_t *self, uint64_t device, uint64_t inode)
{
    self->facts.device = device;
    self->facts.inode = inode;
    write_head (self);
}

static int
by_begin (const void *a, const void *b)
{
    const mr_place_t *const *left = a;
    const mr_place_t *const *right = b;
    return ((*left)->facts.begun_ns > (*right)->facts.begun_ns) -
           ((*left)->facts.begun_ns < (*right)->facts.begun_ns);
}

size_t
mr_place_list (const char *dir, const char *path, bool followed, mr_place_t **ret_places,
               size_t room)
{
    size_t count = 0;
    DIR *list = opendir (dir);
    const struct dirent *entry;
    while (list != NULL && count < room && (entry = readdir (list)) != NULL) {
        char file[PATH_MAX];
        int length = snprintf (file, sizeof file, "%s/%s", dir, entry->d_name);
        if (!is_place (entry->d_name) || length >= PATH_MAX) {
            continue;
        }
        mr_place_t *place = open_file (file);
        if (place != NULL && place->facts.followed == followed &&
            strcmp (place->facts.path, path) == 0) {
            ret_places[count++] = place;
        } else {
            mr_place_close (&place);
        }
    }
    if (list != NULL) {
        closedir (list);
    }
    if (count > 1) {
        qsort (ret_places, count, sizeof (mr_place_t *), by_begin);
    }
    return count;
}
