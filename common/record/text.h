/* text: the inside of a JSON string, compared and decoded without allocating. Pure.
 *
 * Characters are compared as UTF-8 bytes, which is the order of their code points. Escapes count as
 * the character they stand for; a lone surrogate stands for U+FFFD. */
#ifndef MR_COMMON_RECORD_TEXT_H
#define MR_COMMON_RECORD_TEXT_H

#include "common/record/json.h"

typedef struct mr_text {
    const char *data;
    uint32_t bytes;
    bool escaped; /* whether it may hold escapes; without, a backslash is a backslash */
} mr_text_t;

/* The inside of a string value, the key of a field. */
static inline mr_text_t
mr_text_of_value (const mr_json_value_t *string)
{
    return (mr_text_t){string->text + 1, string->bytes - 2, string->escaped != 0};
}

static inline mr_text_t
mr_text_of_key (const mr_json_field_t *field)
{
    return (mr_text_t){field->key, field->key_bytes, field->key_escaped != 0};
}

bool mr_text_equal (mr_text_t a, mr_text_t b);

/* Below, equal to or above 0. */
int mr_text_compare (mr_text_t a, mr_text_t b);

/* Write the characters to ret_text (room for text.bytes: decoding never lengthens); the length. */
size_t mr_text_decode (mr_text_t text, char *ret_text);

#endif
