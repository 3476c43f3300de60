/* scratch: where `millrace chaos` works: a directory of its own with a configuration, and, where it
 * may be mounted, a small file system under one ingest worker's journal, which can be filled. The
 * mount is seen by this process and those that it starts, and goes with them. Not thread safe. */
#ifndef MR_LAUNCHER_CHAOS_SCRATCH_H
#define MR_LAUNCHER_CHAOS_SCRATCH_H

#include "common/base/status.h"

#include <limits.h>
#include <stdbool.h>

/* Exporter slots whose files are looked at; workers of each stage when nobody has scaled it. */
enum { MR_CHAOS_SLOTS = 4, MR_CHAOS_WORKERS = 2 };

typedef struct mr_scratch {
    char folder[PATH_MAX]; /* absolute */
    char config[PATH_MAX];
    char small[PATH_MAX]; /* where the small file system is mounted; "" without one */
    mr_error_t why_not;   /* without one: why */
} mr_scratch_t;

/* Make a directory below $TMPDIR, or /tmp, write the configuration, and mount the small file system
 * if small is set. Call it before there is a second thread. MR_OK; MR_SYSTEM. */
MR_CHECK mr_status_t mr_scratch_make (bool small, mr_scratch_t *ret_scratch, mr_error_t *err);

/* Fill the small file system, and empty it again. False: there is none. */
bool mr_scratch_fill (const mr_scratch_t *self);
void mr_scratch_free (const mr_scratch_t *self);

/* The sink's file of an exporter; its dead letters; its metric rows. ret_path: PATH_MAX. */
void mr_scratch_sink (const char *folder, int slot, char *ret_path);
void mr_scratch_dead (const char *folder, int slot, char *ret_path);
void mr_scratch_rows (const char *folder, int slot, char *ret_path);

/* Remove the directory with all that is in it; nothing may run there any more. */
void mr_scratch_remove (mr_scratch_t *self);

/* Leave it to the user: what is on the small file system is copied, for its mount goes with us.
 * MR_SYSTEM: not all could be copied. */
MR_CHECK mr_status_t mr_scratch_keep (mr_scratch_t *self, mr_error_t *err);

#endif
