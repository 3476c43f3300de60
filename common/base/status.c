#include "common/base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
finish_line (mr_error_t *err, int length)
{
    if (length >= MR_ERROR_TEXT_BYTES) {
        memcpy (err->text + MR_ERROR_TEXT_BYTES - 4, "...", 4);
    }
    for (char *c = err->text; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r') {
            *c = ' ';
        }
    }
}

void
mr_error_set (mr_error_t *err, const char *format, ...)
{
    if (err == NULL) {
        return;
    }
    va_list args;
    va_start (args, format);
    int length = vsnprintf (err->text, sizeof err->text, format, args);
    va_end (args);
    err->number = 0;
    finish_line (err, length);
}

#undef mr_error_errno
mr_status_t
mr_error_errno (mr_error_t *err, const char *format, ...)
{
    int saved = errno;
    if (err != NULL) {
        va_list args;
        va_start (args, format);
        int length = vsnprintf (err->text, sizeof err->text, format, args);
        va_end (args);
        if (length >= 0 && length < MR_ERROR_TEXT_BYTES) {
            length += snprintf (err->text + length, sizeof err->text - (size_t)length, ": %s",
                                strerror (saved));
        }
        err->number = saved;
        finish_line (err, length);
    }
    errno = saved;
    return MR_SYSTEM;
}

void
mr_error_prefix (mr_error_t *err, const char *format, ...)
{
    if (err == NULL) {
        return;
    }
    char old[MR_ERROR_TEXT_BYTES];
    memcpy (old, err->text, sizeof old);
    va_list args;
    va_start (args, format);
    int length = vsnprintf (err->text, sizeof err->text, format, args);
    va_end (args);
    if (length >= 0 && length < MR_ERROR_TEXT_BYTES) {
        length += snprintf (err->text + length, sizeof err->text - (size_t)length, ": %s", old);
    }
    finish_line (err, length);
}

const char *
mr_status_name (mr_status_t status)
{
    switch (status) {
    case MR_OK:
        return "ok";
    case MR_AGAIN:
        return "again";
    case MR_CLOSED:
        return "closed";
    case MR_INVALID:
        return "invalid";
    case MR_CONFIG:
        return "config";
    case MR_SYSTEM:
        return "system";
    }
    return "unknown";
}

void
mr_assert_failed (const char *condition, const char *file, int line)
{
    fprintf (stderr, "%s:%d: bug: assertion failed: %s\n", file, line, condition);
    fflush (stderr);
    _Exit (MR_EXIT_BUG);
}
