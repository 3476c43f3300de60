#include "common/record/walk.h"

#include "common/record/chars.h"

#include <string.h>

static const char *
skip_space (const char *at)
{
    while (mr_is_space (*at)) {
        at++;
    }
    return at;
}

/* One beyond the string at `at` (its quote). */
static const char *
skip_string (const char *at, uint8_t *ret_escaped)
{
    *ret_escaped = 0;
    for (at++; *at != '"'; at++) {
        if (*at == '\\') {
            *ret_escaped = 1;
            at++;
        }
    }
    return at + 1;
}

/* One beyond the object or array at `at`. */
static const char *
skip_container (const char *at)
{
    unsigned depth = 0;
    uint8_t escaped;
    do {
        switch (*at) {
        case '{':
        case '[':
            depth++;
            at++;
            break;
        case '}':
        case ']':
            depth--;
            at++;
            break;
        case '"':
            at = skip_string (at, &escaped);
            break;
        default:
            at++;
        }
    } while (depth > 0);
    return at;
}

/* The value at `at`, and one beyond it. */
static const char *
read_value (const char *at, mr_json_value_t *ret_value)
{
    const char *end;
    *ret_value = (mr_json_value_t){.text = at};
    switch (*at) {
    case '{':
    case '[':
        ret_value->type = *at == '{' ? MR_JSON_OBJECT : MR_JSON_ARRAY;
        end = skip_container (at);
        break;
    case '"':
        ret_value->type = MR_JSON_STRING;
        end = skip_string (at, &ret_value->escaped);
        break;
    case 't':
        ret_value->type = MR_JSON_TRUE;
        end = at + 4;
        break;
    case 'f':
        ret_value->type = MR_JSON_FALSE;
        end = at + 5;
        break;
    case 'n':
        ret_value->type = MR_JSON_NULL;
        end = at + 4;
        break;
    default:
        ret_value->type = MR_JSON_NUMBER;
        end = at;
        while (*end != ',' && *end != '}' && *end != ']' && !mr_is_space (*end)) {
            end++;
        }
    }
    ret_value->bytes = (uint32_t)(end - at);
    return end;
}

void
mr_walk_open (mr_walk_t *self, const mr_json_value_t *container)
{
    self->object = container->type == MR_JSON_OBJECT;
    self->at = skip_space (container->text + 1);
}

bool
mr_walk_next (mr_walk_t *self, mr_json_field_t *ret_member)
{
    const char *at = self->at;
    if (*at == '}' || *at == ']') {
        return false;
    }
    ret_member->key = NULL;
    ret_member->key_bytes = 0;
    ret_member->key_escaped = 0;
    if (self->object) {
        ret_member->key = at + 1;
        at = skip_string (at, &ret_member->key_escaped);
        ret_member->key_bytes = (uint32_t)(at - 1 - ret_member->key);
        at = skip_space (skip_space (at) + 1);
    }
    at = skip_space (read_value (at, &ret_member->value));
    self->at = *at == ',' ? skip_space (at + 1) : at;
    return true;
}
