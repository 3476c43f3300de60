/* step: one line of the processor's configuration, compiled. Read-only once made. Private to the
 * processor. */
#ifndef MR_STAGES_PROCESSOR_STEP_H
#define MR_STAGES_PROCESSOR_STEP_H

#include "common/record/expr.h"
#include "stages/processor/nested.h"

typedef enum {
    MR_STEP_KEEP,
    MR_STEP_DROP,
    MR_STEP_SET,
    MR_STEP_RENAME,
    MR_STEP_REMOVE,
    MR_STEP_CRASH,
    MR_STEP_HANG,
} mr_step_kind_t;

typedef struct mr_step {
    mr_step_kind_t kind;
    char *rule;           /* "drop = level == \"debug\"" */
    mr_expr_t *expr;      /* KEEP, DROP, CRASH, HANG */
    mr_target_t *targets; /* SET 1, RENAME 2, REMOVE 1 or more */
    uint32_t target_count;
    char *text;            /* SET: the value's storage */
    mr_json_value_t value; /* SET */
} mr_step_t;

/* As mr_steps_add. On failure there is nothing to release. */
MR_CHECK mr_status_t mr_step_init (mr_step_t *self, const char *key, const char *value,
                                   mr_error_t *err);
void mr_step_release (mr_step_t *self);

#endif
