#include "stages/processor/step.h"

#include "common/record/chars.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A value, as far as it has been read. */
typedef struct {
    const char *text;
    size_t bytes;
    size_t at;
    mr_error_t *err;
} reader_t;

static mr_status_t
no_memory (mr_error_t *err)
{
    mr_error_set (err, "out of memory");
    return MR_SYSTEM;
}

static mr_status_t
fail (const reader_t *self, const char *what)
{
    mr_error_set (self->err, "column %u: %s", mr_path_column (self->text, self->at), what);
    return MR_CONFIG;
}

static void
skip_space (reader_t *self)
{
    while (self->at < self->bytes && mr_is_space (self->text[self->at])) {
        self->at++;
    }
}

/* Read a path and add it to the step's targets. */
static mr_status_t
read_target (mr_step_t *self, reader_t *reader)
{
    skip_space (reader);
    mr_path_t *path = NULL;
    size_t used = 0;
    mr_status_t status = mr_path_read (reader->text + reader->at, reader->bytes - reader->at, &used,
                                       &path, reader->err);
    reader->at += used;
    if (status != MR_OK) {
        mr_error_prefix (reader->err, "column %u", mr_path_column (reader->text, reader->at));
        return status;
    }
    mr_target_t *targets =
        realloc (self->targets, (self->target_count + 1) * sizeof *self->targets);
    if (targets == NULL) {
        mr_path_destroy (&path);
        return no_memory (reader->err);
    }
    self->targets = targets;
    if (mr_target_init (&targets[self->target_count], &path) != MR_OK) {
        return no_memory (reader->err);
    }
    self->target_count++;
    skip_space (reader);
    return MR_OK;
}

/* A sign between two parts: true and beyond it when it is there. */
static bool
read_sign (reader_t *reader, const char *sign)
{
    size_t length = strlen (sign);
    if (reader->bytes - reader->at < length ||
        memcmp (reader->text + reader->at, sign, length) != 0) {
        return false;
    }
    reader->at += length;
    return true;
}

/* What is wrong after a path. A hyphen is most often part of a name. */
static mr_status_t
fail_after_path (const reader_t *reader, const char *what)
{
    bool hyphen = reader->at < reader->bytes && reader->text[reader->at] == '-';
    return fail (reader,
                 hyphen ? "a name with '-' in it is written in backticks: `user-agent`" : what);
}

/* What is wrong with a value; a word is most often text that lacks its quotes. */
static mr_status_t
fail_value (const reader_t *reader, const char *text, const char *what)
{
    if (text[strspn (text, " \t")] == '\0') {
        return fail (reader, "a JSON value is expected, as in: env = \"prod\"");
    }
    char first = reader->text[reader->at];
    if (isalpha ((unsigned char)first) || first == '\'') {
        return fail (reader, "text stands in double quotes, as in: env = \"prod\"");
    }
    mr_error_set (reader->err, "column %u: the value is not JSON: %s",
                  mr_path_column (reader->text, reader->at), what);
    return MR_CONFIG;
}

static mr_status_t
read_set (mr_step_t *self, reader_t *reader)
{
    mr_status_t status = read_target (self, reader);
    if (status != MR_OK) {
        return status;
    }
    if (!read_sign (reader, "=")) {
        return fail_after_path (reader, "'=' and a value are expected, as in: env = \"prod\"");
    }
    size_t offset = 0;
    const char *what = "";
    self->text = strndup (reader->text + reader->at, reader->bytes - reader->at);
    if (self->text == NULL) {
        return no_memory (reader->err);
    }
    for (char *c = strchr (self->text, '\n'); c != NULL; c = strchr (c, '\n')) {
        *c = ' ';
    }
    if (mr_json_check (self->text, strlen (self->text), &self->value, &offset, &what) !=
        MR_JSON_OK) {
        reader->at += offset;
        return fail_value (reader, self->text, what);
    }
    return MR_OK;
}

static bool
same_path (const mr_path_t *a, const mr_path_t *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        const mr_path_step_t *x = &a->steps[i];
        const mr_path_step_t *y = &b->steps[i];
        same = (x->key == NULL) == (y->key == NULL) &&
               (x->key == NULL ? x->index == y->index
                               : x->bytes == y->bytes && memcmp (x->key, y->key, x->bytes) == 0);
    }
    return same;
}

static mr_status_t
read_rename (mr_step_t *self, reader_t *reader)
{
    mr_status_t status = read_target (self, reader);
    if (status == MR_OK && !read_sign (reader, "->")) {
        return fail_after_path (reader, "'->' and a new name are expected, as in: user -> user_id");
    }
    size_t second = reader->at;
    status = status == MR_OK ? read_target (self, reader) : status;
    if (status == MR_OK && reader->at < reader->bytes) {
        return fail_after_path (reader, "the end of the new name is expected");
    }
    if (status == MR_OK && same_path (self->targets[0].path, self->targets[1].path)) {
        reader->at = second;
        return fail (reader, "the new name is the old one");
    }
    return status;
}

static mr_status_t
read_remove (mr_step_t *self, reader_t *reader)
{
    mr_status_t status;
    do {
        status = read_target (self, reader);
    } while (status == MR_OK && read_sign (reader, ","));
    if (status == MR_OK && reader->at < reader->bytes) {
        return fail_after_path (reader, "',' or the end is expected");
    }
    return status;
}

static const struct {
    const char *key;
    mr_step_kind_t kind;
} kinds[] = {
    {"keep", MR_STEP_KEEP},         {"drop", MR_STEP_DROP},       {"set", MR_STEP_SET},
    {"rename", MR_STEP_RENAME},     {"remove", MR_STEP_REMOVE},
#ifdef MR_CRASH_POINTS
    {"debug_crash", MR_STEP_CRASH}, {"debug_hang", MR_STEP_HANG},
#endif
};

static mr_status_t
read_value (mr_step_t *self, reader_t *reader)
{
    switch (self->kind) {
    case MR_STEP_KEEP:
    case MR_STEP_DROP:
    case MR_STEP_CRASH:
    case MR_STEP_HANG:
        return mr_expr_new (reader->text, &self->expr, reader->err);
    case MR_STEP_SET:
        return read_set (self, reader);
    case MR_STEP_RENAME:
        return read_rename (self, reader);
    case MR_STEP_REMOVE:
        return read_remove (self, reader);
    }
    return MR_CONFIG;
}

mr_status_t
mr_step_init (mr_step_t *self, const char *key, const char *value, mr_error_t *err)
{
    size_t i = 0;
    while (i < sizeof kinds / sizeof kinds[0] && strcmp (kinds[i].key, key) != 0) {
        i++;
    }
    if (i == sizeof kinds / sizeof kinds[0]) {
        mr_error_set (err, "%s is no step; known are keep, drop, set, rename and remove", key);
        return MR_CONFIG;
    }
    *self = (mr_step_t){.kind = kinds[i].kind};
    if (asprintf (&self->rule, "%s = %s", key, value) < 0) {
        self->rule = NULL;
        return no_memory (err);
    }
    reader_t reader = {.text = value, .bytes = strlen (value), .err = err};
    mr_status_t status = read_value (self, &reader);
    if (status != MR_OK) {
        mr_step_release (self);
    }
    return status;
}

void
mr_step_release (mr_step_t *self)
{
    for (uint32_t i = 0; i < self->target_count; i++) {
        mr_target_release (&self->targets[i]);
    }
    free (self->targets);
    mr_expr_destroy (&self->expr);
    free (self->text);
    free (self->rule);
    *self = (mr_step_t){0};
}
