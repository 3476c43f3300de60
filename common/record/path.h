/* path: which field of a record is meant, such as a.b[0] or `user-agent`.value (GRAMMAR.md).
 * Read-only once made; may be shared by threads. */
#ifndef MR_COMMON_RECORD_PATH_H
#define MR_COMMON_RECORD_PATH_H

#include "common/base/status.h"
#include "common/record/json.h"

#include <string.h>

enum {
    MR_PATH_MAX_STEPS = 32,
    MR_PATH_MAX_BYTES = 1024,
};

typedef struct mr_path_step {
    const char *key; /* decoded, NULL: an array index */
    uint32_t bytes;
    uint32_t index; /* from 0 */
} mr_path_step_t;

typedef struct mr_path {
    const char *text; /* as written, terminated, for messages */
    uint32_t count;   /* 1 .. MR_PATH_MAX_STEPS; the first is always a key */
    const mr_path_step_t *steps;
} mr_path_t;

/* Make a path of the whole text (not terminated); white space around it is allowed.
 * MR_CONFIG: it is none; err says the column and what is expected. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_path_new (const char *text, size_t bytes, mr_path_t **ret_path,
                                  mr_error_t *err);
/* The same for the path that text begins with, as far as it goes: ret_used bytes of it. On failure
 * ret_used is where the error is and err says only what is expected. */
MR_CHECK mr_status_t mr_path_read (const char *text, size_t bytes, size_t *ret_used,
                                   mr_path_t **ret_path, mr_error_t *err);
void mr_path_destroy (mr_path_t **path_p);

/* The value that a path names in a record's top-level fields; of duplicate keys the last counts.
 * False: it is not there. */
bool mr_path_find (const mr_path_t *self, const mr_json_field_t *fields, uint32_t count,
                   mr_json_value_t *ret_value);

/* The last field that is called so, NULL when there is none. */
mr_json_field_t *mr_path_field (const mr_path_step_t *step, mr_json_field_t *fields,
                                uint32_t count);

/* The member that one step names inside a container, false when there is none (or the wrong kind of
 * container, or no container at all). */
bool mr_path_member (const mr_path_step_t *step, const mr_json_value_t *container,
                     mr_json_field_t *ret_member);

/* Whether a field has the key that a step names. */
bool mr_path_is_escaped_key (const mr_path_step_t *step, const mr_json_field_t *field);
static inline bool
mr_path_is_key (const mr_path_step_t *step, const mr_json_field_t *field)
{
    if (field->key_escaped) {
        return mr_path_is_escaped_key (step, field);
    }
    /* Looking at one character spares most of the calls. */
    return field->key_bytes == step->bytes &&
           (step->bytes == 0 ||
            (field->key[0] == step->key[0] && memcmp (field->key, step->key, step->bytes) == 0));
}

/* The column, counted in characters from 1, of a byte in a line of text. */
unsigned mr_path_column (const char *text, size_t offset);

#endif
