#include "common/record/path.h"

#include "common/record/chars.h"
#include "common/record/text.h"
#include "common/record/walk.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_INDEX_DIGITS = 9 };

typedef struct {
    const char *text;
    size_t bytes;
    size_t at;
    mr_path_step_t steps[MR_PATH_MAX_STEPS];
    uint32_t count;
    char *keys; /* room for all decoded keys */
    size_t keys_bytes;
    mr_error_t *err;
} parser_t;

unsigned
mr_path_column (const char *text, size_t offset)
{
    unsigned column = 1;
    for (size_t i = 0; i < offset; i++) {
        column += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return column;
}

static bool
is_name_start (char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || c == '_' || c == '@' || c == '$' ||
           (unsigned char)c >= 0x80;
}

static char
peek (const parser_t *self)
{
    return self->at < self->bytes ? self->text[self->at] : '\0';
}

static mr_status_t
fail (parser_t *self, const char *what)
{
    mr_error_set (self->err, "%s", what);
    return MR_CONFIG;
}

static mr_status_t
add_step (parser_t *self, mr_path_step_t step)
{
    if (self->count == MR_PATH_MAX_STEPS) {
        return fail (self, "the path has more than 32 steps");
    }
    self->steps[self->count++] = step;
    return MR_OK;
}

/* A name between backticks, with the escapes of JSON. */
static mr_status_t
read_quoted (parser_t *self)
{
    size_t start = self->at + 1;
    size_t end = start;
    while (end < self->bytes && self->text[end] != '`') {
        end++;
    }
    if (end == self->bytes) {
        return fail (self, "the backtick is not closed");
    }
    mr_text_t name = {self->text + start, (uint32_t)(end - start), true};
    if (!mr_escapes_are_good (name.data, name.bytes)) {
        return fail (self, "no such escape in this name (JSON's are known)");
    }
    char *key = self->keys + self->keys_bytes;
    size_t bytes = mr_text_decode (name, key);
    self->keys_bytes += bytes;
    self->at = end + 1;
    return add_step (self, (mr_path_step_t){.key = key, .bytes = (uint32_t)bytes});
}

static mr_status_t
read_name (parser_t *self)
{
    if (peek (self) == '`') {
        return read_quoted (self);
    }
    if (!is_name_start (peek (self))) {
        return fail (self, "the name of a field is expected");
    }
    size_t start = self->at;
    while (is_name_start (peek (self)) || mr_is_digit (peek (self))) {
        self->at++;
    }
    char *key = self->keys + self->keys_bytes;
    size_t bytes = self->at - start;
    memcpy (key, self->text + start, bytes);
    self->keys_bytes += bytes;
    return add_step (self, (mr_path_step_t){.key = key, .bytes = (uint32_t)bytes});
}

static mr_status_t
read_index (parser_t *self)
{
    self->at++;
    size_t digits = mr_digits (self->text + self->at, self->bytes - self->at);
    if (digits == 0) {
        return fail (self, "an index such as [0] is expected");
    }
    if (digits > MAX_INDEX_DIGITS) {
        return fail (self, "the index is too large");
    }
    uint32_t index = 0;
    for (size_t i = 0; i < digits; i++) {
        index = index * 10 + (uint32_t)(self->text[self->at + i] - '0');
    }
    self->at += digits;
    if (peek (self) != ']') {
        return fail (self, "']' is expected after the index");
    }
    self->at++;
    return add_step (self, (mr_path_step_t){.index = index});
}

static mr_status_t
read_steps (parser_t *self)
{
    mr_status_t status = read_name (self);
    while (status == MR_OK) {
        if (peek (self) == '.') {
            self->at++;
            status = read_name (self);
        } else if (peek (self) == '[') {
            status = read_index (self);
        } else {
            break;
        }
    }
    return status;
}

/* One allocation holds the path, its steps, their keys and the text. */
static mr_path_t *
build (const parser_t *parser)
{
    size_t steps_bytes = parser->count * sizeof parser->steps[0];
    mr_path_t *self = malloc (sizeof *self + steps_bytes + parser->keys_bytes + parser->at + 1);
    if (self == NULL) {
        return NULL;
    }
    mr_path_step_t *steps = (mr_path_step_t *)(self + 1);
    char *keys = (char *)(steps + parser->count);
    char *text = keys + parser->keys_bytes;
    memcpy (keys, parser->keys, parser->keys_bytes);
    memcpy (text, parser->text, parser->at);
    text[parser->at] = '\0';
    for (uint32_t i = 0; i < parser->count; i++) {
        steps[i] = parser->steps[i];
        if (steps[i].key != NULL) {
            steps[i].key = keys + (steps[i].key - parser->keys);
        }
    }
    *self = (mr_path_t){.text = text, .count = parser->count, .steps = steps};
    return self;
}

mr_status_t
mr_path_read (const char *text, size_t bytes, size_t *ret_used, mr_path_t **ret_path,
              mr_error_t *err)
{
    char keys[MR_PATH_MAX_BYTES];
    parser_t parser = {.text = text, .bytes = bytes, .keys = keys, .err = err};
    if (bytes > sizeof keys) {
        parser.bytes = sizeof keys;
    }
    mr_status_t status = read_steps (&parser);
    if (status == MR_OK && parser.at == sizeof keys && bytes > sizeof keys) {
        status = fail (&parser, "the path is longer than 1024 bytes");
    }
    *ret_used = parser.at;
    if (status != MR_OK) {
        return status;
    }
    mr_path_t *path = build (&parser);
    if (path == NULL) {
        mr_error_set (err, "out of memory");
        return MR_SYSTEM;
    }
    *ret_path = path;
    return MR_OK;
}

mr_status_t
mr_path_new (const char *text, size_t bytes, mr_path_t **ret_path, mr_error_t *err)
{
    size_t start = 0;
    while (start < bytes && mr_is_space (text[start])) {
        start++;
    }
    while (bytes > start && mr_is_space (text[bytes - 1])) {
        bytes--;
    }
    size_t used = 0;
    mr_path_t *path = NULL;
    mr_status_t status = mr_path_read (text + start, bytes - start, &used, &path, err);
    if (status == MR_OK && start + used < bytes) {
        mr_path_destroy (&path);
        const char *what = text[start + used] == '-'
                               ? "a name with '-' in it is written in backticks: `user-agent`"
                               : "'.', '[' or the end of the path is expected";
        mr_error_set (err, "%s", what);
        status = MR_CONFIG;
    }
    if (status != MR_OK) {
        mr_error_prefix (err, "column %u", mr_path_column (text, start + used));
        return status;
    }
    *ret_path = path;
    return MR_OK;
}

void
mr_path_destroy (mr_path_t **path_p)
{
    free (*path_p);
    *path_p = NULL;
}

bool
mr_path_is_escaped_key (const mr_path_step_t *step, const mr_json_field_t *field)
{
    return mr_text_equal (mr_text_of_key (field), (mr_text_t){step->key, step->bytes, false});
}

mr_json_field_t *
mr_path_field (const mr_path_step_t *step, mr_json_field_t *fields, uint32_t count)
{
    for (uint32_t i = count; i-- > 0;) {
        if (mr_path_is_key (step, &fields[i])) {
            return &fields[i];
        }
    }
    return NULL;
}

bool
mr_path_member (const mr_path_step_t *step, const mr_json_value_t *container,
                mr_json_field_t *ret_member)
{
    if (container->type != (step->key != NULL ? MR_JSON_OBJECT : MR_JSON_ARRAY)) {
        return false;
    }
    mr_walk_t walk;
    mr_json_field_t member;
    bool found = false;
    mr_walk_open (&walk, container);
    for (uint32_t i = 0; mr_walk_next (&walk, &member); i++) {
        if (step->key == NULL ? i == step->index : mr_path_is_key (step, &member)) {
            *ret_member = member;
            found = true;
        }
    }
    return found;
}

bool
mr_path_find (const mr_path_t *self, const mr_json_field_t *fields, uint32_t count,
              mr_json_value_t *ret_value)
{
    const mr_json_field_t *field =
        mr_path_field (&self->steps[0], (mr_json_field_t *)(uintptr_t)fields, count);
    if (field == NULL) {
        return false;
    }
    mr_json_value_t value = field->value;
    for (uint32_t i = 1; i < self->count; i++) {
        mr_json_field_t member;
        if (!mr_path_member (&self->steps[i], &value, &member)) {
            return false;
        }
        value = member.value;
    }
    *ret_value = value;
    return true;
}
