#include "common/wire/jsonwriter.h"

#include "common/base/clock.h"
#include "common/wire/jsontext.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void
mr_jsonwriter_init (mr_jsonwriter_t *self, mr_buffer_t *out)
{
    *self = (mr_jsonwriter_t){.out = out, .start = out->size, .status = MR_OK};
}

static void
append (mr_jsonwriter_t *self, const char *text, size_t bytes)
{
    if (self->status == MR_OK) {
        self->status = mr_buffer_append (self->out, text, bytes);
    }
}

/* What stands in front of a value: a comma, a key. */
static void
begin (mr_jsonwriter_t *self, const char *key)
{
    if (self->comma) {
        append (self, ",", 1);
    }
    self->comma = true;
    if (key != NULL) {
        append (self, "\"", 1);
        append (self, key, strlen (key));
        append (self, "\":", 2);
    }
}

void
mr_jsonwriter_open (mr_jsonwriter_t *self, const char *key, char bracket)
{
    begin (self, key);
    append (self, &bracket, 1);
    self->comma = false;
}

void
mr_jsonwriter_close (mr_jsonwriter_t *self, char bracket)
{
    append (self, &bracket, 1);
    self->comma = true;
}

void
mr_jsonwriter_raw (mr_jsonwriter_t *self, const char *key, const char *json, size_t bytes)
{
    begin (self, key);
    append (self, json, bytes);
}

void
mr_jsonwriter_text (mr_jsonwriter_t *self, const char *key, const char *text)
{
    mr_jsonwriter_string (self, key, text, strlen (text));
}

void
mr_jsonwriter_string (mr_jsonwriter_t *self, const char *key, const char *text, size_t bytes)
{
    begin (self, key);
    if (self->status == MR_OK) {
        self->status = mr_jsontext_string (self->out, text, bytes);
    }
}

/* Three bytes (the missing ones 0) become four characters, of which `bytes` + 1 count. */
static void
base64_group (const uint8_t *data, size_t bytes, char *ret_text)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t group = (uint32_t)data[0] << 16;
    group |= bytes > 1 ? (uint32_t)data[1] << 8 : 0;
    group |= bytes > 2 ? data[2] : 0;
    for (size_t i = 0; i < 4; i++) {
        ret_text[i] = i <= bytes ? alphabet[(group >> (18 - 6 * i)) & 63] : '=';
    }
}

void
mr_jsonwriter_base64 (mr_jsonwriter_t *self, const char *key, const void *data, size_t bytes)
{
    begin (self, key);
    append (self, "\"", 1);
    if (self->status == MR_OK) {
        self->status = mr_buffer_reserve (self->out, (bytes + 2) / 3 * 4);
    }
    const uint8_t *from = data;
    for (size_t at = 0; self->status == MR_OK && at < bytes; at += 3) {
        size_t rest = bytes - at;
        char text[4];
        base64_group (from + at, rest < 3 ? rest : 3, text);
        append (self, text, sizeof text);
    }
    append (self, "\"", 1);
}

void
mr_jsonwriter_hex (mr_jsonwriter_t *self, const char *key, uint64_t value)
{
    char text[24];
    int length = snprintf (text, sizeof text, "\"%016" PRIx64 "\"", value);
    mr_jsonwriter_raw (self, key, text, (size_t)length);
}

void
mr_jsonwriter_time (mr_jsonwriter_t *self, const char *key, int64_t wall_ns)
{
    char text[MR_RFC3339_BYTES];
    mr_clock_format (wall_ns, text);
    mr_jsonwriter_text (self, key, text);
}

void
mr_jsonwriter_u64 (mr_jsonwriter_t *self, const char *key, uint64_t value)
{
    char text[24];
    int length = snprintf (text, sizeof text, "%" PRIu64, value);
    mr_jsonwriter_raw (self, key, text, (size_t)length);
}

void
mr_jsonwriter_i64 (mr_jsonwriter_t *self, const char *key, int64_t value)
{
    char text[24];
    int length = snprintf (text, sizeof text, "%" PRId64, value);
    mr_jsonwriter_raw (self, key, text, (size_t)length);
}

void
mr_jsonwriter_double (mr_jsonwriter_t *self, const char *key, double value)
{
    begin (self, key);
    if (self->status == MR_OK) {
        self->status = mr_jsontext_number (self->out, value);
    }
}

void
mr_jsonwriter_figure (mr_jsonwriter_t *self, const char *key, double value)
{
    mr_jsonwriter_double (self, key, fabs (value) < 1e9 ? round (value * 1e6) / 1e6 : value);
}

void
mr_jsonwriter_bool (mr_jsonwriter_t *self, const char *key, bool value)
{
    const char *text = value ? "true" : "false";
    mr_jsonwriter_raw (self, key, text, strlen (text));
}

void
mr_jsonwriter_null (mr_jsonwriter_t *self, const char *key)
{
    mr_jsonwriter_raw (self, key, "null", 4);
}

mr_status_t
mr_jsonwriter_finish (mr_jsonwriter_t *self)
{
    if (self->status != MR_OK) {
        self->out->size = self->start;
    }
    return self->status;
}
