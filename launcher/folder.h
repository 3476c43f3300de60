/* folder: the regular files beside a followed one, and which of them rotation made of it.
 * Thread safe. */
#ifndef MR_LAUNCHER_FOLDER_H
#define MR_LAUNCHER_FOLDER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct mr_folder_file {
    char name[NAME_MAX + 1];
    dev_t device;
    ino_t inode;
    int64_t bytes;
    int64_t mtime_ns;
    bool taken; /* the caller's */
} mr_folder_file_t;

/* One directory, read once. */
typedef struct mr_folder {
    char path[PATH_MAX]; /* of the directory */
    const char *base;    /* name of the followed file in it */
    mr_folder_file_t *list;
    size_t count;
} mr_folder_t;

/* Whether a file is of use whatever its name is. */
typedef bool mr_folder_wanted_fn (void *arg, const mr_folder_file_t *file);

/* Read the directory of path (absolute): the file itself, what rotation made of it, and what is
 * wanted besides (NULL: nothing); later written ones behind. None where it cannot be read. To be
 * released, and not moved. */
void mr_folder_read (const char *path, mr_folder_wanted_fn *wanted, void *arg,
                     mr_folder_t *ret_folder);
void mr_folder_release (mr_folder_t *self);

/* Open one of them. -1: errno says why not. */
int mr_folder_open (const mr_folder_t *self, const char *name);

/* Whether `name` is what rotation makes of `base`: "a.log.1", "a.log-20261123", "a-20261123.log",
 * not "a.log.old", "a.log.1.gz". */
bool mr_folder_rotated (const char *base, const char *name);

#endif
