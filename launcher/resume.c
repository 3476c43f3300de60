#include "launcher/resume.h"

#include "common/base/clock.h"
#include "launcher/filetail.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CANDIDATES_MAX = 4096 };

/* A regular file beside the followed one. */
typedef struct candidate {
    char name[NAME_MAX + 1];
    dev_t device;
    ino_t inode;
    int64_t bytes;
    int64_t mtime_ns;
    bool taken;
} candidate_t;

/* One directory, read once. */
typedef struct folder {
    char path[PATH_MAX]; /* of the directory */
    const char *base;    /* name of the followed file in it */
    mr_place_t **former; /* places of files that were sent to their ends */
    size_t former_count;
    candidate_t *list;
    size_t count;
} folder_t;

/* ---- names ---- */

/* One separator and then a number or a time: digits, and what stands between them. */
static bool
is_stamp (const char *text, size_t bytes)
{
    bool digits = false;
    for (size_t i = 1; i < bytes; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        digits = digits || digit;
        if (!digit && strchr (".-_:TZ+", text[i]) == NULL) {
            return false;
        }
    }
    return bytes > 1 && strchr (".-_", text[0]) != NULL && digits;
}

bool
mr_resume_rotated (const char *base, const char *name)
{
    size_t base_bytes = strlen (base);
    size_t name_bytes = strlen (name);
    const char *dot = strrchr (base, '.');
    if (name_bytes > base_bytes && memcmp (name, base, base_bytes) == 0 &&
        is_stamp (name + base_bytes, name_bytes - base_bytes)) {
        return true;
    }
    if (dot == NULL || dot == base || name_bytes <= base_bytes) {
        return false;
    }
    size_t stem_bytes = (size_t)(dot - base);
    size_t end_bytes = base_bytes - stem_bytes;
    return memcmp (name, base, stem_bytes) == 0 &&
           strcmp (name + name_bytes - end_bytes, dot) == 0 &&
           is_stamp (name + stem_bytes, name_bytes - base_bytes);
}

/* ---- the directory ---- */

static bool
look_at (DIR *dir, const char *name, candidate_t *ret_candidate)
{
    struct stat status;
    if (fstatat (dirfd (dir), name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG (status.st_mode)) {
        return false;
    }
    *ret_candidate = (candidate_t){
        .device = status.st_dev,
        .inode = status.st_ino,
        .bytes = (int64_t)status.st_size,
        .mtime_ns = (int64_t)status.st_mtim.tv_sec * MR_NS_PER_S + status.st_mtim.tv_nsec,
    };
    snprintf (ret_candidate->name, sizeof ret_candidate->name, "%s", name);
    return true;
}

/* Later written ones behind; of two at the same moment a higher number is the older one, and of two
 * times the lower one. */
static int
by_time (const void *a, const void *b)
{
    const candidate_t *left = a;
    const candidate_t *right = b;
    if (left->mtime_ns != right->mtime_ns) {
        return left->mtime_ns < right->mtime_ns ? -1 : 1;
    }
    size_t left_bytes = strlen (left->name);
    size_t right_bytes = strlen (right->name);
    if (left_bytes != right_bytes) {
        return left_bytes > right_bytes ? -1 : 1;
    }
    const char *digits = left->name + left_bytes;
    while (digits > left->name && digits[-1] >= '0' && digits[-1] <= '9') {
        digits--;
    }
    bool number = left->name + left_bytes - digits < 8; /* else a date */
    return number ? strcmp (right->name, left->name) : strcmp (left->name, right->name);
}

/* Those that may be of use: by their name, or because a place says so. */
static bool
is_wanted (const folder_t *folder, const candidate_t *candidate, mr_place_t *const *places,
           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const mr_place_facts_t *facts = mr_place_facts (places[i]);
        if (facts->device == (uint64_t)candidate->device &&
            facts->inode == (uint64_t)candidate->inode) {
            return true;
        }
    }
    return strcmp (candidate->name, folder->base) == 0 ||
           mr_resume_rotated (folder->base, candidate->name);
}

