#include "stages/processor/collect.h"

#include <stdlib.h>
#include <string.h>

enum { TYPE_BITS = 3 };

void
mr_collect_init (mr_collect_t *self)
{
    *self = (mr_collect_t){0};
    mr_buffer_init (&self->out, SIZE_MAX / 2);
}

static void
free_arrays (mr_collect_t *self)
{
    free (self->offsets);
    free (self->origins);
    free (self->places);
    free (self->dead);
}

void
mr_collect_release (mr_collect_t *self)
{
    for (uint32_t i = 0; i < self->watched_count; i++) {
        mr_path_destroy (&self->watched[i]);
    }
    mr_buffer_release (&self->out);
    free_arrays (self);
    *self = (mr_collect_t){0};
}

/* What is set aside for the row of record `index`, and for those of all behind it. */
static size_t
row_room (const mr_collect_t *self, uint32_t index)
{
    const uint32_t *offsets = self->input->offsets;
    return MR_STEPS_ROW_BYTES + (self->whole_rows ? offsets[index + 1] - offsets[index] : 0);
}

static size_t
rows_room (const mr_collect_t *self, uint32_t index)
{
    const mr_records_t *input = self->input;
    size_t bytes = self->whole_rows ? input->offsets[input->count] - input->offsets[index + 1] : 0;
    return bytes + (size_t)MR_STEPS_ROW_BYTES * (input->count - 1 - index);
}

mr_status_t
mr_collect_open (mr_collect_t *self, const mr_steps_input_t *input)
{
    uint32_t count = input->records->count;
    self->input = input->records;
    self->room = input->room > 0 ? input->room : SIZE_MAX;
    self->dead_bytes = 0;
    self->whole_rows = (size_t)MR_STEPS_ROW_BYTES * count +
                           (input->records->offsets[count] - input->records->offsets[0]) <=
                       self->room;
    mr_buffer_clear (&self->out);
    self->run = NULL;
    self->run_end = NULL;
    self->out_bytes = 0;
    self->count = 0;
    self->dead_count = 0;
    if (count <= self->capacity && self->capacity > 0) {
        return MR_OK;
    }
    size_t places = (size_t)2 * count * self->watched_count;
    free_arrays (self);
    self->offsets = malloc (((size_t)count + 1) * sizeof *self->offsets);
    self->origins = malloc (((size_t)count + 1) * sizeof *self->origins);
    self->places = malloc ((places + 1) * sizeof *self->places);
    self->dead = malloc (((size_t)count + 1) * sizeof *self->dead);
    if (self->offsets == NULL || self->origins == NULL || self->places == NULL ||
        self->dead == NULL) {
        self->capacity = 0;
        return MR_SYSTEM;
    }
    self->capacity = count;
    return MR_OK;
}

void
mr_collect_bury (mr_collect_t *self, uint32_t index, const mr_steps_dead_t *dead)
{
    self->dead_bytes += row_room (self, index);
    self->dead[self->dead_count] = *dead;
    self->dead[self->dead_count++].index = index;
}

void
mr_collect_skip (mr_collect_t *self, uint32_t index)
{
    self->dead_bytes += row_room (self, index);
}

static mr_status_t
flush_run (mr_collect_t *self)
{
    size_t bytes = (size_t)(self->run_end - self->run);
    const char *run = self->run;
    self->run = NULL;
    self->run_end = NULL;
    return bytes == 0 ? MR_OK : mr_buffer_append (&self->out, run, bytes);
}

/* Where each watched field stands in the record that is about to be counted. */
static void
note_places (mr_collect_t *self, const mr_edit_t *edit)
{
    const mr_json_record_t *record = edit->record;
    uint32_t *place = self->places + (size_t)2 * self->watched_count * self->count;
    for (uint32_t i = 0; i < self->watched_count; i++, place += 2) {
        const mr_path_t *path = self->watched[i];
        const mr_json_field_t *field =
            mr_path_field (&path->steps[0], record->fields, record->field_count);
        mr_json_value_t value;
        place[0] = 0;
        place[1] = MR_STEPS_ABSENT;
        if (field == NULL) {
            continue;
        }
        value = field->value;
        if (path->count > 1 && !mr_path_find (path, record->fields, record->field_count, &value)) {
            continue;
        }
        uint32_t base = edit->changed
                            ? edit->positions[field - record->fields]
                            : (uint32_t)(field->value.text - record->text) - record->start;
        place[0] = base + (uint32_t)(value.text - field->value.text);
        place[1] = value.bytes << TYPE_BITS | value.type;
    }
}

/* Write a record that was changed, that came from a line, or whose newlines must go. */
static mr_status_t
write_record (mr_collect_t *self, mr_edit_t *edit, size_t room)
{
    const mr_json_record_t *record = edit->record;
    mr_status_t status = flush_run (self);
    status = status == MR_OK ? mr_buffer_reserve (&self->out, room) : status;
    if (status != MR_OK) {
        return MR_SYSTEM;
    }
    char *start = self->out.data + self->out.size;
    char *end;
    if (edit->changed) {
        end = mr_edit_write (edit, start);
    } else {
        size_t bytes = record->end - record->start;
        memcpy (start, record->text + record->start, bytes);
        end = start + bytes;
    }
    for (char *c = start; (c = memchr (c, '\n', (size_t)(end - c))) != NULL; c++) {
        *c = ' ';
    }
    *end++ = '\n';
    self->out.size += (size_t)(end - start);
    self->out_bytes = (uint32_t)self->out.size;
    return MR_OK;
}

mr_status_t
mr_collect_pass (mr_collect_t *self, uint32_t index, mr_edit_t *edit, bool borrowed)
{
    const mr_json_record_t *record = edit->record;
    size_t room = (edit->changed ? mr_edit_room (edit) : record->bytes) + 1;
    if (self->out_bytes + room + self->dead_bytes + rows_room (self, index) > self->room ||
        room > UINT32_MAX - self->out_bytes) {
        return MR_INVALID;
    }
    self->offsets[self->count] = self->out_bytes;
    bool whole = record->end - record->start == record->bytes;
    if (borrowed && whole && !edit->changed && memchr (record->text, '\n', record->bytes) == NULL) {
        if (self->run_end != record->text) {
            if (flush_run (self) != MR_OK) {
                return MR_SYSTEM;
            }
            self->run = record->text;
        }
        self->run_end = record->text + record->bytes + 1;
        self->out_bytes += record->bytes + 1;
    } else if (write_record (self, edit, room) != MR_OK) {
        return MR_SYSTEM;
    }
    if (self->watched_count > 0) {
        note_places (self, edit);
    }
    self->origins[self->count++] = index;
    return MR_OK;
}

mr_status_t
mr_collect_close (mr_collect_t *self, mr_steps_output_t *ret_output)
{
    if (flush_run (self) != MR_OK) {
        return MR_SYSTEM;
    }
    self->offsets[self->count] = self->out_bytes;
    ret_output->records = (mr_records_t){
        .data = self->out.data,
        .offsets = self->offsets,
        .count = self->count,
    };
    ret_output->origins = self->origins;
    ret_output->watched = self->places;
    ret_output->dead = self->dead;
    ret_output->dead_count = self->dead_count;
    return MR_OK;
}
