#include "common/wire/event.h"

#include "common/base/clock.h"
#include "common/base/utf8.h"
#include "common/wire/jsonwriter.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    [MR_EVENT_SUCCESS] = "success",
    [MR_EVENT_ERROR] = "error",
};

void
mr_event_topic (const mr_event_t *event, char *ret_topic)
{
    snprintf (ret_topic, MR_EVENT_TOPIC_BYTES, "%s.%s.%s", kind_names[event->kind], event->domain,
              event->operation);
}

mr_status_t
mr_event_encode (const mr_event_t *event, mr_buffer_t *out)
{
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, out);
    mr_jsonwriter_open (&json, NULL, '{');
    mr_jsonwriter_text (&json, "domain", event->domain);
    mr_jsonwriter_text (&json, "operation", event->operation);
    switch (event->kind) {
    case MR_EVENT_SUCCESS:
        MR_ASSERT (isfinite (event->duration_ms) && event->duration_ms >= 0);
        mr_jsonwriter_figure (&json, "duration", event->duration_ms);
        break;
    case MR_EVENT_ERROR:
        mr_jsonwriter_text (&json, "error_type", event->error_type);
        mr_jsonwriter_text (&json, "message", event->message);
        mr_jsonwriter_text (&json, "sample", event->sample);
        break;
    }
    mr_jsonwriter_u64 (&json, "count", event->count);
    mr_jsonwriter_text (&json, "worker", event->worker);
    mr_jsonwriter_hex (&json, "incarnation", event->incarnation);
    mr_jsonwriter_u64 (&json, "event_seq", event->event_seq);
    mr_jsonwriter_time (&json, "ts", event->ts_ns);
    mr_jsonwriter_close (&json, '}');
    return mr_jsonwriter_finish (&json);
}

static mr_status_t
invalid (mr_error_t *err, const char *field)
{
    mr_error_set (err, "event: bad %s", field);
    return MR_INVALID;
}

static bool
is_name_byte (char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
}

/* Names end in topics, file names and metric labels: a narrow alphabet keeps them harmless. */
bool
mr_event_is_name (const char *text)
{
    size_t bytes = 0;
    while (bytes < MR_EVENT_NAME_BYTES && is_name_byte (text[bytes])) {
        bytes++;
    }
    return bytes > 0 && bytes < MR_EVENT_NAME_BYTES && text[bytes] == '\0';
}

static mr_status_t
read_name (const json_t *object, const char *key, char *ret_name, mr_error_t *err)
{
    const json_t *value = json_object_get (object, key);
    const char *text = json_string_value (value);
    if (text == NULL || !mr_event_is_name (text) || strlen (text) != json_string_length (value)) {
        return invalid (err, key);
    }
    snprintf (ret_name, MR_EVENT_NAME_BYTES, "%s", text);
    return MR_OK;
}

/* May be missing; cut between characters, because U+FFFD makes an encoded text longer. */
static mr_status_t
read_text (const json_t *object, const char *key, char *ret_text, mr_error_t *err)
{
    const json_t *value = json_object_get (object, key);
    if (value == NULL) {
        ret_text[0] = '\0';
        return MR_OK;
    }
    const char *text = json_string_value (value);
    if (text == NULL) {
        return invalid (err, key);
    }
    size_t bytes = json_string_length (value);
    if (bytes >= MR_EVENT_TEXT_BYTES) {
        bytes = mr_utf8_check (text, MR_EVENT_TEXT_BYTES - 1);
    }
    memcpy (ret_text, text, bytes);
    ret_text[bytes] = '\0';
    return MR_OK;
}

static mr_status_t
read_count (const json_t *object, const char *key, uint64_t *ret_count, mr_error_t *err)
{
    const json_t *value = json_object_get (object, key);
    if (!json_is_integer (value) || json_integer_value (value) < 0) {
        return invalid (err, key);
    }
    *ret_count = (uint64_t)json_integer_value (value);
    return MR_OK;
}

