/* logcheck: what is broken in a journal or a spool (`millrace log check`), and what a cut would
 * take
 * (`log cut`). It only reads. Not thread safe. */
#ifndef MR_LAUNCHER_LOGCHECK_H
#define MR_LAUNCHER_LOGCHECK_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Read every byte and verify it: checksums, batches, and that the numbers of frames agree with
 * their batches and with each other. Prints a row for each fault and one for the log.
 *   ret_faults  how many there are
 * MR_CLOSED: there is no log; MR_CONFIG; MR_SYSTEM. */
MR_CHECK mr_status_t mr_logcheck (const char *dir, bool as_json, uint64_t *ret_faults,
                                  mr_error_t *err);

/* What stands behind a position. */
typedef struct mr_logcheck_rest {
    uint16_t kind;
    uint64_t position; /* of the first frame, segment or end at or behind it */
    uint64_t batches;
    uint64_t records;  /* received in a journal; exported, filtered and dead in a spool */
    uint64_t others;   /* frames that are no batches */
    uint64_t bytes;    /* of the log, to its end */
    uint64_t journal;  /* id of the log, if it is a journal */
    uint64_t last_seq; /* of the batches */
} mr_logcheck_rest_t;

/* MR_OK; MR_INVALID: neither a frame nor a segment begins there, nor does the log end there; else
 * as mr_logcheck. */
MR_CHECK mr_status_t mr_logcheck_behind (const char *dir, uint64_t position,
                                         mr_logcheck_rest_t *ret_rest, mr_error_t *err);

#endif
