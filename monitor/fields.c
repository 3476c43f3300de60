#include "monitor/fields.h"

#include "common/base/clock.h"

#include <math.h>
#include <string.h>

void
mr_fields_init (mr_fields_t *self, const json_t *object, const char *what, mr_error_t *err)
{
    *self = (mr_fields_t){.object = object, .what = what, .status = MR_OK, .err = err};
    if (!json_is_object (object)) {
        self->status = MR_INVALID;
        mr_error_set (err, "%s: not a JSON object", what);
    }
}

mr_status_t
mr_fields_fault (mr_fields_t *self, const char *key)
{
    if (self->status == MR_OK) {
        mr_error_set (self->err, "%s: bad %s", self->what, key);
    }
    return self->status = MR_INVALID;
}

static const json_t *
member (const mr_fields_t *self, const char *key)
{
    return self->status == MR_OK ? json_object_get (self->object, key) : NULL;
}

/* A narrow alphabet keeps names harmless in JSON keys, labels and file names. */
bool
mr_fields_is_key (const char *text, size_t bytes, size_t limit_bytes)
{
    static const char alphabet[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    return bytes > 0 && bytes < limit_bytes && strspn (text, alphabet) == bytes;
}

bool
mr_fields_is_name (const char *text, size_t bytes)
{
    return mr_fields_is_key (text, bytes, MR_EVENT_NAME_BYTES);
}

void
mr_fields_name (mr_fields_t *self, const char *key, char *ret_name)
{
    const json_t *value = member (self, key);
    size_t bytes = json_string_length (value);
    if (!json_is_string (value) || !mr_fields_is_name (json_string_value (value), bytes)) {
        mr_fields_fault (self, key);
        return;
    }
    memcpy (ret_name, json_string_value (value), bytes + 1);
}

void
mr_fields_u64 (mr_fields_t *self, const char *key, uint64_t *ret_value)
{
    const json_t *value = member (self, key);
    if (!json_is_integer (value) || json_integer_value (value) < 0) {
        mr_fields_fault (self, key);
        return;
    }
    *ret_value = (uint64_t)json_integer_value (value);
}

void
mr_fields_optional_u64 (mr_fields_t *self, const char *key, uint64_t *ret_value)
{
    if (member (self, key) != NULL) {
        mr_fields_u64 (self, key, ret_value);
    }
}

void
mr_fields_double (mr_fields_t *self, const char *key, double null_is, double *ret_value)
{
    const json_t *value = member (self, key);
    if (json_is_null (value)) {
        *ret_value = null_is;
    } else if (json_is_number (value) && isfinite (json_number_value (value))) {
        *ret_value = json_number_value (value);
    } else {
        mr_fields_fault (self, key);
    }
}

void
mr_fields_hex (mr_fields_t *self, const char *key, uint64_t *ret_value)
{
    const json_t *value = member (self, key);
    const char *text = json_string_value (value);
    static const char digits[] = "0123456789abcdef";
    if (text == NULL || json_string_length (value) != 16 || strspn (text, digits) != 16) {
        mr_fields_fault (self, key);
        return;
    }
    uint64_t number = 0;
    for (size_t i = 0; i < 16; i++) {
        const char *digit = strchr (digits, text[i]);
        number = number << 4 | (uint64_t)(digit - digits);
    }
    *ret_value = number;
}

void
mr_fields_time (mr_fields_t *self, const char *key, int64_t *ret_ns)
{
    const json_t *value = member (self, key);
    const char *text = json_string_value (value);
    if (text == NULL || mr_clock_parse (text, json_string_length (value), ret_ns) != MR_OK) {
        mr_fields_fault (self, key);
    }
}

json_t *
mr_fields_object (mr_fields_t *self, const char *key)
{
    json_t *value = self->status == MR_OK ? json_object_get (self->object, key) : NULL;
    if (!json_is_object (value)) {
        mr_fields_fault (self, key);
        return NULL;
    }
    return value;
}

json_t *
mr_fields_array (mr_fields_t *self, const char *key)
{
    json_t *value = self->status == MR_OK ? json_object_get (self->object, key) : NULL;
    if (!json_is_array (value)) {
        mr_fields_fault (self, key);
        return NULL;
    }
    return value;
}

void
mr_fields_stamp (mr_fields_t *self, mr_stamp_t *ret_stamp)
{
    mr_fields_name (self, "worker", ret_stamp->worker);
    mr_fields_hex (self, "incarnation", &ret_stamp->incarnation);
    mr_fields_u64 (self, "event_seq", &ret_stamp->event_seq);
    mr_fields_time (self, "ts", &ret_stamp->ts_ns);
    if (self->status == MR_OK && ret_stamp->event_seq == 0) {
        mr_fields_fault (self, "event_seq");
    }
}
