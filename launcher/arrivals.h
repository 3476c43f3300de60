/* arrivals: how often a file has come to a path, counted by the kernel (inotify) whether anybody
 * looks or not: so that `send --follow` knows of a file that was there between two looks alone.
 * Not thread safe. */
#ifndef MR_LAUNCHER_ARRIVALS_H
#define MR_LAUNCHER_ARRIVALS_H

#include "common/base/status.h"

#include <limits.h>
#include <stdbool.h>

typedef struct mr_arrivals {
    int fd; /* readable when something has come to the directory; -1: not watched */
    char name[NAME_MAX + 1];
} mr_arrivals_t;

/* Count from now on. path: absolute; where it is a symbolic link to a file, that file's path
 * counts. MR_SYSTEM: err says why not; fd is -1 then. */
MR_CHECK mr_status_t mr_arrivals_watch (mr_arrivals_t *self, const char *path, mr_error_t *err);
void mr_arrivals_release (mr_arrivals_t *self);

/* Since the last call: files that were made at the path, or renamed to it. False: so much has
 * happened in the directory that the kernel gave up counting. */
bool mr_arrivals_count (mr_arrivals_t *self, unsigned *ret_count);

#endif
