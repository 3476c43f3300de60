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
