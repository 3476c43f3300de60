/* tally_spool: one spool, as the tally reads it: the sums at the start of its newest segment, and
 * the frames from there on. Included by tally*.c only. */
#ifndef MR_COMMON_DELIVERY_TALLY_SPOOL_H
#define MR_COMMON_DELIVERY_TALLY_SPOOL_H

#include "common/base/seglog_reader.h"
#include "common/delivery/spool.h"

#include <stdint.h>

typedef struct mr_tally_spool {
    mr_spool_sum_t start; /* of this journal, before the newest segment when it was opened */
    mr_seglog_reader_t *reader;
} mr_tally_spool_t;

/* journal 0: all of them together.
 *   oldest  begin with the oldest segment, not the newest: slower, and exact whatever the watermark
 * MR_OK; MR_CLOSED: there is no such spool; MR_AGAIN: its segments
 * change under the reading; MR_SYSTEM. */
typedef struct mr_tally_which {
    int slot;
    uint64_t journal;
    bool oldest;
} mr_tally_which_t;
MR_CHECK mr_status_t mr_tally_spool_open (const char *data_dir, const mr_tally_which_t *which,
                                          mr_tally_spool_t *ret_spool, mr_error_t *err);
void mr_tally_spool_close (mr_tally_spool_t *self);

/* Add frames of the journal up to seq `through` to sum, to the end of the spool. MR_AGAIN: the
 * spool's segments went away under the reading. */
MR_CHECK mr_status_t mr_tally_spool_add (mr_tally_spool_t *self, uint64_t through,
                                         mr_spool_sum_t *sum, mr_error_t *err);

#endif
