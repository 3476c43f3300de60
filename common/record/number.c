#include "common/record/number.h"

#include "common/record/chars.h"

#include <float.h>
#include <stdlib.h>

_Static_assert(LDBL_MANT_DIG >= 64, "64-bit integers must be exact in a long double");

enum { SURE_DIGITS = 18 }; /* as many fit into an int64_t whatever they are */

/* Powers of ten, each exact in 64 bits. */
static const int64_t powers[SURE_DIGITS + 1] = {
    INT64_C (1),
    INT64_C (10),
    INT64_C (100),
    INT64_C (1000),
    INT64_C (10000),
    INT64_C (100000),
    INT64_C (1000000),
    INT64_C (10000000),
    INT64_C (100000000),
    INT64_C (1000000000),
    INT64_C (10000000000),
    INT64_C (100000000000),
    INT64_C (1000000000000),
    INT64_C (10000000000000),
    INT64_C (100000000000000),
    INT64_C (1000000000000000),
    INT64_C (10000000000000000),
    INT64_C (100000000000000000),
    INT64_C (1000000000000000000),
};

/* An integer, or a decimal without exponent, of up to SURE_DIGITS digits. Dividing two exact
 * numbers rounds once, correctly, as strtold does: both ways give the same number. */
mr_number_t
mr_number_read (const char *text, size_t bytes)
{
    size_t at = text[0] == '-';
    int64_t value = 0;
    size_t point = 0;
    if (bytes <= SURE_DIGITS) {
        for (; at < bytes; at++) {
            if (mr_is_digit (text[at])) {
                value = value * 10 + (text[at] - '0');
            } else if (text[at] == '.') {
                point = at;
            } else {
                break;
            }
        }
    }
    if (at < bytes) {
        return (mr_number_t){.real = strtold (text, NULL)};
    }
    if (text[0] == '-') {
        value = -value;
    }
    if (point == 0) {
        return (mr_number_t){.whole = true, .integer = value};
    }
    return (mr_number_t){.real = (long double)value / (long double)powers[bytes - point - 1]};
}

int
mr_number_compare (mr_number_t a, mr_number_t b)
{
    if (a.whole && b.whole) {
        return (a.integer > b.integer) - (a.integer < b.integer);
    }
    long double x = a.whole ? (long double)a.integer : a.real;
    long double y = b.whole ? (long double)b.integer : b.real;
    return (x > y) - (x < y);
}

double
mr_number_to_double (mr_number_t number)
{
    return number.whole ? (double)number.integer : (double)number.real;
}
