#include "stages/processor/nested.h"

#include "common/base/utf8.h"
#include "common/record/chars.h"
#include "common/record/walk.h"

#include <stdlib.h>
#include <string.h>

mr_status_t
mr_target_init (mr_target_t *self, mr_path_t **path_p)
{
    mr_path_t *path = *path_p;
    MR_ASSERT (path->count > 0);
    *path_p = NULL;
    size_t room = 1;
    for (uint32_t i = 0; i < path->count; i++) {
        room += MR_JSON_ESCAPE_BYTES (path->steps[i].bytes);
    }
    *self = (mr_target_t){
        .path = path,
        .keys = calloc (path->count, sizeof (mr_text_t)),
        .storage = malloc (room),
    };
    if (self->keys == NULL || self->storage == NULL) {
        mr_target_release (self);
        return MR_SYSTEM;
    }
    char *at = self->storage;
    for (uint32_t i = 0; i < path->count; i++) {
        size_t bytes = mr_json_escape (path->steps[i].key, path->steps[i].bytes, at);
        self->keys[i] = (mr_text_t){at, (uint32_t)bytes, memchr (at, '\\', bytes) != NULL};
        at += bytes;
    }
    return MR_OK;
}

void
mr_target_release (mr_target_t *self)
{
    mr_path_destroy (&self->path);
    free (self->keys);
    free (self->storage);
    *self = (mr_target_t){0};
}

/* What mr_nested_set was asked to add. */
typedef struct {
    mr_arena_t *arena;
    const mr_target_t *target;
    const mr_json_value_t *inserted;
} adding_t;

/* A text with the bytes [start, start + removed) replaced. */
static mr_status_t
splice (mr_arena_t *arena, mr_json_value_t *value, mr_text_t removed, mr_text_t inserted)
{
    size_t head = (size_t)(removed.data - value->text);
    size_t bytes = value->bytes - removed.bytes + (size_t)inserted.bytes;
    if (bytes > UINT32_MAX / 2) {
        return MR_SYSTEM;
    }
    char *text = mr_arena_take (arena, bytes);
    if (text == NULL) {
        return MR_SYSTEM;
    }
    memcpy (text, value->text, head);
    memcpy (text + head, inserted.data, inserted.bytes);
    memcpy (text + head + inserted.bytes, removed.data + removed.bytes,
            value->bytes - head - removed.bytes);
    value->text = text;
    value->bytes = (uint32_t)bytes;
    return MR_OK;
}

/* Members from step `first` on, each inside the one before, "b":{"c":VALUE}, with what `around`
 * asks for: ',' before it, '{' and '}' around it, or nothing. */
static mr_status_t
build_members (const adding_t *adding, uint32_t first, char around, mr_text_t *ret_text)
{
    const mr_target_t *target = adding->target;
    const mr_json_value_t *inserted = adding->inserted;
    size_t room = inserted->bytes + (size_t)2;
    for (uint32_t i = first; i < target->path->count; i++) {
        if (target->path->steps[i].key == NULL) {
            return MR_INVALID;
        }
        room += target->keys[i].bytes + (size_t)5;
    }
    char *text = mr_arena_take (adding->arena, room);
    if (text == NULL) {
        return MR_SYSTEM;
    }
    char *at = text;
    if (around != '\0') {
        *at++ = around;
    }
    for (uint32_t i = first; i < target->path->count; i++) {
        if (i > first) {
            *at++ = '{';
        }
        *at++ = '"';
        memcpy (at, target->keys[i].data, target->keys[i].bytes);
        at += target->keys[i].bytes;
        *at++ = '"';
        *at++ = ':';
    }
    memcpy (at, inserted->text, inserted->bytes);
    at += inserted->bytes;
    uint32_t braces = target->path->count - first - (around == '{' ? 0 : 1);
    memset (at, '}', braces);
    *ret_text = (mr_text_t){text, (uint32_t)(at + braces - text), false};
    return MR_OK;
}

/* Step `missing` does not exist in `container`, a part of value: add it. */
static mr_status_t
add_member (const adding_t *adding, uint32_t missing, const mr_json_value_t *container,
            mr_json_value_t *value)
{
    char around = '{';
    mr_text_t removed = {container->text, container->bytes, false};
    if (container->type == MR_JSON_OBJECT) {
        mr_walk_t walk;
        mr_json_field_t member;
        mr_walk_open (&walk, container);
        around = mr_walk_next (&walk, &member) ? ',' : '\0';
        removed = (mr_text_t){container->text + container->bytes - 1, 0, false};
    } else if (container->type != MR_JSON_NULL) {
        return MR_INVALID;
    }
    mr_text_t text;
    mr_status_t status = build_members (adding, missing, around, &text);
    if (status != MR_OK) {
        return status;
    }
    if (removed.data == value->text) {
        value->type = MR_JSON_OBJECT;
    }
    return splice (adding->arena, value, removed, text);
}

mr_status_t
mr_nested_set (mr_arena_t *arena, const mr_target_t *target, const mr_json_value_t *inserted,
               mr_json_value_t *value)
{
    mr_json_value_t at = *value;
    for (uint32_t i = 1; i < target->path->count; i++) {
        mr_json_field_t member;
        if (!mr_path_member (&target->path->steps[i], &at, &member)) {
            adding_t adding = {arena, target, inserted};
            return add_member (&adding, i, &at, value);
        }
        at = member.value;
    }
    return splice (arena, value, (mr_text_t){at.text, at.bytes, false},
                   (mr_text_t){inserted->text, inserted->bytes, false});
}

/* A member with the comma that goes with it. */
static mr_text_t
member_span (const mr_json_field_t *member)
{
    const char *start = member->key != NULL ? member->key - 1 : member->value.text;
    const char *end = member->value.text + member->value.bytes;
    const char *after = end;
    while (mr_is_space (*after)) {
        after++;
    }
    if (*after == ',') {
        end = after + 1;
        while (mr_is_space (*end)) {
            end++;
        }
    } else {
        const char *before = start - 1;
        while (mr_is_space (*before)) {
            before--;
        }
        start = *before == ',' ? before : start;
    }
    return (mr_text_t){start, (uint32_t)(end - start), false};
}

mr_status_t
mr_nested_remove (mr_arena_t *arena, const mr_target_t *target, mr_json_value_t *value)
{
    MR_ASSERT (target->path->count > 1);
    mr_status_t status = MR_OK;
    bool again = true; /* duplicate keys; an index names one member only */
    while (status == MR_OK && again) {
        mr_json_value_t at = *value;
        mr_json_field_t member = {0};
        for (uint32_t i = 1; i < target->path->count; i++) {
            if (!mr_path_member (&target->path->steps[i], &at, &member)) {
                return MR_OK;
            }
            at = member.value;
        }
        status = splice (arena, value, member_span (&member), (mr_text_t){"", 0, false});
        again = member.key != NULL;
    }
    return status;
}
