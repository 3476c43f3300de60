/* walk: the members of an object or array inside a record, one after the other, over text that
 * json.h found valid. No state but the position; nothing allocated. Pure. */
#ifndef MR_COMMON_RECORD_WALK_H
#define MR_COMMON_RECORD_WALK_H

#include "common/record/json.h"

typedef struct mr_walk {
    const char *at; /* before the next member, or at the end */
    bool object;
} mr_walk_t;

/* Start on a value of type MR_JSON_OBJECT or MR_JSON_ARRAY. */
void mr_walk_open (mr_walk_t *self, const mr_json_value_t *container);

/* The next member; in an array key is NULL and key_bytes 0. False: there are no more. */
bool mr_walk_next (mr_walk_t *self, mr_json_field_t *ret_member);

#endif
