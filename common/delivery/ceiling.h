/* ceiling: which batch numbers of a journal may have been given out, durably. Power loss may take
 * the journal's tail but leave a spool's frame of the same number: a number is therefore never used
 * twice; after another start of the machine the journal goes on above the ceiling (tests/model,
 * `power`). The numbers in between never come: the file also says where the present block begins,
 * so that whoever dies between reserving it and the first append does not fall back into the gap.
 * Byte layout: PROTOCOL.md, "Journal". */
#ifndef MR_COMMON_DELIVERY_CEILING_H
#define MR_COMMON_DELIVERY_CEILING_H

#include "common/base/status.h"

#include <stdint.h>

/* Read DIR/ceiling and raise *next_seq above what may have been given out: after another start of
 * this machine above the ceiling, else to the number that the present block was reserved from (the
 * first of them may not have been appended yet, and numbers below are settled).
 * MR_OK; MR_INVALID: the file is broken (err says what to do); MR_SYSTEM. */
MR_CHECK mr_status_t mr_ceiling_open (const char *dir, uint64_t *next_seq, uint64_t *ret_ceiling,
                                      mr_error_t *err);

/* Reserve `block` (>= 0) numbers behind next_seq, the one that is given out next, durably.
 * ret_ceiling: the last of them. MR_AGAIN: the disk refused; nothing changed. */
MR_CHECK mr_status_t mr_ceiling_raise (const char *dir, uint64_t next_seq, uint64_t block,
                                       uint64_t *ret_ceiling, mr_error_t *err);

/* The journal's end was cut: whoever opens it next goes on above the ceiling, as after another
 * start of the machine. The caller holds the journal's lock. MR_AGAIN: the disk refused;
 * MR_INVALID; MR_SYSTEM. */
MR_CHECK mr_status_t mr_ceiling_distrust (const char *dir, mr_error_t *err);

#endif
