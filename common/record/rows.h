/* rows: what a sink is given of a batch: its records as they are, those that match, with or without
 * an envelope; or its dead letters. Not thread safe. */
#ifndef MR_COMMON_RECORD_ROWS_H
#define MR_COMMON_RECORD_ROWS_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "common/record/expr.h"
#include "common/record/json.h"
#include "common/wire/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum mr_rows_input {
    MR_ROWS_RECORDS,
    MR_ROWS_METRICS, /* not made from single batches: see totals */
    MR_ROWS_DEAD,
} mr_rows_input_t;

typedef struct mr_rows {
    mr_rows_input_t input;
    mr_expr_t *match;   /* owned; NULL: all */
    mr_expr_t **others; /* owned: what one of these takes is not taken here */
    size_t other_count;
    bool envelope;   /* add _id and _ingested */
    mr_json_t *json; /* owned; NULL while neither is needed */
    mr_buffer_t out;
} mr_rows_t;

/* match_text NULL: all rows. MR_CONFIG: err says where the expression is wrong; MR_SYSTEM: out of
 * memory. */
MR_CHECK mr_status_t mr_rows_init (mr_rows_t *self, mr_rows_input_t input, const char *match_text,
                                   bool envelope, mr_error_t *err);
void mr_rows_release (mr_rows_t *self);

/* Records only: leave out those for which this is true. May be called often. As mr_rows_init; self
 * is to be released on failure, too. */
MR_CHECK mr_status_t mr_rows_except (mr_rows_t *self, const char *match_text, mr_error_t *err);

/* The lines for this sink; they live until the next call, or as long as the batch.
 *   ret_count  rows in them
 * MR_OK; MR_INVALID: a section of the batch is broken; MR_SYSTEM: no memory. */
MR_CHECK mr_status_t mr_rows_make (mr_rows_t *self, const mr_batch_t *batch, const char **ret_lines,
                                   size_t *ret_bytes, uint32_t *ret_count);

/* Of lines that were made elsewhere (metric rows), each with its newline, those that match. As
 * mr_rows_make; MR_INVALID: too many of them. */
MR_CHECK mr_status_t mr_rows_select (mr_rows_t *self, const mr_buffer_t *lines,
                                     const char **ret_lines, size_t *ret_bytes,
                                     uint32_t *ret_count);

#endif
