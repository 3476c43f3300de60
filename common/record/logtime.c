#include "common/record/logtime.h"

#include "common/record/chars.h"

#include <stdio.h>
#include <string.h>

/* `digits` decimal digits at a fixed place, -1 when they are none. */
static int
number_at (const char *text, size_t digits)
{
    int value = 0;
    for (size_t i = 0; i < digits; i++) {
        if (!mr_is_digit (text[i])) {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

static int
month_at (const char *text)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (memcmp (text, names + 3 * i, 3) == 0) {
            return i + 1;
        }
    }
    return -1;
}

static int
days_in_month (int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/* Move a date by days, -1 or +1. */
static void
move_day (int *year, int *month, int *day, int by)
{
    *day += by;
    if (*day == 0) {
        *month -= 1;
        if (*month == 0) {
            *month = 12;
            *year -= 1;
        }
        *day = days_in_month (*year, *month);
    } else if (*day > days_in_month (*year, *month)) {
        *day = 1;
        *month += 1;
        if (*month == 13) {
            *month = 1;
            *year += 1;
        }
    }
}

bool
mr_logtime_convert (const char *text, char *ret_text)
{
    enum { MINUTES_A_DAY = 24 * 60 };
    int day = number_at (text, 2);
    int month = month_at (text + 3);
    int year = number_at (text + 7, 4);
    int hour = number_at (text + 12, 2);
    int minute = number_at (text + 15, 2);
    int second = number_at (text + 18, 2);
    int zone_hour = number_at (text + 22, 2);
    int zone_minute = number_at (text + 24, 2);
    bool signs = text[2] == '/' && text[6] == '/' && text[11] == ':' && text[14] == ':' &&
                 text[17] == ':' && text[20] == ' ' && (text[21] == '+' || text[21] == '-');
    if (!signs || month < 1 || year < 1 || day < 1 || day > days_in_month (year, month) ||
        hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
        zone_hour < 0 || zone_hour > 23 || zone_minute < 0 || zone_minute > 59) {
        return false;
    }
    int zone = zone_hour * 60 + zone_minute;
    int minutes = hour * 60 + minute + (text[21] == '-' ? zone : -zone);
    if (minutes < 0) {
        minutes += MINUTES_A_DAY;
        move_day (&year, &month, &day, -1);
    } else if (minutes >= MINUTES_A_DAY) {
        minutes -= MINUTES_A_DAY;
        move_day (&year, &month, &day, 1);
    }
    if (year < 0 || year > 9999) {
        return false;
    }
    int length = snprintf (ret_text, MR_LOGTIME_ROOM, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month,
                           day, minutes / 60, minutes % 60, second);
    return length == MR_LOGTIME_RET_BYTES;
}
