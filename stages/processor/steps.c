#include "stages/processor/steps.h"

#include "common/base/buffer.h"
#include "common/record/accesslog.h"
#include "common/record/json.h"
#include "stages/processor/collect.h"
#include "stages/processor/edit.h"
#include "stages/processor/step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct mr_steps {
    mr_parse_t parse;
    mr_step_t steps[MR_STEPS_MAX];
    uint32_t step_count;
    uint32_t spare; /* fields that the steps add to a record at most */
    mr_json_t *json;
    mr_buffer_t line;             /* the object that a line became */
    mr_json_field_t *line_fields; /* its fields, and room for spare ones */
    mr_edit_t edit;

    mr_collect_t collect;
    uint32_t filtered;
};

static const char *const parse_rules[] = {
    [MR_PARSE_JSON] = "parse = json",
    [MR_PARSE_COMBINED] = "parse = combined",
    [MR_PARSE_COMMON] = "parse = common",
    [MR_PARSE_RAW] = "parse = raw",
};

static const mr_errortype_id_t json_errors[] = {
    [MR_JSON_SYNTAX] = MR_ERR_JSON_SYNTAX,
    [MR_JSON_UTF8] = MR_ERR_JSON_UTF8,
    [MR_JSON_NOT_OBJECT] = MR_ERR_JSON_NOT_OBJECT,
    [MR_JSON_DEPTH] = MR_ERR_JSON_DEPTH,
};

static mr_status_t
no_memory (mr_error_t *err)
{
    mr_error_set (err, "out of memory");
    return MR_SYSTEM;
}

mr_status_t
mr_steps_new (mr_parse_t parse, mr_steps_t **ret_steps, mr_error_t *err)
{
    mr_steps_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return no_memory (err);
    }
    self->parse = parse;
    mr_buffer_init (&self->line, SIZE_MAX / 2);
    mr_collect_init (&self->collect);
    mr_edit_init (&self->edit);
    self->line_fields = calloc (MR_LINE_MAX_FIELDS, sizeof *self->line_fields);
    if (self->line_fields == NULL || mr_json_new (&self->json) != MR_OK) {
        mr_steps_destroy (&self);
        return no_memory (err);
    }
    *ret_steps = self;
    return MR_OK;
}

void
mr_steps_destroy (mr_steps_t **steps_p)
{
    mr_steps_t *self = *steps_p;
    if (self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < self->step_count; i++) {
        mr_step_release (&self->steps[i]);
    }
    mr_json_destroy (&self->json);
    mr_buffer_release (&self->line);
    mr_collect_release (&self->collect);
    mr_edit_release (&self->edit);
    free (self->line_fields);
    free (self);
    *steps_p = NULL;
}

mr_status_t
mr_steps_add (mr_steps_t *self, const char *key, const char *value, mr_error_t *err)
{
    if (self->step_count == MR_STEPS_MAX) {
        mr_error_set (err, "more than %d steps", MR_STEPS_MAX);
        return MR_CONFIG;
    }
    uint32_t fields = MR_LINE_MAX_FIELDS + self->spare + 1;
    mr_json_field_t *line_fields = realloc (self->line_fields, fields * sizeof *line_fields);
    if (line_fields == NULL) {
        return no_memory (err);
    }
    self->line_fields = line_fields;
    mr_step_t *step = &self->steps[self->step_count];
    mr_status_t status = mr_step_init (step, key, value, err);
    if (status != MR_OK) {
        return status;
    }
    self->step_count++;
    self->spare += step->kind == MR_STEP_SET || step->kind == MR_STEP_RENAME;
    return MR_OK;
}

mr_status_t
mr_steps_watch (mr_steps_t *self, const char *path, mr_error_t *err)
{
    mr_collect_t *collect = &self->collect;
    if (collect->watched_count == MR_STEPS_MAX_WATCHED) {
        mr_error_set (err, "more than %d fields to watch", MR_STEPS_MAX_WATCHED);
        return MR_CONFIG;
    }
    mr_status_t status =
        mr_path_new (path, strlen (path), &collect->watched[collect->watched_count], err);
    if (status == MR_OK) {
        collect->watched_count++;
        collect->capacity = 0; /* the places are to grow */
    }
    return status;
}

void
mr_steps_dead_message (const mr_steps_dead_t *dead, char *ret_text, size_t room)
{
    snprintf (ret_text, room, "byte %u: %s", dead->offset, dead->what);
}

#ifdef MR_CRASH_POINTS
static void
hang (void)
{
    for (;;) {
        pause ();
    }
}
#endif

/* Change the record as one step says; what the statuses mean stands at mr_edit_set. */
static mr_status_t
change (mr_steps_t *self, const mr_step_t *step)
{
    mr_status_t status = MR_OK;
    switch (step->kind) {
    case MR_STEP_SET:
        return mr_edit_set (&self->edit, &step->targets[0], &step->value);
    case MR_STEP_RENAME:
        return mr_edit_rename (&self->edit, &step->targets[0], &step->targets[1]);
    case MR_STEP_REMOVE:
        for (uint32_t i = 0; i < step->target_count && status == MR_OK; i++) {
            status = mr_edit_remove (&self->edit, &step->targets[i]);
        }
        return status;
    case MR_STEP_KEEP:
    case MR_STEP_DROP:
        return MR_OK;
    case MR_STEP_CRASH:
        abort ();
    case MR_STEP_HANG:
#ifdef MR_CRASH_POINTS
        hang ();
#endif
        return MR_OK;
    }
    return status;
}

