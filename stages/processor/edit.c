#include "stages/processor/edit.h"

#include <stdlib.h>
#include <string.h>

/* The key length of a field that was removed: no path's key is as long. */
enum { ROUND_FIELDS = 64, AROUND_FIELD = 4 /* ,"": */ };
#define REMOVED UINT32_MAX

void
mr_edit_init (mr_edit_t *self)
{
    *self = (mr_edit_t){0};
    mr_arena_init (&self->arena);
}

void
mr_edit_release (mr_edit_t *self)
{
    mr_arena_release (&self->arena);
    free (self->before);
    free (self->positions);
    *self = (mr_edit_t){0};
}

static mr_status_t
grow (mr_edit_t *self, uint32_t wanted)
{
    uint32_t capacity = (wanted / ROUND_FIELDS + 1) * ROUND_FIELDS;
    mr_json_field_t *before = realloc (self->before, capacity * sizeof *before);
    if (before == NULL) {
        return MR_SYSTEM;
    }
    self->before = before;
    uint32_t *positions = realloc (self->positions, capacity * sizeof *positions);
    if (positions == NULL) {
        return MR_SYSTEM;
    }
    self->positions = positions;
    self->capacity = capacity;
    return MR_OK;
}

mr_status_t
mr_edit_open (mr_edit_t *self, mr_json_record_t *record, uint32_t spare)
{
    self->record = record;
    self->changed = false;
    return record->field_count + spare > self->capacity ? grow (self, record->field_count + spare)
                                                        : MR_OK;
}

/* Before the first change: remember how it was. */
static void
touch (mr_edit_t *self)
{
    if (self->changed) {
        return;
    }
    self->changed = true;
    self->growth = 0;
    self->before_count = self->record->field_count;
    memcpy (self->before, self->record->fields, self->before_count * sizeof *self->before);
    mr_arena_clear (&self->arena);
}

static mr_json_field_t *
find (const mr_edit_t *self, const mr_target_t *target)
{
    return mr_path_field (&target->path->steps[0], self->record->fields, self->record->field_count);
}

static mr_json_field_t *
add_field (mr_edit_t *self, const mr_text_t *key)
{
    mr_json_field_t *field = &self->record->fields[self->record->field_count++];
    *field = (mr_json_field_t){
        .key = key->data,
        .key_bytes = key->bytes,
        .key_escaped = key->escaped,
        .value = {.text = "null", .bytes = 4, .type = MR_JSON_NULL},
    };
    self->growth += key->bytes + (size_t)AROUND_FIELD;
    return field;
}

mr_status_t
mr_edit_set (mr_edit_t *self, const mr_target_t *target, const mr_json_value_t *value)
{
    touch (self);
    mr_json_field_t *field = find (self, target);
    if (field == NULL) {
        field = add_field (self, &target->keys[0]);
    }
    mr_status_t status = MR_OK;
    if (target->path->count == 1) {
        field->value = *value;
    } else {
        status = mr_nested_set (&self->arena, target, value, &field->value);
    }
    self->growth += field->value.bytes;
    return status;
}

static void
mark_removed (mr_json_field_t *field)
{
    field->key = NULL;
    field->key_bytes = REMOVED;
    field->key_escaped = 0;
}

/* Remove every field of this name. */
static void
remove_fields (mr_edit_t *self, const mr_path_step_t *step)
{
    for (uint32_t i = 0; i < self->record->field_count; i++) {
        mr_json_field_t *field = &self->record->fields[i];
        if (mr_path_is_key (step, field)) {
            touch (self);
            mark_removed (field);
        }
    }
}

mr_status_t
mr_edit_remove (mr_edit_t *self, const mr_target_t *target)
{
    if (target->path->count == 1) {
        remove_fields (self, &target->path->steps[0]);
        return MR_OK;
    }
    mr_json_value_t value;
    if (!mr_path_find (target->path, self->record->fields, self->record->field_count, &value)) {
        return MR_OK;
    }
    touch (self);
    mr_json_field_t *field = find (self, target);
    mr_status_t status = mr_nested_remove (&self->arena, target, &field->value);
    self->growth += field->value.bytes;
    return status;
}

