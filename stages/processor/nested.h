/* nested: change what is inside a field's value by writing a new text of it, everything that is not
 * meant copied as it stands. New texts are taken from the arena. */
#ifndef MR_STAGES_PROCESSOR_NESTED_H
#define MR_STAGES_PROCESSOR_NESTED_H

#include "common/base/status.h"
#include "common/record/path.h"
#include "common/record/text.h"
#include "stages/processor/arena.h"

/* A path together with its keys as they are written in JSON. Read-only once made. */
typedef struct mr_target {
    mr_path_t *path;
    mr_text_t *keys; /* of each step; empty for an index */
    char *storage;
} mr_target_t;

/* Takes the path over, on failure too. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_target_init (mr_target_t *self, mr_path_t **path_p);
void mr_target_release (mr_target_t *self);

/* Set what the target's steps from the second on name inside `value`, the value of its first:
 * objects that are not there are made, a null gives way to one. MR_INVALID: the way leads through a
 * value that is no object, or to an index that an array does not have. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_nested_set (mr_arena_t *arena, const mr_target_t *target,
                                    const mr_json_value_t *inserted, mr_json_value_t *value);

/* Remove it, each of duplicate keys; MR_OK too when it is not there, and `value` is as it was. */
MR_CHECK mr_status_t mr_nested_remove (mr_arena_t *arena, const mr_target_t *target,
                                       mr_json_value_t *value);

#endif
