/* tally: what became of the records of one journal, from what lies on the disk: journal, window and
 * spools. It is read while everything moves, and needs nobody's help: for the audit (one look,
 * exact at a watermark) and for running totals (a follower).
 *
 * Why it proves something (tests/model/audit.pml): received comes from the journal alone, what was
 * exported, filtered and dead from the spools alone, and both are taken up to the same watermark. A
 * batch that is lost, or is in two spools, breaks the equation. Order of reading: the starts of the
 * spools' segments, then the watermark, then the frames; anything else gives false alarms. */
#ifndef MR_COMMON_DELIVERY_TALLY_H
#define MR_COMMON_DELIVERY_TALLY_H

#include "common/base/status.h"
#include "common/delivery/spool.h"

#include <stdbool.h>
#include <stdint.h>

/* One journal, at one watermark. Records, unless said otherwise. */
typedef struct mr_tally {
    uint64_t journal;
    uint64_t watermark;  /* seq up to which everything is settled */
    uint64_t top;        /* the last seq in the journal */
    uint64_t received;   /* through top */
    uint64_t settled_in; /* received through the watermark: the journal's word */
    uint64_t exported;   /* through the watermark: the spools' word, this and the next three */
    uint64_t filtered;
    uint64_t dead;
    uint64_t batches;
    uint64_t lost;     /* through the watermark: given up by ingest, as its journal notes */
    uint64_t ahead;    /* above the watermark, but in a spool or given up: a batch before waits */
    uint64_t unknown;  /* 0, or: batches up to this one are under way, and end behind the journal's
                          last one: its end was taken away */
    uint64_t gone;     /* batches that damage took from the journal, nobody knows with how many
                          records, so that the equation cannot be known to hold */
    uint64_t replayed; /* batches pushed again, since the window was made */
    uint64_t refused;  /* stale copies that exporters refused, since then */
} mr_tally_t;

/* Look at the journal of ingest worker `slot` and at all spools of the data directory, whether
 * anything runs or not.
 * MR_OK; MR_CLOSED: it has no journal; MR_AGAIN: it moves too fast to be caught, try again;
 * MR_INVALID: also when nothing moves, and segments that would tell are gone; MR_SYSTEM. */
MR_CHECK mr_status_t mr_tally_read (const char *data_dir, int slot, mr_tally_t *ret_tally,
                                    mr_error_t *err);

/* Whether the equation holds: settled_in = exported + filtered + dead + lost; and the journal knows
 * all batches that are under way, and how many records those had that it lost. */
bool mr_tally_balanced (const mr_tally_t *self);

/* ---- running totals ---- */

typedef struct mr_tally_follower mr_tally_follower_t;

/* Follow the sums of one journal over all spools of the data directory. */
MR_CHECK mr_status_t mr_tally_follow (const char *data_dir, uint64_t journal,
                                      mr_tally_follower_t **ret_follower);
void mr_tally_follower_destroy (mr_tally_follower_t **self_p);

/* Read what was appended since the last time. The sum of all spools; max_seq and journal are set.
 * A spool that cannot be read now counts as it was. */
mr_spool_sum_t mr_tally_follower_read (mr_tally_follower_t *self);

#endif
