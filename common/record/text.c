#include "common/record/text.h"

#include "common/base/utf8.h"
#include "common/record/chars.h"

#include <string.h>

/* A text read byte by byte, escapes resolved. */
typedef struct {
    const char *at;
    const char *end;
    char pending[MR_UTF8_MAX_BYTES];
    unsigned pending_at;
    unsigned pending_bytes;
} reader_t;

static uint32_t
hex4 (const char *text)
{
    uint32_t code = 0;
    for (unsigned i = 0; i < 4; i++) {
        code = code << 4 | (uint32_t)mr_hex_value (text[i]);
    }
    return code;
}

/* The character of the escape at *at (valid text), which moves beyond it. */
static uint32_t
read_escape (const char **at, const char *end)
{
    const char *text = *at;
    *at += 2;
    switch (text[1]) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'u':
        break;
    default:
        return (unsigned char)text[1];
    }
    *at += 4;
    uint32_t high = hex4 (text + 2);
    if (high >= 0xd800 && high < 0xdc00 && end - *at >= 6 && text[6] == '\\' && text[7] == 'u') {
        uint32_t low = hex4 (text + 8);
        if (low >= 0xdc00 && low < 0xe000) {
            *at += 6;
            return 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00));
        }
    }
    return high;
}

/* The next byte, -1 at the end. */
static int
next_byte (reader_t *self)
{
    if (self->pending_at < self->pending_bytes) {
        return (unsigned char)self->pending[self->pending_at++];
    }
    if (self->at == self->end) {
        return -1;
    }
    if (*self->at != '\\') {
        return (unsigned char)*self->at++;
    }
    uint32_t code = read_escape (&self->at, self->end);
    self->pending_bytes = (unsigned)mr_utf8_encode (code, self->pending);
    self->pending_at = 1;
    return (unsigned char)self->pending[0];
}

/* memcmp for the part both have, then the shorter is lower. */
static int
compare_plain (mr_text_t a, mr_text_t b)
{
    uint32_t shorter = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = shorter == 0 ? 0 : memcmp (a.data, b.data, shorter);
    if (order != 0) {
        return order;
    }
    return (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* One side escaped, or both. An unescaped side has no escapes to resolve, even if it holds a
 * backslash: its bytes are taken as they are. */
static int
compare_escaped (mr_text_t a, mr_text_t b)
{
    reader_t readers[2] = {
        {.at = a.data, .end = a.data + a.bytes},
        {.at = b.data, .end = b.data + b.bytes},
    };
    bool escaped[2] = {a.escaped, b.escaped};
    for (;;) {
        int bytes[2];
        for (unsigned i = 0; i < 2; i++) {
            reader_t *reader = &readers[i];
            if (escaped[i]) {
                bytes[i] = next_byte (reader);
            } else {
                bytes[i] = reader->at == reader->end ? -1 : (unsigned char)*reader->at++;
            }
        }
        if (bytes[0] != bytes[1] || bytes[0] < 0) {
            return bytes[0] - bytes[1];
        }
    }
}

bool
mr_text_equal (mr_text_t a, mr_text_t b)
{
    if (!a.escaped && !b.escaped) {
        return a.bytes == b.bytes && (a.bytes == 0 || memcmp (a.data, b.data, a.bytes) == 0);
    }
    return compare_escaped (a, b) == 0;
}

int
mr_text_compare (mr_text_t a, mr_text_t b)
{
    return a.escaped || b.escaped ? compare_escaped (a, b) : compare_plain (a, b);
}

size_t
mr_text_decode (mr_text_t text, char *ret_text)
{
    if (!text.escaped) {
        memcpy (ret_text, text.data, text.bytes);
        return text.bytes;
    }
    reader_t reader = {.at = text.data, .end = text.data + text.bytes};
    size_t bytes = 0;
    int byte;
    while ((byte = next_byte (&reader)) >= 0) {
        ret_text[bytes++] = (char)byte;
    }
    return bytes;
}