static mr_status_t
pass (mr_steps_t *self, uint32_t index)
{
    mr_status_t status =
        mr_collect_pass (&self->collect, index, &self->edit, self->parse == MR_PARSE_JSON);
    if (status != MR_INVALID) {
        return status;
    }
    mr_collect_bury (&self->collect, index,
                     &(mr_steps_dead_t){
                         .error_type = MR_ERR_RECORD_TOO_LARGE,
                         .what = "with what the steps make of it the batch would be too large",
                         .rule = parse_rules[self->parse],
                     });
    return MR_OK;
}

/* Run all steps over a record that was read. */
static mr_status_t
process (mr_steps_t *self, uint32_t index, mr_json_record_t *record)
{
    if (mr_edit_open (&self->edit, record, self->spare) != MR_OK) {
        return MR_SYSTEM;
    }
    for (uint32_t i = 0; i < self->step_count; i++) {
        const mr_step_t *step = &self->steps[i];
        if (step->expr != NULL) {
            bool is = mr_expr_eval (step->expr, record->fields, record->field_count);
            if (step->kind == (is ? MR_STEP_DROP : MR_STEP_KEEP)) {
                self->filtered++;
                return MR_OK;
            }
            if (!is) {
                continue;
            }
        }
        mr_status_t status = change (self, step);
        if (status == MR_INVALID) {
            mr_collect_bury (
                &self->collect, index,
                &(mr_steps_dead_t){
                    .error_type =
                        step->kind == MR_STEP_SET ? MR_ERR_SET_FAILED : MR_ERR_RENAME_FAILED,
                    .what = "the path leads through a value that is no object, or to an index that "
                            "is not there",
                    .rule = step->rule,
                });
            return MR_OK;
        }
        if (status != MR_OK) {
            return status;
        }
    }
    return pass (self, index);
}

static mr_status_t
run_json (mr_steps_t *self, const mr_steps_input_t *input, uint32_t first, uint32_t end)
{
    mr_records_t part = {
        .data = input->records->data,
        .offsets = input->records->offsets + first,
        .count = end - first,
    };
    mr_json_open (self->json, &part);
    for (uint32_t i = first; i < end; i++) {
        if (input->crumb != NULL) {
            atomic_store_explicit (input->crumb, input->crumb_base + i, memory_order_relaxed);
        }
        mr_json_record_t record;
        mr_status_t status = mr_json_next (self->json, self->spare, &record);
        if (status == MR_OK && record.error == MR_JSON_OK) {
            status = process (self, i, &record);
        } else if (status == MR_OK) {
            mr_collect_bury (&self->collect, i,
                             &(mr_steps_dead_t){
                                 .offset = record.error_offset,
                                 .error_type = json_errors[record.error],
                                 .what = record.error_text,
                                 .rule = parse_rules[self->parse],
                             });
        }
        if (status != MR_OK) {
            return MR_SYSTEM;
        }
    }
    return MR_OK;
}

static mr_status_t
run_line (mr_steps_t *self, const mr_steps_input_t *input, uint32_t i)
{
    static const struct {
        mr_line_format_t format;
        mr_errortype_id_t error_type;
    } formats[] = {
        [MR_PARSE_JSON] = {MR_LINE_RAW, MR_ERR_NONE},
        [MR_PARSE_COMBINED] = {MR_LINE_COMBINED, MR_ERR_PARSE_COMBINED},
        [MR_PARSE_COMMON] = {MR_LINE_COMMON, MR_ERR_PARSE_COMMON},
        [MR_PARSE_RAW] = {MR_LINE_RAW, MR_ERR_JSON_UTF8},
    };
    const uint32_t *offsets = input->records->offsets;
    const char *line = input->records->data + offsets[i];
    size_t bytes = offsets[i + 1] - offsets[i] - 1;
    mr_json_record_t record = {.fields = self->line_fields};
    mr_buffer_clear (&self->line);
    if (mr_buffer_reserve (&self->line, MR_LINE_ROOM (bytes)) != MR_OK) {
        return MR_SYSTEM;
    }
    if (mr_line_read (formats[self->parse].format, line, bytes, self->line.data, &record)) {
        return process (self, i, &record);
    }
    mr_collect_bury (&self->collect, i,
                     &(mr_steps_dead_t){
                         .offset = record.error_offset,
                         .error_type = formats[self->parse].error_type,
                         .what = record.error_text,
                         .rule = parse_rules[self->parse],
                     });
    return MR_OK;
}

/* Records first .. end, none of which is to be skipped. */
static mr_status_t
run_part (mr_steps_t *self, const mr_steps_input_t *input, uint32_t first, uint32_t end)
{
    if (self->parse == MR_PARSE_JSON) {
        return run_json (self, input, first, end);
    }
    mr_status_t status = MR_OK;
    for (uint32_t i = first; i < end && status == MR_OK; i++) {
        if (input->crumb != NULL) {
            atomic_store_explicit (input->crumb, input->crumb_base + i, memory_order_relaxed);
        }
        status = run_line (self, input, i);
    }
    return status;
}

mr_status_t
mr_steps_run (mr_steps_t *self, const mr_steps_input_t *input, mr_steps_output_t *ret_output)
{
    uint32_t count = input->records->count;
    mr_status_t status = mr_collect_open (&self->collect, input);
    uint32_t first = 0;
    self->filtered = 0;
    for (uint32_t i = 0; i < input->skip_count && status == MR_OK; i++) {
        status = run_part (self, input, first, input->skip[i]);
        mr_collect_skip (&self->collect, input->skip[i]);
        first = input->skip[i] + 1;
    }
    status = status == MR_OK ? run_part (self, input, first, count) : status;
    status = status == MR_OK ? mr_collect_close (&self->collect, ret_output) : status;
    ret_output->filtered = self->filtered;
    return status;
}
