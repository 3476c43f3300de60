/* tally_spool: one spool, as the tally reads it: the sums at the start of a segment, and the frames
 * from there on. Included by tally*.c only. */
#ifndef MR_COMMON_DELIVERY_TALLY_SPOOL_H
#define MR_COMMON_DELIVERY_TALLY_SPOOL_H

#include "common/base/seglog_reader.h"
#include "common/delivery/spool.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where reading may begin. */
typedef struct mr_tally_start {
    uint64_t position;  /* of a segment's first frame */
    mr_spool_sum_t sum; /* of the journal, before that */
} mr_tally_start_t;

typedef struct mr_tally_spool {
    mr_spool_sum_t start; /* of this journal, before the frames that the reader gives */
    mr_seglog_reader_t *reader;
    char dir[PATH_MAX];
    mr_tally_start_t *starts; /* of all segments, the oldest first; `every` only */
    size_t start_count;
    mr_spool_sum_t above; /* what mr_tally_spool_add left out since the beginning */
} mr_tally_spool_t;

/* journal 0: all of them together.
 *   every  note where each segment starts, for mr_tally_spool_begin; else the newest one is taken
 * MR_OK, to be closed; MR_CLOSED: there is no such spool; MR_AGAIN: its segments change under the
 * reading; MR_SYSTEM. */
typedef struct mr_tally_which {
    int slot;
    uint64_t journal;
    bool every;
} mr_tally_which_t;
MR_CHECK mr_status_t mr_tally_spool_open (const char *data_dir, const mr_tally_which_t *which,
                                          mr_tally_spool_t *ret_spool, mr_error_t *err);
void mr_tally_spool_close (mr_tally_spool_t *self);

/* Begin at a segment with nothing above `through` before it: the newest one of all, or of those
 * there are. MR_OK; MR_AGAIN: there is none; MR_SYSTEM. */
MR_CHECK mr_status_t mr_tally_spool_begin (mr_tally_spool_t *self, uint64_t through,
                                           mr_error_t *err);

/* Add frames of the journal up to seq `through` to sum, to the end of the spool. MR_AGAIN: the
 * spool's segments went away under the reading. */
MR_CHECK mr_status_t mr_tally_spool_add (mr_tally_spool_t *self, uint64_t through,
                                         mr_spool_sum_t *sum, mr_error_t *err);

/* The sums of every journal that the spool holds or held something of, to its end.
 *   ret_sums  MR_SPOOL_SUMS_MAX of them; more are left out
 * Returns as mr_tally_spool_open. */
MR_CHECK mr_status_t mr_tally_spool_sums (const char *data_dir, int slot, mr_spool_sum_t *ret_sums,
                                          uint32_t *ret_count, mr_error_t *err);

#endif
