#include "tests/bench/load/load.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The seed with which 200,201 of the first 1,000,000 events are debug: 799,799 survive. */
#define SEED UINT64_C (1314)
#define FIRST_TS_NS (INT64_C (1795423297) * 1000000000) /* 2026-11-23 08:41:37 UTC */
#define NS_PER_S INT64_C (1000000000)

enum { TS_BYTES = 30 }; /* 2026-11-23T08:41:37.123456789Z */

const char *const mr_load_levels[MR_LOAD_LEVELS] = {"debug", "info", "warn", "error"};
const char *const mr_load_services[MR_LOAD_SERVICES] = {"cart", "search", "payment", "login"};

/* splitmix64's finisher. */
static uint64_t
mix (uint64_t x)
{
    x += UINT64_C (0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C (0x94d049bb133111eb);
    return x ^ (x >> 31);
}

mr_load_event_t
mr_load_event (uint64_t number)
{
    static const unsigned others[8] = {1, 1, 1, 1, 1, 2, 2, 3};
    uint64_t noise = mix (number ^ (SEED << 40));
    mr_load_event_t event = {.noise = noise, .service = (unsigned)(noise >> 60) % MR_LOAD_SERVICES};
    event.level = noise % 5 == 0 ? 0 : others[noise >> 48 & 7];
    return event;
}

int64_t
mr_load_fixed_ts (uint64_t number)
{
    return FIRST_TS_NS + (int64_t)number * 1000;
}

static char *
put (char *to, const char *text)
{
    size_t bytes = strlen (text);
    memcpy (to, text, bytes);
    return to + bytes;
}

static char *
put_digits (char *to, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return to + digits;
}

static char *
put_number (char *to, uint64_t value)
{
    int digits = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10) {
        digits++;
    }
    return put_digits (to, value, digits);
}

/* Calendar work only once a second. */
static char *
put_ts (char *to, int64_t ts_ns)
{
    static _Thread_local time_t known = -1;
    static _Thread_local char text[32];
    time_t second = (time_t)(ts_ns / NS_PER_S);
    if (second != known) {
        struct tm parts;
        gmtime_r (&second, &parts);
        strftime (text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &parts);
        known = second;
    }
    to = put (to, text);
    to = put_digits (to, (uint64_t)(ts_ns % NS_PER_S), 9);
    *to++ = 'Z';
    return to;
}

typedef struct shape {
    size_t bytes; /* of the record as it goes in */
    int64_t ts_ns;
    bool expected; /* as it comes out */
} shape_t;

/* What both forms share but for the name of the user. */
static char *
put_fields (char *to, uint64_t number, const mr_load_event_t *event, const shape_t *shape)
{
    uint64_t noise = event->noise;
    to = put_number (put (to, "{\"n\":"), number);
    if (shape->bytes >= MR_LOAD_STAMP_BYTES) {
        to = put_ts (put (to, ",\"ts\":\""), shape->ts_ns);
        *to++ = '"';
    }
    to = put (put (to, ",\"level\":\""), mr_load_levels[event->level]);
    to = put (put (to, "\",\"service\":\""), mr_load_services[event->service]);
    to = put (to, shape->expected ? "\",\"user_id\":\"user-" : "\",\"user\":\"user-");
    to = put_digits (to, (noise >> 8) % 100000, 5);
    to = put_number (put (to, "\",\"latency_ms\":"), (noise >> 24) % 700);
    *to++ = '.';
    return put_digits (to, (noise >> 12) % 1000, 3);
}

static char *
put_more (char *to, uint64_t number, const mr_load_event_t *event)
{
    static const char *const statuses[4] = {"200", "201", "404", "503"};
    to = put (put (to, ",\"status\":"), statuses[event->noise >> 56 & 3]);
    to = put (put (to, ",\"path\":\"/api/v1/"), mr_load_services[event->service]);
    *to++ = '/';
    to = put (put_number (to, number % 9973), "\",\"trace\":\"");
    for (int shift = 60; shift >= 0; shift -= 4) {
        *to++ = "0123456789abcdef"[event->noise >> shift & 15];
    }
    *to++ = '"';
    return to;
}

