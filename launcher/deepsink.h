/* deepsink: holds the cursors of all sinks against their spools, and the bytes of file sinks that a
 * cursor covers against what the spool says is due (`millrace audit --deep`). It only reads, beside
 * living exporters too. Not thread safe. */
#ifndef MR_LAUNCHER_DEEPSINK_H
#define MR_LAUNCHER_DEEPSINK_H

#include "common/base/status.h"
#include "common/delivery/cursor.h"
#include "common/delivery/deep.h"
#include "common/runtime/config.h"

#include <stdbool.h>
#include <stdint.h>

enum { MR_DEEPSINK_NAME_BYTES = 128, MR_DEEPSINK_NOTE_BYTES = 160 };

typedef struct mr_deepsink {
    char name[MR_DEEPSINK_NAME_BYTES];
    int slot; /* of the exporter */
    mr_cursor_state_t state;
    bool overtaken;   /* retention did not wait for it */
    uint64_t rows;    /* in the file, compared with what the spool says */
    uint64_t bytes;   /* of them */
    uint64_t journal; /* identity of the oldest batch that was compared; 0: none was */
    uint64_t seq;
    char note[MR_DEEPSINK_NOTE_BYTES]; /* why the comparison ended there; "": nothing is left */
} mr_deepsink_t;

typedef struct mr_deepsink_visitor {
    void (*fault) (void *arg, const mr_deep_fault_t *fault);
    void (*sink) (void *arg, const mr_deepsink_t *sink);
    void *arg;
} mr_deepsink_visitor_t;

/* config: says which sinks are files, and what they take; NULL: only the store of dead letters is
 * compared. MR_OK, whatever was found; MR_CONFIG, MR_SYSTEM. */
MR_CHECK mr_status_t mr_deepsink_read (const char *data_dir, const mr_config_t *config,
                                       const mr_deepsink_visitor_t *visitor, mr_error_t *err);

#endif
