#include "launcher/humane.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void
mr_humane_count (double value, char *ret_text, size_t capacity)
{
    char digits[64];
    char text[96];
    size_t used = 0;
    snprintf (digits, sizeof digits, "%.0f", fabs (value) > 1e18 ? copysign (1e18, value) : value);
    size_t count = strlen (digits);
    for (size_t i = 0; i < count; i++) {
        text[used++] = digits[i];
        size_t left = count - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-') {
            text[used++] = ',';
        }
    }
    text[used] = '\0';
    snprintf (ret_text, capacity, "%s", text);
}

void
mr_humane_duration (double seconds, char *ret_text, size_t capacity)
{
    long whole = seconds > 0 ? (long)seconds : 0;
    if (whole < 60) {
        snprintf (ret_text, capacity, "%lds", whole);
    } else if (whole < 3600) {
        snprintf (ret_text, capacity, "%ldm%02lds", whole / 60, whole % 60);
    } else if (whole < 86400) {
        snprintf (ret_text, capacity, "%ldh%02ldm", whole / 3600, whole / 60 % 60);
    } else {
        snprintf (ret_text, capacity, "%ldd%02ldh", whole / 86400, whole / 3600 % 24);
    }
}
