#include "common/wire/producer.h"

#include "common/base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool
is_digit (char c)
{
    return c >= '0' && c <= '9';
}

/* Decimal digits, all of the text; MR_INVALID: none, others, or above the maximum. */
static mr_status_t
read_number (const char *text, size_t bytes, uint64_t *ret_number)
{
    uint64_t number = 0;
    if (bytes == 0) {
        return MR_INVALID;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (!is_digit (text[i])) {
            return MR_INVALID;
        }
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (number > (MR_PRODUCER_MAX_NUMBER - digit) / 10) {
            return MR_INVALID;
        }
        number = number * 10 + digit;
    }
    *ret_number = number;
    return MR_OK;
}

/* Names are kept, logged and shown. A random binary id that happens to end in "/7" is not one. */
static bool
is_name (const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return mr_utf8_check (text, bytes) == bytes;
}

mr_status_t
mr_producer_id_parse (mr_frame_t frame, mr_producer_id_t *ret_id, mr_error_t *err)
{
    const char *text = frame.data;
    if (frame.bytes == 0 || frame.bytes > MR_PRODUCER_ID_MAX_BYTES) {
        mr_error_set (err, "the id has %zu bytes; it must have 1 to %d", frame.bytes,
                      MR_PRODUCER_ID_MAX_BYTES);
        return MR_INVALID;
    }
    size_t name_bytes = frame.bytes;
    while (name_bytes > 0 && is_digit (text[name_bytes - 1])) {
        name_bytes--;
    }
    size_t digits = frame.bytes - name_bytes;
    if (digits == 0 || name_bytes == 0 || text[name_bytes - 1] != '/' ||
        !is_name (text, name_bytes - 1)) {
        *ret_id = (mr_producer_id_t){.numbered = false};
        return MR_OK;
    }
    mr_producer_id_t id = {.numbered = true, .name = text, .name_bytes = name_bytes - 1};
    if (id.name_bytes == 0) {
        mr_error_set (err, "the id has no producer name before \"/\"; write NAME/N");
        return MR_INVALID;
    }
    if (read_number (text + name_bytes, digits, &id.number) != MR_OK) {
        mr_error_set (err, "the number in the id is above %" PRIu64, MR_PRODUCER_MAX_NUMBER);
        return MR_INVALID;
    }
    *ret_id = id;
    return MR_OK;
}

mr_status_t
mr_producer_id_format (const char *name, uint64_t number, char *ret_id, mr_error_t *err)
{
    char text[MR_PRODUCER_ID_MAX_BYTES + 1];
    int length = snprintf (text, sizeof text, "%s/%" PRIu64, name, number);
    size_t name_bytes = strlen (name);
    if (length < 0 || (size_t)length >= sizeof text || number > MR_PRODUCER_MAX_NUMBER ||
        name_bytes == 0 || !is_name (name, name_bytes)) {
        mr_error_set (err,
                      "producer \"%s\": a name is UTF-8 without control characters, and with \"/\" "
                      "and its number (at most %" PRIu64 ") no longer than %d bytes",
                      name, MR_PRODUCER_MAX_NUMBER, MR_PRODUCER_ID_MAX_BYTES);
        return MR_INVALID;
    }
    memcpy (ret_id, text, (size_t)length + 1);
    return MR_OK;
}

bool
mr_producer_is_once (const char *name, size_t bytes)
{
    size_t prefix = strlen (MR_PRODUCER_ONCE);
    return bytes >= prefix && memcmp (name, MR_PRODUCER_ONCE, prefix) == 0;
}

bool
mr_producer_blank (const char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (data[i] != ' ' && data[i] != '\t' && data[i] != '\r' && data[i] != '\n') {
            return false;
        }
    }
    return true;
}

