#include "launcher/folder.h"

#include "common/base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_FILES = 16 };

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
mr_folder_rotated (const char *base, const char *name)
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
look_at (DIR *dir, const char *name, mr_folder_file_t *ret_file)
{
    struct stat status;
    if (fstatat (dirfd (dir), name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG (status.st_mode)) {
        return false;
    }
    *ret_file = (mr_folder_file_t){
        .device = status.st_dev,
        .inode = status.st_ino,
        .bytes = (int64_t)status.st_size,
        .mtime_ns = (int64_t)status.st_mtim.tv_sec * MR_NS_PER_S + status.st_mtim.tv_nsec,
    };
    snprintf (ret_file->name, sizeof ret_file->name, "%s", name);
    return true;
}

/* Later written ones behind; of two at the same moment a higher number is the older one, and of two
 * times the lower one. */
static int
by_time (const void *a, const void *b)
{
    const mr_folder_file_t *left = a;
    const mr_folder_file_t *right = b;
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

/* Whether there is room for one more. */
static bool
has_room (mr_folder_t *self, size_t *capacity)
{
    if (self->count < *capacity) {
        return true;
    }
    size_t more = *capacity > 0 ? 2 * *capacity : FIRST_FILES;
    mr_folder_file_t *list = reallocarray (self->list, more, sizeof *list);
    if (list == NULL) {
        return false;
    }
    self->list = list;
    *capacity = more;
    return true;
}

/* Followed through a symbolic link, a file is rotated where it lies. */
void
mr_folder_read (const char *path, mr_folder_wanted_fn *wanted, void *arg, mr_folder_t *ret_folder)
{
    mr_folder_t *self = ret_folder;
    char real[PATH_MAX];
    snprintf (self->path, sizeof self->path, "%s", realpath (path, real) != NULL ? real : path);
    char *slash = strrchr (self->path, '/');
    *slash = '\0';
    self->base = slash + 1;
    self->count = 0;
    self->list = NULL;
    size_t capacity = 0;
    DIR *dir = opendir (self->path[0] != '\0' ? self->path : "/");
    const struct dirent *entry;
    while (dir != NULL && has_room (self, &capacity) && (entry = readdir (dir)) != NULL) {
        mr_folder_file_t *file = &self->list[self->count];
        self->count +=
            look_at (dir, entry->d_name, file) &&
            (strcmp (file->name, self->base) == 0 || mr_folder_rotated (self->base, file->name) ||
             (wanted != NULL && wanted (arg, file)));
    }
    if (dir != NULL) {
        closedir (dir);
    }
    if (self->count > 1) {
        qsort (self->list, self->count, sizeof *self->list, by_time);
    }
}

void
mr_folder_release (mr_folder_t *self)
{
    free (self->list);
    self->list = NULL;
    self->count = 0;
}

int
mr_folder_open (const mr_folder_t *self, const char *name)
{
    char path[PATH_MAX + NAME_MAX + 2];
    snprintf (path, sizeof path, "%s/%s", self->path, name);
    return open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}
