#include "tests/support/heard.h"

#include "tests/support/suite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
mr_heard (mr_heard_t *self, const char *format, ...)
{
    size_t used = strlen (self->text);
    va_list args;
    va_start (args, format);
    int bytes = vsnprintf (self->text + used, sizeof self->text - used, format, args);
    va_end (args);
    ck_assert_int_ge (bytes, 0);
    ck_assert_uint_lt ((size_t)bytes, sizeof self->text - used);
}
