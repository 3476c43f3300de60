#include "common/base/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t
read_clock (clockid_t id)
{
    struct timespec ts;
    clock_gettime (id, &ts);
    return (int64_t)ts.tv_sec * MR_NS_PER_S + ts.tv_nsec;
}

int64_t
mr_clock_mono_ns (void)
{
    return read_clock (CLOCK_MONOTONIC);
}

int64_t
mr_clock_wall_ns (void)
{
    return read_clock (CLOCK_REALTIME);
}

void
mr_clock_format (int64_t wall_ns, char *ret_text)
{
    int64_t seconds = wall_ns / MR_NS_PER_S;
    int64_t rest = wall_ns % MR_NS_PER_S;
    if (rest < 0) {
        seconds--;
        rest += MR_NS_PER_S;
    }
    time_t when = (time_t)seconds;
    struct tm tm;
    gmtime_r (&when, &tm);
    char text[64];
    snprintf (text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900,
              tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(rest / 1000));
    snprintf (ret_text, MR_RFC3339_BYTES, "%.27s", text);
}

#define FIRST_SECOND INT64_C (-9214560000) /* 1678-01-01T00:00:00Z: whole years in int64_t */
#define END_SECOND INT64_C (9214646400)    /* 2262-01-01T00:00:00Z */

/* Exactly `digits` decimal digits at text + at; -1 when there are others. */
static int
read_digits (const char *text, size_t at, size_t digits)
{
    int value = 0;
    for (size_t i = at; i < at + digits; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

static int
days_in_month (int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01, Gregorian; years count from March, so that the leap day comes last. */
static int64_t
days_since_epoch (int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

/* "YYYY-MM-DDTHH:MM:SS", 19 characters. */
static mr_status_t
parse_seconds (const char *text, int64_t *ret_seconds)
{
    if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
        text[13] != ':' || text[16] != ':') {
        return MR_INVALID;
    }
    int year = read_digits (text, 0, 4);
    int month = read_digits (text, 5, 2);
    int day = read_digits (text, 8, 2);
    int hour = read_digits (text, 11, 2);
    int minute = read_digits (text, 14, 2);
    int second = read_digits (text, 17, 2);
    if (year < 1677 || year > 2262 || month < 1 || month > 12 || day < 1 ||
        day > days_in_month (year, month)) {
        return MR_INVALID;
    }
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) {
        return MR_INVALID;
    }
    *ret_seconds = ((days_since_epoch (year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    return MR_OK;
}

/* "Z" or "+HH:MM", to the end of the text. */
static mr_status_t
parse_offset (const char *text, size_t bytes, int64_t *ret_seconds)
{
    if (bytes == 1 && (text[0] == 'Z' || text[0] == 'z')) {
        *ret_seconds = 0;
        return MR_OK;
    }
    if (bytes != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') {
        return MR_INVALID;
    }
    int hours = read_digits (text, 1, 2);
    int minutes = read_digits (text, 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
        return MR_INVALID;
    }
    int64_t seconds = (hours * 60 + minutes) * INT64_C (60);
    *ret_seconds = text[0] == '-' ? -seconds : seconds;
    return MR_OK;
}

mr_status_t
mr_clock_parse (const char *text, size_t bytes, int64_t *ret_wall_ns)
{
    enum { SECONDS_BYTES = 19 };
    int64_t seconds;
    if (bytes <= SECONDS_BYTES || parse_seconds (text, &seconds) != MR_OK) {
        return MR_INVALID;
    }
    size_t at = SECONDS_BYTES;
    int64_t nanoseconds = 0;
    if (text[at] == '.') {
        int64_t unit = MR_NS_PER_S / 10;
        size_t first = ++at;
        for (; at < bytes && text[at] >= '0' && text[at] <= '9'; at++) {
            nanoseconds += (text[at] - '0') * unit;
            unit /= 10;
        }
        if (at == first) {
            return MR_INVALID;
        }
    }
    int64_t offset;
    if (parse_offset (text + at, bytes - at, &offset) != MR_OK) {
        return MR_INVALID;
    }
    seconds -= offset;
    if (seconds < FIRST_SECOND || seconds >= END_SECOND) {
        return MR_INVALID;
    }
    *ret_wall_ns = seconds * MR_NS_PER_S + nanoseconds;
    return MR_OK;
}