/* 16 lower-case hex digits. */
static mr_status_t
read_hex (const json_t *object, const char *key, uint64_t *ret_value, mr_error_t *err)
{
    const json_t *value = json_object_get (object, key);
    if (json_string_length (value) != 16) {
        return invalid (err, key);
    }
    const char *text = json_string_value (value);
    static const char digits[] = "0123456789abcdef";
    uint64_t number = 0;
    for (size_t i = 0; i < 16; i++) {
        const char *digit = memchr (digits, text[i], 16);
        if (digit == NULL) {
            return invalid (err, key);
        }
        number = number << 4 | (uint64_t)(digit - digits);
    }
    *ret_value = number;
    return MR_OK;
}

static mr_status_t
read_time (const json_t *object, const char *key, int64_t *ret_ns, mr_error_t *err)
{
    const json_t *value = json_object_get (object, key);
    const char *text = json_string_value (value);
    if (text == NULL || mr_clock_parse (text, json_string_length (value), ret_ns) != MR_OK) {
        return invalid (err, key);
    }
    return MR_OK;
}

static mr_status_t
read_duration (const json_t *object, double *ret_ms, mr_error_t *err)
{
    const json_t *value = json_object_get (object, "duration");
    if (!json_is_number (value) || !(json_number_value (value) >= 0)) {
        return invalid (err, "duration");
    }
    *ret_ms = json_number_value (value);
    return MR_OK;
}

/* What success and error events have in common. */
static mr_status_t
read_common (const json_t *object, mr_event_t *event, mr_error_t *err)
{
    mr_status_t status = read_name (object, "domain", event->domain, err);
    if (status == MR_OK) {
        status = read_name (object, "operation", event->operation, err);
    }
    if (status == MR_OK) {
        status = read_count (object, "count", &event->count, err);
    }
    if (status == MR_OK) {
        status = read_name (object, "worker", event->worker, err);
    }
    if (status == MR_OK) {
        status = read_hex (object, "incarnation", &event->incarnation, err);
    }
    if (status == MR_OK) {
        status = read_count (object, "event_seq", &event->event_seq, err);
    }
    if (status == MR_OK && event->event_seq == 0) {
        status = invalid (err, "event_seq");
    }
    if (status == MR_OK) {
        status = read_time (object, "ts", &event->ts_ns, err);
    }
    return status;
}

static mr_status_t
read_error_fields (const json_t *object, mr_event_t *event, mr_error_t *err)
{
    mr_status_t status = read_name (object, "error_type", event->error_type, err);
    if (status == MR_OK) {
        status = read_text (object, "message", event->message, err);
    }
    if (status == MR_OK) {
        status = read_text (object, "sample", event->sample, err);
    }
    return status;
}

static mr_status_t
read_event (const json_t *object, const char *topic, mr_event_t *event, mr_error_t *err)
{
    mr_status_t status = read_common (object, event, err);
    if (status == MR_OK) {
        status = event->kind == MR_EVENT_SUCCESS ? read_duration (object, &event->duration_ms, err)
                                                 : read_error_fields (object, event, err);
    }
    if (status != MR_OK) {
        return status;
    }
    char expected[MR_EVENT_TOPIC_BYTES];
    mr_event_topic (event, expected);
    return strcmp (expected, topic) == 0 ? MR_OK : invalid (err, "topic");
}

mr_status_t
mr_event_decode (const char *topic, const char *json, size_t bytes, mr_event_t *ret_event,
                 mr_error_t *err)
{
    mr_event_t event = {.kind = MR_EVENT_SUCCESS};
    if (strncmp (topic, "error.", 6) == 0) {
        event.kind = MR_EVENT_ERROR;
    } else if (strncmp (topic, "success.", 8) != 0) {
        return MR_CLOSED;
    }
    if (bytes > MR_EVENT_MAX_BYTES) {
        return invalid (err, "size");
    }
    json_error_t reason;
    json_t *object = json_loadb (json, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &reason);
    if (object == NULL) {
        mr_error_set (err, "event: bad JSON at byte %d: %s", reason.position, reason.text);
        return MR_INVALID;
    }
    mr_status_t status = json_is_object (object) ? read_event (object, topic, &event, err)
                                                 : invalid (err, "JSON: not an object");
    json_decref (object);
    if (status == MR_OK) {
        *ret_event = event;
    }
    return status;
}