mr_verdict_t
mr_producer_judge (uint64_t last, uint64_t number, uint32_t records)
{
    MR_ASSERT (last <= MR_PRODUCER_MAX_NUMBER && number <= MR_PRODUCER_MAX_NUMBER);
    if (records == 0) {
        return (mr_verdict_t){.type = MR_VERDICT_DUPLICATE, .last = last};
    }
    if (records > number) {
        return (mr_verdict_t){.type = MR_VERDICT_MALFORMED, .last = last};
    }
    if (number <= last) {
        return (mr_verdict_t){.type = MR_VERDICT_DUPLICATE, .last = last};
    }
    uint64_t before = number - records; /* the number in front of the request's first record */
    if (before > last) {
        return (mr_verdict_t){.type = MR_VERDICT_GAP, .last = last};
    }
    return (mr_verdict_t){
        .type = MR_VERDICT_STORE,
        .skip = (uint32_t)(last - before),
        .last = number,
    };
}

static const char *const answer_words[] = {
    [MR_ANSWER_OK] = "ok",
    [MR_ANSWER_BUSY] = "busy",
    [MR_ANSWER_GAP] = "gap",
    [MR_ANSWER_ERROR] = "error",
};

size_t
mr_answer_encode (const mr_answer_t *answer, char *ret_text, mr_frame_t ret_frames[2])
{
    const char *word = answer_words[answer->type];
    ret_frames[0] = (mr_frame_t){word, strlen (word)};
    switch (answer->type) {
    case MR_ANSWER_BUSY:
        return 1;
    case MR_ANSWER_OK:
    case MR_ANSWER_GAP:
        snprintf (ret_text, MR_ANSWER_WHY_BYTES, "%" PRIu64, answer->last);
        break;
    case MR_ANSWER_ERROR:
        snprintf (ret_text, MR_ANSWER_WHY_BYTES, "%s", answer->why);
        break;
    }
    ret_frames[1] = (mr_frame_t){ret_text, strlen (ret_text)};
    return 2;
}

static mr_status_t
invalid (mr_error_t *err, const char *field)
{
    mr_error_set (err, "answer to a producer: bad %s", field);
    return MR_INVALID;
}

static mr_status_t
read_word (mr_frame_t frame, mr_answer_type_t *ret_type, mr_error_t *err)
{
    for (size_t i = 0; i < sizeof answer_words / sizeof answer_words[0]; i++) {
        if (frame.bytes == strlen (answer_words[i]) &&
            memcmp (frame.data, answer_words[i], frame.bytes) == 0) {
            *ret_type = (mr_answer_type_t)i;
            return MR_OK;
        }
    }
    return invalid (err, "word");
}

/* Text from a peer: cut to fit, and printable on one line. */
static void
read_why (mr_frame_t frame, char *ret_why)
{
    const char *text = frame.data;
    size_t bytes = frame.bytes < MR_ANSWER_WHY_BYTES - 1 ? frame.bytes : MR_ANSWER_WHY_BYTES - 1;
    bytes = bytes > 0 ? mr_utf8_check (text, bytes) : 0;
    for (size_t i = 0; i < bytes; i++) {
        bool control = (unsigned char)text[i] < 0x20 || text[i] == 0x7f;
        ret_why[i] = control ? ' ' : text[i];
    }
    ret_why[bytes] = '\0';
}

mr_status_t
mr_answer_decode (const mr_frame_t *frames, size_t count, mr_answer_t *ret_answer, mr_error_t *err)
{
    if (count == 0) {
        return invalid (err, "count of frames");
    }
    mr_answer_t answer = {0};
    mr_status_t status = read_word (frames[0], &answer.type, err);
    if (status != MR_OK) {
        return status;
    }
    if (answer.type != MR_ANSWER_BUSY && count < 2) {
        return invalid (err, "count of frames");
    }
    switch (answer.type) {
    case MR_ANSWER_BUSY:
        break;
    case MR_ANSWER_OK:
    case MR_ANSWER_GAP:
        if (read_number (frames[1].data, frames[1].bytes, &answer.last) != MR_OK) {
            return invalid (err, "last");
        }
        break;
    case MR_ANSWER_ERROR:
        read_why (frames[1], answer.why);
        break;
    }
    *ret_answer = answer;
    return MR_OK;
}
