#include "launcher/chaos/record.h"

#include "common/base/hash.h"

#include <string.h>

enum { PAD_WORDS = 4, MAX_DIGITS = 19 };

typedef struct cursor {
    const char *at;
    const char *end;
} cursor_t;

static char *
put_text (char *at, const char *text)
{
    size_t bytes = strlen (text);
    memcpy (at, text, bytes);
    return at + bytes;
}

static char *
put_number (char *at, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

static char *
put_hex (char *at, uint64_t word)
{
    for (int shift = 60; shift >= 0; shift -= 4) {
        *at++ = "0123456789abcdef"[(word >> shift) & 15];
    }
    return at;
}

size_t
mr_chaos_record_make (const mr_chaos_record_t *record, char *ret_text)
{
    uint64_t seed[3] = {record->producer, record->number, 0};
    char *at = put_number (put_text (ret_text, "{\"p\":"), record->producer);
    at = put_number (put_text (at, ",\"n\":"), record->number);
    at = put_number (put_text (at, ",\"t\":"), record->made_ns);
    at = put_text (at, ",\"pad\":\"");
    for (seed[2] = 0; seed[2] < PAD_WORDS; seed[2]++) {
        at = put_hex (at, mr_hash64 (seed, sizeof seed));
    }
    at = put_text (at, mr_chaos_record_broken (record->number) ? "\"" : "\"}");
    return (size_t)(at - ret_text);
}

static bool
take_text (cursor_t *cursor, const char *text)
{
    size_t bytes = strlen (text);
    if ((size_t)(cursor->end - cursor->at) < bytes || memcmp (cursor->at, text, bytes) != 0) {
        return false;
    }
    cursor->at += bytes;
    return true;
}

static bool
take_number (cursor_t *cursor, uint64_t *ret_number)
{
    uint64_t number = 0;
    int digits = 0;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
        number = number * 10 + (uint64_t)(*cursor->at - '0');
        if (++digits > MAX_DIGITS) {
            return false;
        }
    }
    *ret_number = number;
    return digits > 0;
}

static bool
take_head (const char *line, size_t bytes, mr_chaos_record_t *ret_record)
{
    cursor_t cursor = {line, line + bytes};
    return take_text (&cursor, "{\"p\":") && take_number (&cursor, &ret_record->producer) &&
           take_text (&cursor, ",\"n\":") && take_number (&cursor, &ret_record->number) &&
           take_text (&cursor, ",\"t\":") && take_number (&cursor, &ret_record->made_ns);
}

bool
mr_chaos_record_read (const char *line, size_t bytes, mr_chaos_record_t *ret_record)
{
    mr_chaos_record_t record;
    char again[MR_CHAOS_RECORD_BYTES];
    if (bytes > sizeof again || !take_head (line, bytes, &record) ||
        mr_chaos_record_make (&record, again) != bytes || memcmp (line, again, bytes) != 0) {
        return false;
    }
    *ret_record = record;
    return true;
}

uint64_t
mr_chaos_record_made_ns (const char *line, size_t bytes)
{
    mr_chaos_record_t record;
    return take_head (line, bytes, &record) ? record.made_ns : 0;
}

bool
mr_chaos_record_broken (uint64_t number)
{
    return number % MR_CHAOS_BROKEN == 0;
}
