/* filelock: locks (OFD) on files that are there only to be locked: a lock lasts as long as its
 * holder lives, and the files are never removed. Thread safe. */
#ifndef MR_COMMON_DELIVERY_FILELOCK_H
#define MR_COMMON_DELIVERY_FILELOCK_H

#include "common/base/status.h"

#include <stdbool.h>

typedef struct mr_filelock_options {
    const char *path; /* made where it is missing; its directory is not */
    bool shared;      /* several may share it while nobody has it alone */
    int wait_ms;      /* for those who hold it */
    bool signed_by;   /* the holder's pid is written into the file: not with `shared` */
} mr_filelock_options_t;

/* MR_OK: *ret_fd holds the lock; MR_AGAIN: somebody else does, err says which file,
 * and with signed_by who; MR_SYSTEM. */
MR_CHECK mr_status_t mr_filelock_take (const mr_filelock_options_t *options, int *ret_fd,
                                       mr_error_t *err);

/* fd -1: nothing happens. */
void mr_filelock_release (int fd);

/* The options for DATA_DIR/ingest.N.mapped: shared by every exporter as long as it has the window
 * of ingest.N mapped, taken alone by who makes that window anew.
 *   path  room for the file's name, PATH_MAX bytes; borrowed by what is returned */
mr_filelock_options_t mr_filelock_mapped (const char *data_dir, int slot, bool shared, char *path);

#endif
