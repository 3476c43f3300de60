/* leftover: what a worker of a slot would leave behind if it went for good now: batches in a
 * journal that are not through, rows in a spool that a sink has not written, last rows of metrics
 * that were not made. Read from the files,
 * whether it runs or not. Only the first and the last stage keep such files. */
#ifndef MR_LAUNCHER_LEFTOVER_H
#define MR_LAUNCHER_LEFTOVER_H

#include "launcher/plan.h"

#include <stdbool.h>

enum { MR_LEFTOVER_BYTES = 400 };

/* Whether workers of this stage may leave something. */
bool mr_leftover_may (const char *stage);

/* True: something is left, or it cannot be told; ret_text says what, as the end of a sentence:
 * "12 records of its journal are on their way". */
bool mr_leftover (const mr_plan_t *plan, const char *stage, int slot,
                  char ret_text[MR_LEFTOVER_BYTES]);

#endif
