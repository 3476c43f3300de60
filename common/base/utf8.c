#include "common/base/utf8.h"

#include <stdbool.h>
#include <string.h>

static inline bool
in_range (char c, unsigned low, unsigned high)
{
    return (unsigned char)c >= low && (unsigned char)c <= high;
}

size_t
mr_utf8_bytes (const char *text, size_t bytes)
{
    unsigned char lead = (unsigned char)text[0];
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4 || bytes < 2) {
        return 0;
    }
    if (lead < 0xe0) {
        return in_range (text[1], 0x80, 0xbf) ? 2 : 0;
    }
    unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    size_t length = lead < 0xf0 ? 3 : 4;
    if (bytes < length || !in_range (text[1], low, high)) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (!in_range (text[i], 0x80, 0xbf)) {
            return 0;
        }
    }
    return length;
}

size_t
mr_utf8_check (const char *text, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        size_t length = mr_utf8_bytes (text + at, bytes - at);
        if (length == 0) {
            break;
        }
        at += length;
    }
    return at;
}

size_t
mr_utf8_encode (uint32_t code, char *ret_text)
{
    if (code < 0x80) {
        ret_text[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        ret_text[0] = (char)(0xc0 | code >> 6);
        ret_text[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        code = 0xfffd;
    }
    if (code < 0x10000) {
        ret_text[0] = (char)(0xe0 | code >> 12);
        ret_text[1] = (char)(0x80 | (code >> 6 & 0x3f));
        ret_text[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    ret_text[0] = (char)(0xf0 | code >> 18);
    ret_text[1] = (char)(0x80 | (code >> 12 & 0x3f));
    ret_text[2] = (char)(0x80 | (code >> 6 & 0x3f));
    ret_text[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* The escape of a byte that must be escaped; its length. */
static size_t
escape_byte (unsigned char byte, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    static const char letters[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
    };
    ret_text[0] = '\\';
    char letter = byte < 32 ? letters[byte] : (char)byte;
    if (letter != '\0') {
        ret_text[1] = letter;
        return 2;
    }
    memcpy (ret_text + 1, "u00", 3);
    ret_text[4] = digits[byte >> 4];
    ret_text[5] = digits[byte & 15];
    return 6;
}

size_t
mr_json_escape (const char *text, size_t bytes, char *ret_text)
{
    char *out = ret_text;
    size_t at = 0;
    while (at < bytes) {
        unsigned char byte = (unsigned char)text[at];
        if (byte >= 32 && byte < 0x80 && byte != '"' && byte != '\\') {
            *out++ = (char)byte;
            at++;
            continue;
        }
        if (byte < 0x80) {
            out += escape_byte (byte, out);
            at++;
            continue;
        }
        size_t length = mr_utf8_bytes (text + at, bytes - at);
        if (length == 0) {
            out += mr_utf8_encode (0xfffd, out);
            at++;
        } else {
            memcpy (out, text + at, length);
            out += length;
            at += length;
        }
    }
    return (size_t)(out - ret_text);
}
