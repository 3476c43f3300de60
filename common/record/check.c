/* check: mr_json_check, the slow and precise reader. It shares no reading code with json.c but the
 * token grammars of chars.h, so that each is a test of the other. */
#include "common/base/utf8.h"
#include "common/record/chars.h"
#include "common/record/json.h"

#include <string.h>

typedef struct {
    const char *text;
    size_t bytes;
    size_t at;
    const char *what; /* set by the first error; `at` is where */
} check_t;

static void
skip_space (check_t *self)
{
    while (self->at < self->bytes && mr_is_space (self->text[self->at])) {
        self->at++;
    }
}

/* The next character that is not white space, 0 at the end (a NUL byte is no token either). */
static char
peek (check_t *self)
{
    skip_space (self);
    return self->at < self->bytes ? self->text[self->at] : '\0';
}

static bool
fail (check_t *self, const char *what)
{
    self->what = self->at < self->bytes ? what : "the text ends too early";
    return false;
}

static bool
check_string (check_t *self)
{
    for (self->at++; self->at < self->bytes; self->at++) {
        unsigned char c = (unsigned char)self->text[self->at];
        if (c == '"') {
            self->at++;
            return true;
        }
        if (c < 0x20) {
            return fail (self, "a control character in a string must be escaped");
        }
        if (c == '\\') {
            size_t escape = mr_escape_bytes (self->text + self->at, self->bytes - self->at);
            if (escape == 0) {
                return fail (self, "no such escape");
            }
            self->at += escape - 1;
        }
    }
    return fail (self, "the string is not closed");
}

static bool
check_word (check_t *self)
{
    static const char *const words[] = {"true", "false", "null"};
    const char *text = self->text + self->at;
    size_t left = self->bytes - self->at;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen (words[i]);
        if (left >= length && memcmp (text, words[i], length) == 0) {
            self->at += length;
            return true;
        }
    }
    return fail (self, "a value is expected");
}

static bool
check_number (check_t *self)
{
    size_t stop = mr_number_is_good (self->text + self->at, self->bytes - self->at);
    if (stop == SIZE_MAX) {
        self->at = self->bytes;
        return fail (self, "a digit is expected");
    }
    /* Where the grammar stops, what was read is a whole number unless a digit is due there. */
    char before = self->text[self->at + stop - (stop > 0)];
    self->at += stop;
    if (stop == 0 || !mr_is_digit (before)) {
        return fail (self, "a digit is expected");
    }
    return true;
}

static bool
check_scalar (check_t *self, char first)
{
    if (first == '"') {
        return check_string (self);
    }
    if (first == '-' || mr_is_digit (first)) {
        return check_number (self);
    }
    return check_word (self);
}

static bool
check_key (check_t *self)
{
    if (peek (self) != '"') {
        return fail (self, "a key in quotes is expected");
    }
    if (!check_string (self)) {
        return false;
    }
    if (peek (self) != ':') {
        return fail (self, "':' is expected after the key");
    }
    self->at++;
    return true;
}

/* After a value: close what ends here. False with what == NULL: that was the outermost value. */
static bool
check_after (check_t *self, const char *close, unsigned *depth)
{
    while (*depth > 0 && peek (self) == close[*depth]) {
        self->at++;
        (*depth)--;
    }
    if (*depth == 0) {
        return false;
    }
    if (peek (self) != ',') {
        return fail (self,
                     close[*depth] == '}' ? "',' or '}' is expected" : "',' or ']' is expected");
    }
    self->at++;
    return close[*depth] == ']' || check_key (self);
}

/* A container opens here: MR_JSON_OK with *empty telling whether it holds anything to read. */
static mr_json_error_t
check_open (check_t *self, char *close, unsigned *depth, bool *empty)
{
    if (*depth == MR_JSON_MAX_DEPTH) {
        self->what = "nested more than 128 deep";
        return MR_JSON_DEPTH;
    }
    bool object = self->text[self->at++] == '{';
    close[++*depth] = object ? '}' : ']';
    *empty = peek (self) == close[*depth];
    return *empty || !object || check_key (self) ? MR_JSON_OK : MR_JSON_SYNTAX;
}

/* One value, at its first character. */
static mr_json_error_t
check_value (check_t *self)
{
    char close[MR_JSON_MAX_DEPTH + 1];
    unsigned depth = 0;
    do {
        char c = peek (self);
        bool whole = true; /* the value ends here */
        if (c == '{' || c == '[') {
            mr_json_error_t error = check_open (self, close, &depth, &whole);
            if (error != MR_JSON_OK) {
                return error;
            }
        } else if (!check_scalar (self, c)) {
            return MR_JSON_SYNTAX;
        }
        if (whole && !check_after (self, close, &depth)) {
            return self->what == NULL ? MR_JSON_OK : MR_JSON_SYNTAX;
        }
    } while (true);
}

static mr_json_error_t
check_text (check_t *self)
{
    size_t good = mr_utf8_check (self->text, self->bytes);
    if (good != self->bytes) {
        self->at = good;
        self->what = "not UTF-8";
        return MR_JSON_UTF8;
    }
    if (self->bytes >= 3 && memcmp (self->text, "\xef\xbb\xbf", 3) == 0) {
        self->what = "a byte order mark is not JSON";
        return MR_JSON_SYNTAX;
    }
    return check_value (self);
}

static mr_json_type_t
type_of (char first)
{
    switch (first) {
    case '{':
        return MR_JSON_OBJECT;
    case '[':
        return MR_JSON_ARRAY;
    case '"':
        return MR_JSON_STRING;
    case 't':
        return MR_JSON_TRUE;
    case 'f':
        return MR_JSON_FALSE;
    case 'n':
        return MR_JSON_NULL;
    default:
        return MR_JSON_NUMBER;
    }
}

mr_json_error_t
mr_json_check (const char *text, size_t bytes, mr_json_value_t *ret_value, size_t *ret_offset,
               const char **ret_what)
{
    check_t check = {.text = text, .bytes = bytes};
    mr_json_error_t error = check_text (&check);
    if (error == MR_JSON_OK) {
        size_t end = check.at;
        skip_space (&check);
        size_t start = 0;
        while (mr_is_space (text[start])) {
            start++;
        }
        if (check.at == bytes) {
            uint8_t type = (uint8_t)type_of (text[start]);
            *ret_value = (mr_json_value_t){
                .text = text + start,
                .bytes = (uint32_t)(end - start),
                .type = type,
                .escaped = type == MR_JSON_STRING && memchr (text, '\\', bytes) != NULL,
            };
            return MR_JSON_OK;
        }
        check.what = "nothing more is expected here";
        error = MR_JSON_SYNTAX;
    }
    *ret_offset = check.at;
    *ret_what = check.what;
    return error;
}

const char *
mr_json_error_name (mr_json_error_t error)
{
    static const char *const names[] = {
        [MR_JSON_OK] = "ok",
        [MR_JSON_SYNTAX] = "json_syntax",
        [MR_JSON_UTF8] = "json_utf8",
        [MR_JSON_NOT_OBJECT] = "json_not_object",
        [MR_JSON_DEPTH] = "json_depth",
    };
    return names[error];
}
