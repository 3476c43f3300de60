/* What the files of the file sink share. `end` is where what is due next belongs; `tail` bytes
 * stand behind it that an earlier life may have written before it could commit: due rows are
 * compared with them first. */
#ifndef MR_STAGES_EXPORTER_SINK_FILE_PRIVATE_H
#define MR_STAGES_EXPORTER_SINK_FILE_PRIVATE_H

#include "common/base/status.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct sink_file {
    int fd; /* -1: closed */
    uint64_t device;
    uint64_t inode;
    uint64_t end;
    uint64_t tail;
    bool away;         /* the open file is not the one at the path: finish it, then move on */
    bool foreign_said; /* that somebody else writes in the file */
    bool gone;         /* it was deleted: the number of its inode says nothing any more */
    bool named;        /* its name is durable */
    char harm[256];    /* what somebody did to what was written, not told yet; "": nothing */
    char path[PATH_MAX];
} sink_file_t;

/* errno into err, with the sink's path. Returns MR_AGAIN. */
mr_status_t mr_sink_file_failed (const sink_file_t *self, const char *what, mr_error_t *err);

/* 0, or -1 and errno; then some of it may be written. */
int mr_sink_file_write_all (int fd, const char *data, size_t bytes);

/* Go over what is due and in the file already: end moves behind it. It is written once more, in its
 * place: after a sync that failed the kernel may hold bytes as clean that never reached the disk,
 * and the next sync would not write them. Bytes that are not what is due are set aside.
 *   ret_done  bytes of it that are there; what is left has to be appended
 * MR_AGAIN: the file failed. */
MR_CHECK mr_status_t mr_sink_file_match (sink_file_t *self, const struct iovec *iov, int count,
                                         size_t *ret_done, mr_error_t *err);

/* Move everything from end on to PATH.torn: it is not what is due. MR_AGAIN: the file failed. */
MR_CHECK mr_status_t mr_sink_file_set_aside (sink_file_t *self, mr_error_t *err);

#endif
