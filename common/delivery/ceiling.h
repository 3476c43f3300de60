/* ceiling: which batch numbers of a journal may have been given out, durably. Power loss may take
 * the journal's tail but leave a spool's frame of the same number: a number is therefore never used
 * twice; after another start of the machine the journal goes on above the ceiling (DESIGN, rule
 * 15). */
#ifndef MR_COMMON_DELIVERY_CEILING_H
#define MR_COMMON_DELIVERY_CEILING_H

#include "common/base/status.h"

#include <stdint.h>

/* Read DIR/ceiling and, after another start of this machine, raise *next_seq above it.
 * MR_OK; MR_INVALID: the file is broken (err says what to do); MR_SYSTEM. */
MR_CHECK mr_status_t mr_ceiling_open (const char *dir, uint64_t *next_seq, uint64_t *ret_ceiling,
                                      mr_error_t *err);

/* Make a higher ceiling durable. MR_AGAIN: the disk refused; nothing changed. */
MR_CHECK mr_status_t mr_ceiling_raise (const char *dir, uint64_t ceiling, uint64_t *ret_ceiling,
                                       mr_error_t *err);

/* The journal's end was cut: whoever opens it next goes on above the ceiling, as after another
 * start of the machine. The caller holds the journal's lock. MR_AGAIN: the disk refused;
 * MR_INVALID; MR_SYSTEM. */
MR_CHECK mr_status_t mr_ceiling_distrust (const char *dir, mr_error_t *err);

#endif