/* Followed through a symbolic link, a file is rotated where it lies. */
static void
read_folder (const char *path, mr_place_t *const *places, size_t count, folder_t *folder)
{
    char real[PATH_MAX];
    snprintf (folder->path, sizeof folder->path, "%s", realpath (path, real) != NULL ? real : path);
    char *slash = strrchr (folder->path, '/');
    *slash = '\0';
    folder->base = slash + 1;
    folder->list = calloc (CANDIDATES_MAX, sizeof *folder->list);
    DIR *dir = opendir (folder->path[0] != '\0' ? folder->path : "/");
    if (folder->list == NULL || dir == NULL) {
        if (dir != NULL) {
            closedir (dir);
        }
        return;
    }
    const struct dirent *entry;
    while (folder->count < CANDIDATES_MAX && (entry = readdir (dir)) != NULL) {
        candidate_t *candidate = &folder->list[folder->count];
        folder->count +=
            look_at (dir, entry->d_name, candidate) && is_wanted (folder, candidate, places, count);
    }
    closedir (dir);
    qsort (folder->list, folder->count, sizeof *folder->list, by_time);
}

static int
open_in (const folder_t *folder, const char *name)
{
    char path[PATH_MAX + NAME_MAX + 2];
    snprintf (path, sizeof path, "%s/%s", folder->path, name);
    return open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* ---- one place ---- */

/* Open it, if it holds what was read. */
static int
open_fitting (const folder_t *folder, const candidate_t *candidate, const mr_place_t *place)
{
    int fd = open_in (folder, candidate->name);
    if (fd >= 0 && !mr_place_fits (place, fd)) {
        close (fd);
        fd = -1;
    }
    return fd;
}

/* The file of a place: the same inode, else one that holds the same bytes up to where they were
 * read, as a copy does that was made before the file was truncated. Copies are looked for only
 * among the names of rotation and the file itself; the longest counts. */
static int
find_file (const folder_t *folder, const mr_place_t *place, candidate_t **ret_candidate)
{
    const mr_place_facts_t *facts = mr_place_facts (place);
    int best = -1;
    for (size_t i = 0; i < folder->count; i++) {
        candidate_t *candidate = &folder->list[i];
        if ((uint64_t)candidate->device == facts->device &&
            (uint64_t)candidate->inode == facts->inode) {
            int fd = open_fitting (folder, candidate, place);
            if (fd >= 0) {
                *ret_candidate = candidate;
                return fd;
            }
        }
    }
    for (size_t i = 0; i < folder->count && mr_place_reach (place) > 0; i++) {
        candidate_t *candidate = &folder->list[i];
        bool named = strcmp (candidate->name, folder->base) == 0 ||
                     mr_resume_rotated (folder->base, candidate->name);
        if (!named || candidate->taken ||
            (best >= 0 && candidate->bytes <= (*ret_candidate)->bytes)) {
            continue;
        }
        int fd = open_fitting (folder, candidate, place);
        if (fd >= 0) {
            if (best >= 0) {
                close (best);
            }
            best = fd;
            *ret_candidate = candidate;
        }
    }
    return best;
}

static void
add (mr_resume_t *self, int fd, const char *name)
{
    mr_lines_file_t *file = &self->files[self->count++];
    file->fd = fd;
    snprintf (file->name, sizeof file->name, "%s", name);
}

/* ---- all of it ---- */

/* The name of a file that was sent to its end, as far as it went then: its writer may have gone on.
 * "": it was not. */
static const char *
former_name (const folder_t *folder, const candidate_t *candidate, int fd)
{
    for (size_t i = 0; i < folder->former_count; i++) {
        const mr_place_facts_t *facts = mr_place_facts (folder->former[i]);
        if (facts->device == (uint64_t)candidate->device &&
            facts->inode == (uint64_t)candidate->inode && mr_place_fits (folder->former[i], fd)) {
            return facts->base;
        }
    }
    return "";
}

/* Rotated since: they were written to after the last of the known ones was. */
static void
add_rotated (mr_resume_t *self, folder_t *folder, int64_t since_ns)
{
    for (size_t i = 0; i < folder->count; i++) {
        candidate_t *candidate = &folder->list[i];
        if (candidate->taken || candidate->mtime_ns < since_ns ||
            !mr_resume_rotated (folder->base, candidate->name)) {
            continue;
        }
        if (self->count + 1 >= MR_LINES_NEXT_MAX) {
            fprintf (stderr,
                     "%s/%s and later ones: too many files were rotated meanwhile; send "
                     "them by name\n",
                     folder->path, candidate->name);
            return;
        }
        int fd = open_in (folder, candidate->name);
        const char *name = fd >= 0 ? former_name (folder, candidate, fd) : "";
        if (fd >= 0 && name[0] == '\0') {
            fprintf (stderr, "%s/%s was rotated meanwhile: it is sent next\n", folder->path,
                     candidate->name);
        }
        if (fd >= 0) {
            add (self, fd, name);
        }
    }
}

/* One place after another. Returns when the last of their files was last written to, as far as that
 * is known. */
static int64_t
add_known (mr_resume_t *self, folder_t *folder, mr_place_t **places, size_t count,
           candidate_t **ret_last)
{
    int64_t since_ns = 0;
    for (size_t i = 0; i < count; i++) {
        const mr_place_facts_t *facts = mr_place_facts (places[i]);
        candidate_t *candidate = NULL;
        int fd = find_file (folder, places[i], &candidate);
        int64_t written_ns = facts->seen_ns;
        if (fd >= 0) {
            if (strcmp (candidate->name, folder->base) == 0) {
                fprintf (stderr, MR_RESUME_GREW, facts->path);
            } else {
                fprintf (stderr, "%s was renamed to %s/%s: the rest of it is sent first\n",
                         facts->path, folder->path, candidate->name);
            }
            /* The name under which its lines are numbered is that of what was read. */
            add (self, fd, facts->base);
            candidate->taken = true;
            *ret_last = candidate;
            mr_place_close (&places[i]);
        } else {
            self->lost[self->lost_count++] = places[i];
        }
        since_ns = written_ns > since_ns ? written_ns : since_ns;
    }
    return since_ns;
}

void
mr_resume_find (const char *dir, const char *path, mr_resume_t *ret_resume)
{
    mr_resume_t *self = ret_resume;
    mr_place_t *places[MR_RESUME_PLACES];
    folder_t folder = {.count = 0};
    candidate_t *last = NULL;
    struct stat now = {0};
    *self = (mr_resume_t){.count = 0};
    size_t count = mr_place_list (dir, path, true, places, MR_RESUME_PLACES);
    if (count == 0) {
        return;
    }
    /* First: what is moved away from here on is known, and what comes is seen by the lines. */
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && (fstat (fd, &now) != 0 || !S_ISREG (now.st_mode))) {
        close (fd);
        fd = -1;
    }
    read_folder (path, places, count, &folder);
    folder.former = calloc (MR_PLACE_KEPT, sizeof (mr_place_t *));
    if (folder.former != NULL) {
        folder.former_count = mr_place_list (dir, path, false, folder.former, MR_PLACE_KEPT);
    }
    int64_t since_ns = add_known (self, &folder, places, count, &last);
    if (fd >= 0 && last != NULL && last->device == now.st_dev && last->inode == now.st_ino) {
        close (fd);
    } else {
        for (size_t i = 0; i < folder.count; i++) {
            folder.list[i].taken =
                folder.list[i].taken || (fd >= 0 && folder.list[i].device == now.st_dev &&
                                         folder.list[i].inode == now.st_ino);
        }
        add_rotated (self, &folder, since_ns);
        if (fd >= 0) {
            add (self, fd, "");
        }
    }
    for (size_t i = 0; i < folder.former_count; i++) {
        mr_place_close (&folder.former[i]);
    }
    free (folder.former);
    free (folder.list);
}

mr_place_t *
mr_resume_lost (mr_resume_t *self)
{
    if (self->lost_count == 0) {
        return NULL;
    }
    mr_place_t *place = self->lost[0];
    self->lost_count--;
    memmove (self->lost, self->lost + 1, self->lost_count * sizeof *self->lost);
    return place;
}

void
mr_resume_release (mr_resume_t *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        close (self->files[i].fd);
    }
    self->count = 0;
    for (mr_place_t *place = mr_resume_lost (self); place != NULL; place = mr_resume_lost (self)) {
        mr_place_close (&place);
    }
}