/* Words, so that the text looks like one, to `bytes` bytes. */
static char *
put_message (char *to, size_t bytes)
{
    static const char words[] =
        "the request was answered after a look into the cache of its shard, ";
    for (size_t done = 0; done < bytes;) {
        size_t piece = bytes - done < sizeof words - 1 ? bytes - done : sizeof words - 1;
        memcpy (to + done, words, piece);
        done += piece;
    }
    return to + bytes;
}

static size_t
write_event (uint64_t number, const shape_t *shape, char *start)
{
    mr_load_event_t event = mr_load_event (number);
    char *to = put_fields (start, number, &event, shape);
    to = shape->bytes >= MR_LOAD_FULL_BYTES ? put_more (to, number, &event) : to;
    to = put (to, shape->bytes >= MR_LOAD_STAMP_BYTES ? ",\"message\":\"" : ",\"m\":\"");
    size_t used = (size_t)(to - start) - (shape->expected ? 3 : 0) + 2;
    to = put_message (to, shape->bytes - used);
    to = put (to, shape->expected ? "\",\"env\":\"prod\"}\n" : "\"}\n");
    return (size_t)(to - start);
}

size_t
mr_load_record (uint64_t number, size_t bytes, int64_t ts_ns, char *to)
{
    shape_t shape = {.bytes = bytes, .ts_ns = ts_ns};
    return write_event (number, &shape, to);
}

size_t
mr_load_expected (uint64_t number, size_t bytes, int64_t ts_ns, char *to)
{
    shape_t shape = {.bytes = bytes, .ts_ns = ts_ns, .expected = true};
    return mr_load_event (number).level == 0 ? 0 : write_event (number, &shape, to);
}

static int
digits (const char *text, int count)
{
    int value = 0;
    for (int i = 0; i < count; i++) {
        value = 10 * value + (text[i] - '0');
    }
    return value;
}

/* Calendar work only once a minute. */
static bool
read_ts (const char *text, int64_t *ret_ts_ns)
{
    enum { MINUTE_BYTES = 16 /* 2026-11-23T08:41 */ };
    static _Thread_local char known[MINUTE_BYTES];
    static _Thread_local int64_t minute_s;
    if (text[TS_BYTES - 1] != 'Z' || text[10] != 'T') {
        return false;
    }
    if (memcmp (text, known, MINUTE_BYTES) != 0) {
        struct tm parts = {
            .tm_year = digits (text, 4) - 1900,
            .tm_mon = digits (text + 5, 2) - 1,
            .tm_mday = digits (text + 8, 2),
            .tm_hour = digits (text + 11, 2),
            .tm_min = digits (text + 14, 2),
        };
        minute_s = (int64_t)timegm (&parts);
        memcpy (known, text, MINUTE_BYTES);
    }
    *ret_ts_ns = (minute_s + digits (text + 17, 2)) * NS_PER_S + digits (text + 20, 9);
    return true;
}

bool
mr_load_read (const char *line, size_t bytes, uint64_t *ret_number, int64_t *ret_ts_ns)
{
    static const char start[] = "{\"n\":";
    static const char middle[] = ",\"ts\":\"";
    size_t at = sizeof start - 1;
    if (bytes < MR_LOAD_MIN_BYTES || memcmp (line, start, at) != 0) {
        return false;
    }
    uint64_t number = 0;
    for (; at < 24 && line[at] >= '0' && line[at] <= '9'; at++) {
        number = 10 * number + (uint64_t)(line[at] - '0');
    }
    *ret_number = number;
    if (ret_ts_ns == NULL) {
        return true;
    }
    return memcmp (line + at, middle, sizeof middle - 1) == 0 &&
           read_ts (line + at + sizeof middle - 1, ret_ts_ns);
}
