/* sink: a place where rows go. A sink takes whole lines and says whether they are there; what it
 * cannot take now is offered again by its caller, so nothing is lost and nothing torn. */
#ifndef MR_STAGES_EXPORTER_SINK_H
#define MR_STAGES_EXPORTER_SINK_H

#include "common/base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct mr_sink {
    /* Take lines, each with its newline. All of them (MR_OK) or none (MR_AGAIN, err says why). */
    mr_status_t (*write) (void *self, const char *lines, size_t bytes, mr_error_t *err);
    /* Open again what is written to: on SIGHUP. May be NULL. */
    void (*reopen) (void *self);
    /* About once a second. May be NULL. */
    void (*tick) (void *self);
    void (*destroy) (void *self);
    void *self;
} mr_sink_t;

/* Append to a file, made with mode 0640 where missing, parents too. The path is copied. A file that
 * was moved away is left alone and a new one begun at the path.
 * MR_CONFIG: it cannot be opened (err names it). */
MR_CHECK mr_status_t mr_sink_file_new (const char *path, mr_sink_t *ret_sink, mr_error_t *err);

/* Standard output, which must be open. */
MR_CHECK mr_status_t mr_sink_stdout_new (mr_sink_t *ret_sink, mr_error_t *err);

/* The path that exporter `slot` writes: `path` itself for 0, else with ".<slot>" before the
 * extension. ret_path: PATH_MAX bytes. MR_CONFIG: too long. */
MR_CHECK mr_status_t mr_sink_path (const char *path, int slot, char *ret_path, mr_error_t *err);

/* Whether a file at path could be written or made, without doing so. MR_CONFIG: err says why not.
 */
MR_CHECK mr_status_t mr_sink_path_check (const char *path, mr_error_t *err);

#endif
