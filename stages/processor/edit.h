/* edit: one record while its steps change it. Fields are renamed, replaced, removed and added as
 * pointers; the text is written once, at the end, by copying runs of what nobody changed: order of
 * keys, spelling of numbers, escapes and white space survive byte for byte.
 *
 * Duplicate keys: set replaces the value of the last one (which is the one that is read); rename
 * and remove act on all of them. Embedded (init/release). Not thread safe. */
#ifndef MR_STAGES_PROCESSOR_EDIT_H
#define MR_STAGES_PROCESSOR_EDIT_H

#include "common/base/status.h"
#include "common/record/json.h"
#include "stages/processor/arena.h"
#include "stages/processor/nested.h"

typedef struct mr_edit {
    mr_json_record_t *record; /* borrowed; its fields are the present ones */
    bool changed;             /* since open */
    mr_json_field_t *before;  /* the fields as they were read, once changed */
    uint32_t before_count;
    uint32_t capacity;   /* of before and positions */
    uint32_t *positions; /* of each field's value in what mr_edit_write wrote */
    size_t growth;       /* the most bytes that were added */
    mr_arena_t arena;
} mr_edit_t;

void mr_edit_init (mr_edit_t *self);
void mr_edit_release (mr_edit_t *self);

/* Start on a record whose fields have room for `spare` more; each set and each rename adds one at
 * most. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_edit_open (mr_edit_t *self, mr_json_record_t *record, uint32_t spare);

/* As nested.h for what lies below the first step. A field that was not there is added at the end.
 *   value  must stay as it is until the record was written
 * MR_INVALID: the way is blocked, see mr_nested_set. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_edit_set (mr_edit_t *self, const mr_target_t *target,
                                  const mr_json_value_t *value);
MR_CHECK mr_status_t mr_edit_remove (mr_edit_t *self, const mr_target_t *target);

/* Nothing happens when `from` is not there; else what `to` named is removed first. A top-level
 * field that stays one keeps its place, anything else moves to the end of its new object. */
MR_CHECK mr_status_t mr_edit_rename (mr_edit_t *self, const mr_target_t *from,
                                     const mr_target_t *to);

/* The most bytes that mr_edit_write writes. */
size_t mr_edit_room (const mr_edit_t *self);

/* Write the changed record, from '{' to '}', and set positions; returns one beyond its end. */
char *mr_edit_write (mr_edit_t *self, char *out);

#endif
