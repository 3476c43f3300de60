/* logtime: the time of an access log, "17/May/2015:10:05:03 +0000", as RFC 3339 in UTC. Pure. */
#ifndef MR_COMMON_RECORD_LOGTIME_H
#define MR_COMMON_RECORD_LOGTIME_H

#include <stdbool.h>

enum {
    MR_LOGTIME_BYTES = 26,
    MR_LOGTIME_RET_BYTES = 20, /* "2015-05-17T10:05:03Z" */
    MR_LOGTIME_ROOM = 64,
};

/* Convert MR_LOGTIME_BYTES of text; the instant is kept, a leap second too.
 *   ret_text  MR_LOGTIME_ROOM; terminated
 * False: it is no such time (a day that the month does not have, too), or not within the years 0 to
 * 9999 in UTC; ret_text is then undefined. */
bool mr_logtime_convert (const char *text, char *ret_text);

#endif
