/* expr: the expression language of GRAMMAR.md, compiled once, evaluated without allocating.
 * Read-only once made; may be shared by threads. */
#ifndef MR_COMMON_RECORD_EXPR_H
#define MR_COMMON_RECORD_EXPR_H

#include "common/base/status.h"
#include "common/record/json.h"

enum {
    MR_EXPR_MAX_BYTES = 8192,
    MR_EXPR_MAX_DEPTH = 64, /* of parentheses and nots */
};

typedef struct mr_expr mr_expr_t;

/* Compile a whole text (terminated).
 * MR_CONFIG: err says "column N: what is expected, what is there". MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_expr_new (const char *text, mr_expr_t **ret_expr, mr_error_t *err);
void mr_expr_destroy (mr_expr_t **expr_p);

/* Whether it is true of a record, given its top-level fields. */
bool mr_expr_eval (const mr_expr_t *self, const mr_json_field_t *fields, uint32_t count);

/* As written. */
const char *mr_expr_text (const mr_expr_t *self);

#endif
