/* tally_sinks: how far the sinks of all exporters are behind their spools, from cursors and spools,
 * whether anything runs or not. Equation of each: rows in the spool since the sink began =
 * delivered + unmatched + rejected + dropped + pending. */
#ifndef MR_COMMON_DELIVERY_TALLY_SINKS_H
#define MR_COMMON_DELIVERY_TALLY_SINKS_H

#include "common/base/status.h"
#include "common/delivery/cursor.h"

#include <stdbool.h>
#include <stdint.h>

enum { MR_TALLY_SINK_NAME_BYTES = 128 };

typedef struct mr_tally_sink {
    char name[MR_TALLY_SINK_NAME_BYTES]; /* of the sink; "" is never used */
    int slot;                            /* of the exporter */
    mr_cursor_state_t state;
    uint64_t pending; /* rows behind the cursor */
    bool rows_due;    /* metrics: batches came behind the last rows; who drains writes some more */
    uint64_t spooled; /* rows ever in the spool since the sink began; records and dead letters */
    bool overtaken;   /* retention did not wait for it: no exporter has it any more */
    bool exact;    /* the spool stood still while it was read, so that the equation was checked */
    bool balanced; /* ... and whether it holds; true when it was not */
} mr_tally_sink_t;

typedef void mr_tally_sink_fn (void *arg, const mr_tally_sink_t *sink);

/* Call fn for each cursor, by slot and name, up to the first that cannot be read.
 * MR_OK; MR_INVALID: that cursor or its spool is broken; MR_SYSTEM. */
MR_CHECK mr_status_t mr_tally_sinks (const char *data_dir, mr_tally_sink_fn *fn, void *arg,
                                     mr_error_t *err);

/* The same of one exporter alone; the others may move as they like. */
MR_CHECK mr_status_t mr_tally_sinks_of (const char *data_dir, int slot, mr_tally_sink_fn *fn,
                                        void *arg, mr_error_t *err);

#endif
