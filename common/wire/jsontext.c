#include "common/wire/jsontext.h"

#include "common/base/utf8.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    CHUNK_BYTES = 1024,       /* escaped at a time, on the stack */
    SHORTEST_SAFE_DIGITS = 15 /* a normal double with fewer prints the same with this many */
};

/* At most CHUNK_BYTES, and never the first half of a character: its lead byte is at most three
 * back; where there is none, the bytes are not UTF-8 and any cut will do. */
static size_t
chunk_bytes (const char *text, size_t bytes)
{
    if (bytes <= CHUNK_BYTES) {
        return bytes;
    }
    for (size_t back = 0; back < MR_UTF8_MAX_BYTES; back++) {
        if (((unsigned char)text[CHUNK_BYTES - back] & 0xc0) != 0x80) {
            return CHUNK_BYTES - back;
        }
    }
    return CHUNK_BYTES;
}

mr_status_t
mr_jsontext_string (mr_buffer_t *out, const char *text, size_t bytes)
{
    size_t start = out->size;
    mr_status_t status = mr_buffer_append (out, "\"", 1);
    size_t at = 0;
    while (status == MR_OK && at < bytes) {
        char escaped[MR_JSON_ESCAPE_BYTES (CHUNK_BYTES)];
        size_t chunk = chunk_bytes (text + at, bytes - at);
        status = mr_buffer_append (out, escaped, mr_json_escape (text + at, chunk, escaped));
        at += chunk;
    }
    if (status == MR_OK) {
        status = mr_buffer_append (out, "\"", 1);
    }
    if (status != MR_OK) {
        out->size = start;
    }
    return status;
}

mr_status_t
mr_jsontext_number (mr_buffer_t *out, double value)
{
    if (!isfinite (value)) {
        return mr_buffer_append (out, "null", 4);
    }
    char text[32];
    int length;
    if (fabs (value) < 1e15 && value == trunc (value)) {
        length = snprintf (text, sizeof text, "%.0f", value);
        return mr_buffer_append (out, text, (size_t)length);
    }
    int digits = fabs (value) < DBL_MIN ? 1 : SHORTEST_SAFE_DIGITS;
    do {
        length = snprintf (text, sizeof text, "%.*g", digits++, value);
    } while (digits <= DBL_DECIMAL_DIG && strtod (text, NULL) != value);
    return mr_buffer_append (out, text, (size_t)length);
}

bool
mr_utf8_valid (const char *text, size_t bytes)
{
    return mr_utf8_check (text, bytes) == bytes;
}
