#include "launcher/resume.h"

#include "launcher/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One directory, and what is known of its files. */
typedef struct search {
    mr_folder_t folder;
    mr_place_t **places; /* of files that were not sent to their ends */
    size_t place_count;
    mr_place_t **former; /* of files that were */
    size_t former_count;
} search_t;

/* A place says that it may be of use. */
static bool
is_wanted (void *arg, const mr_folder_file_t *file)
{
    const search_t *search = arg;
    for (size_t i = 0; i < search->place_count; i++) {
        const mr_place_facts_t *facts = mr_place_facts (search->places[i]);
        if (facts->device == (uint64_t)file->device && facts->inode == (uint64_t)file->inode) {
            return true;
        }
    }
    return false;
}

/* ---- one place ---- */

/* Open it, if it holds what was read. */
static int
open_fitting (const search_t *search, const mr_folder_file_t *candidate, const mr_place_t *place)
{
    int fd = mr_folder_open (&search->folder, candidate->name);
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
find_file (const search_t *search, const mr_place_t *place, mr_folder_file_t **ret_candidate)
{
    const mr_place_facts_t *facts = mr_place_facts (place);
    int best = -1;
    for (size_t i = 0; i < search->folder.count; i++) {
        mr_folder_file_t *candidate = &search->folder.list[i];
        if ((uint64_t)candidate->device == facts->device &&
            (uint64_t)candidate->inode == facts->inode) {
            int fd = open_fitting (search, candidate, place);
            if (fd >= 0) {
                *ret_candidate = candidate;
                return fd;
            }
        }
    }
    for (size_t i = 0; i < search->folder.count && mr_place_reach (place) > 0; i++) {
        mr_folder_file_t *candidate = &search->folder.list[i];
        bool named = strcmp (candidate->name, search->folder.base) == 0 ||
                     mr_folder_rotated (search->folder.base, candidate->name);
        if (!named || candidate->taken ||
            (best >= 0 && candidate->bytes <= (*ret_candidate)->bytes)) {
            continue;
        }
        int fd = open_fitting (search, candidate, place);
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
former_name (const search_t *search, const mr_folder_file_t *candidate, int fd)
{
    for (size_t i = 0; i < search->former_count; i++) {
        const mr_place_facts_t *facts = mr_place_facts (search->former[i]);
        if (facts->device == (uint64_t)candidate->device &&
            facts->inode == (uint64_t)candidate->inode && mr_place_fits (search->former[i], fd)) {
            return facts->base;
        }
    }
    return "";
}

/* Rotated since: they were written to after the last of the known ones was. former_only: of those
 * alone that were sent to their ends as far as they went then. */
static void
add_rotated (mr_resume_t *self, search_t *search, int64_t since_ns, bool former_only)
{
    for (size_t i = 0; i < search->folder.count; i++) {
        mr_folder_file_t *candidate = &search->folder.list[i];
        if (candidate->taken || candidate->mtime_ns < since_ns ||
            !mr_folder_rotated (search->folder.base, candidate->name)) {
            continue;
        }
        if (self->count + 1 >= MR_LINES_NEXT_MAX) {
            fprintf (stderr,
                     "%s/%s and later ones: too many files were rotated meanwhile; send "
                     "them by name\n",
                     search->folder.path, candidate->name);
            return;
        }
        int fd = mr_folder_open (&search->folder, candidate->name);
        const char *name = fd >= 0 ? former_name (search, candidate, fd) : "";
        if (fd >= 0 && name[0] == '\0' && former_only) {
            close (fd);
            continue;
        }
        if (fd >= 0 && name[0] == '\0') {
            fprintf (stderr, "%s/%s was rotated meanwhile: it is sent next\n", search->folder.path,
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
add_known (mr_resume_t *self, search_t *search, mr_place_t **places, size_t count,
           mr_folder_file_t **ret_last)
{
    int64_t since_ns = 0;
    for (size_t i = 0; i < count; i++) {
        const mr_place_facts_t *facts = mr_place_facts (places[i]);
        mr_folder_file_t *candidate = NULL;
        int fd = find_file (search, places[i], &candidate);
        int64_t written_ns = facts->seen_ns;
        if (fd >= 0) {
            if (strcmp (candidate->name, search->folder.base) == 0) {
                fprintf (stderr, MR_RESUME_GREW, facts->path);
            } else {
                fprintf (stderr, "%s was renamed to %s/%s: the rest of it is sent first\n",
                         facts->path, search->folder.path, candidate->name);
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
    search_t search = {.places = places};
    mr_folder_file_t *last = NULL;
    struct stat now = {0};
    *self = (mr_resume_t){.count = 0};
    size_t count = mr_place_list (dir, path, true, places, MR_RESUME_PLACES);
    search.place_count = count;
    if (count == 0) {
        return;
    }
    /* First: what is moved away from here on is known, and what comes is seen by the lines. */
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && (fstat (fd, &now) != 0 || !S_ISREG (now.st_mode))) {
        close (fd);
        fd = -1;
    }
    mr_folder_read (path, is_wanted, &search, &search.folder);
    search.former = calloc (MR_PLACE_KEPT, sizeof (mr_place_t *));
    if (search.former != NULL) {
        search.former_count = mr_place_list (dir, path, false, search.former, MR_PLACE_KEPT);
    }
    int64_t since_ns = add_known (self, &search, places, count, &last);
    if (fd >= 0 && last != NULL && last->device == now.st_dev && last->inode == now.st_ino) {
        close (fd);
        add_rotated (self, &search, since_ns, true); /* their writers went on */
    } else {
        for (size_t i = 0; i < search.folder.count; i++) {
            search.folder.list[i].taken = search.folder.list[i].taken ||
                                          (fd >= 0 && search.folder.list[i].device == now.st_dev &&
                                           search.folder.list[i].inode == now.st_ino);
        }
        add_rotated (self, &search, since_ns, false);
        if (fd >= 0) {
            add (self, fd, "");
        }
    }
    for (size_t i = 0; i < search.former_count; i++) {
        mr_place_close (&search.former[i]);
    }
    free (search.former);
    mr_folder_release (&search.folder);
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
