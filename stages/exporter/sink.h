/* sink: a place where rows go. Each sink is used by one thread, which reads the spool and commits a
 * cursor behind what the sink has (pump.h). After a failure it is closed and opened again at the
 * committed place, so a sink needs to know only how to go on from there. */
#ifndef MR_STAGES_EXPORTER_SINK_H
#define MR_STAGES_EXPORTER_SINK_H

#include "common/base/status.h"
#include "common/delivery/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { MR_SINK_IOV_MAX = 64 };

typedef struct mr_sink {
    /* Open where the cursor says, or anew. Done already: nothing happens.
     *   same_boot  false: what was written before the cursor's commit may be gone
     * MR_AGAIN: it cannot be opened now, err says why. */
    mr_status_t (*open) (void *self, const mr_cursor_state_t *committed, bool same_boot,
                         mr_error_t *err);
    /* Take rows, each with its newline: those due behind what was committed, at most
     * MR_SINK_IOV_MAX pieces. MR_OK: all are there;
     * MR_AGAIN: some may be, err says why. */
    mr_status_t (*write) (void *self, const struct iovec *iov, int count, mr_error_t *err);
    /* Nothing is due now: what stands in the sink behind that is not ours. May be NULL. */
    mr_status_t (*settle) (void *self, mr_error_t *err);
    /* Make what was taken survive power loss. May be NULL. */
    mr_status_t (*sync) (void *self, mr_error_t *err);
    /* Enter where the sink stands into what is to be committed. May be NULL. */
    void (*place) (const void *self, mr_cursor_state_t *state);
    /* Whether it must be closed and opened again to be where it should be. May be NULL. */
    bool (*moved) (void *self);
    /* Whether somebody took away what was written, since last asked; err says what. The sink goes
     * on. May be NULL. */
    bool (*harmed) (void *self, mr_error_t *err);
    /* Called by another thread: give up waiting; what is written may fail. May be NULL. */
    void (*interrupt) (void *self);
    /* Called by another thread: what the sink waits for shall be dropped; fail once. May be NULL.
     */
    void (*skip) (void *self);
    void (*close) (void *self);
    void (*destroy) (void *self);
    void *self;
} mr_sink_t;

/* Append to a file, made with mode 0640 where missing, parents too. Exactly once: what stands in
 * the file beyond the committed length is compared with what is due; where they differ the file's
 * end is moved to PATH.torn. A file that was moved away is finished, found by its inode in the same
 * directory, and a new one begun at the path. The path is copied. MR_SYSTEM: no memory. */
MR_CHECK mr_status_t mr_sink_file_new (const char *path, mr_sink_t *ret_sink, mr_error_t *err);

/* Standard output, at least once: what was written but not committed comes again. A line that was
 * begun is finished first, so that each line is whole.
 * MR_SYSTEM: no memory. */
MR_CHECK mr_status_t mr_sink_stdout_new (mr_sink_t *ret_sink, mr_error_t *err);

/* Nowhere: for who only counts. */
mr_sink_t mr_sink_none (void);

/* Try whether the file at path can be written; where there is none, whether one could be made in
 * its directory. Nothing of the trial stays.
 *   dry  neither do directories that had to be made for it
 * MR_CONFIG: err says why not. */
MR_CHECK mr_status_t mr_sink_path_check (const char *path, bool dry, mr_error_t *err);

#endif