/* Both ends are top-level fields, the first is there: only keys change. */
static void
rename_fields (mr_edit_t *self, const mr_target_t *from, const mr_target_t *to)
{
    touch (self);
    for (uint32_t i = 0; i < self->record->field_count; i++) {
        mr_json_field_t *field = &self->record->fields[i];
        if (mr_path_is_key (&from->path->steps[0], field)) {
            field->key = to->keys[0].data;
            field->key_bytes = to->keys[0].bytes;
            field->key_escaped = to->keys[0].escaped;
            self->growth += field->key_bytes + (size_t)AROUND_FIELD;
        } else if (mr_path_is_key (&to->path->steps[0], field)) {
            mark_removed (field);
        }
    }
}

mr_status_t
mr_edit_rename (mr_edit_t *self, const mr_target_t *from, const mr_target_t *to)
{
    if (find (self, from) == NULL) {
        return MR_OK;
    }
    if (from->path->count == 1 && to->path->count == 1) {
        rename_fields (self, from, to);
        return MR_OK;
    }
    mr_json_value_t value;
    if (!mr_path_find (from->path, self->record->fields, self->record->field_count, &value)) {
        return MR_OK;
    }
    mr_status_t status = mr_edit_remove (self, from);
    status = status == MR_OK ? mr_edit_remove (self, to) : status;
    return status == MR_OK ? mr_edit_set (self, to, &value) : status;
}

size_t
mr_edit_room (const mr_edit_t *self)
{
    return self->record->bytes + self->growth + 2;
}

/* Text on its way out: [run, run_end) of the record is due but not written yet, so that neighbours
 * are copied together. */
typedef struct {
    char *out;
    const char *run;
    const char *run_end;
    bool joined; /* the next field of the record follows run_end, with its comma */
    bool any;    /* a field was written */
} writer_t;

static void
put (writer_t *self, const char *text, size_t bytes)
{
    memcpy (self->out, text, bytes);
    self->out += bytes;
}

static void
put_run (writer_t *self, const char *until)
{
    put (self, self->run, (size_t)(until - self->run));
    self->run = until;
    self->run_end = until;
}

static void
put_key (writer_t *self, const mr_json_field_t *field)
{
    *self->out++ = '"';
    put (self, field->key, field->key_bytes);
    *self->out++ = '"';
}

/* A field that the record has had from the start, and that is still there. Returns where its value
 * is going to stand. */
static const char *
write_kept (writer_t *self, const mr_json_field_t *before, const mr_json_field_t *now)
{
    if (!self->joined) {
        put_run (self, self->run_end);
        if (self->any) {
            *self->out++ = ',';
        }
        self->run = before->key - 1;
    }
    self->joined = true;
    if (now->key != before->key) {
        put_run (self, before->key - 1);
        put_key (self, now);
        self->run = before->key + before->key_bytes + 1;
    }
    const char *value = self->out + (before->value.text - self->run);
    if (now->value.text != before->value.text) {
        put_run (self, before->value.text);
        put (self, now->value.text, now->value.bytes);
        self->run = before->value.text + before->value.bytes;
    }
    self->run_end = before->value.text + before->value.bytes;
    return value;
}

static const char *
write_added (writer_t *self, const mr_json_field_t *now)
{
    put_run (self, self->run_end);
    self->joined = false;
    if (self->any) {
        *self->out++ = ',';
    }
    put_key (self, now);
    *self->out++ = ':';
    const char *value = self->out;
    put (self, now->value.text, now->value.bytes);
    return value;
}

char *
mr_edit_write (mr_edit_t *self, char *out)
{
    const char *start = self->record->text + self->record->start;
    writer_t writer = {.run = start, .run_end = start + 1, .joined = true};
    writer.out = out;
    for (uint32_t i = 0; i < self->record->field_count; i++) {
        const mr_json_field_t *now = &self->record->fields[i];
        if (now->key_bytes == REMOVED) {
            writer.joined = writer.joined && i >= self->before_count;
            continue;
        }
        const char *value = i < self->before_count ? write_kept (&writer, &self->before[i], now)
                                                   : write_added (&writer, now);
        self->positions[i] = (uint32_t)(value - out);
        writer.any = true;
    }
    put_run (&writer, writer.run_end);
    *writer.out++ = '}';
    return writer.out;
}
