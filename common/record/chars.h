/* chars: the character classes and token grammars of JSON that both readers (json.c for speed,
 * check.c for precision) share. Pure. */
#ifndef MR_COMMON_RECORD_CHARS_H
#define MR_COMMON_RECORD_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool
mr_is_space (char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool
mr_is_digit (char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* 0 .. 15, or -1. */
static inline int
mr_hex_value (char c)
{
    if (mr_is_digit (c)) {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Length of the digits at text. */
static inline size_t
mr_digits (const char *text, size_t bytes)
{
    size_t n = 0;
    while (n < bytes && mr_is_digit (text[n])) {
        n++;
    }
    return n;
}

/* `bytes` when text[0 .. bytes), not empty, is one whole JSON number; else the offset of the first
 * byte that cannot stand where it stands, or SIZE_MAX when the number ends too early ("1e", "-").
 */
static inline size_t
mr_number_is_good (const char *text, size_t bytes)
{
    size_t at = text[0] == '-';
    size_t digits = mr_digits (text + at, bytes - at);
    if (digits == 0) {
        return at < bytes ? at : SIZE_MAX;
    }
    if (digits > 1 && text[at] == '0') {
        return at + 1;
    }
    at += digits;
    if (at < bytes && text[at] == '.') {
        at++;
        digits = mr_digits (text + at, bytes - at);
        if (digits == 0) {
            return at < bytes ? at : SIZE_MAX;
        }
        at += digits;
    }
    if (at < bytes && (text[at] | 0x20) == 'e') {
        at++;
        at += at < bytes && (text[at] == '+' || text[at] == '-');
        digits = mr_digits (text + at, bytes - at);
        if (digits == 0) {
            return at < bytes ? at : SIZE_MAX;
        }
        at += digits;
    }
    return at;
}

/* Length of the escape at text (a backslash first), 0 when it is none. */
static inline size_t
mr_escape_bytes (const char *text, size_t bytes)
{
    if (bytes < 2) {
        return 0;
    }
    switch (text[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return 2;
    case 'u':
        for (size_t i = 2; i < 6; i++) {
            if (i >= bytes || mr_hex_value (text[i]) < 0) {
                return 0;
            }
        }
        return 6;
    default:
        return 0;
    }
}

/* Whether every escape in the inside of a string is one that JSON knows. */
static inline bool
mr_escapes_are_good (const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        const char *backslash = memchr (text + at, '\\', bytes - at);
        if (backslash == NULL) {
            break;
        }
        at = (size_t)(backslash - text);
        size_t escape = mr_escape_bytes (backslash, bytes - at);
        if (escape == 0) {
            return false;
        }
        at += escape;
    }
    return true;
}

#endif
