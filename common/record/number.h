/* number: a JSON number to compare or to add up. Pure.
 *
 * Every integer of 64 bits, signed or not, is exact; so is the comparison of one with any other
 * number. Beyond that numbers are rounded to the machine's long double, 64 significant bits at
 * least; what is too large for that (1e5000) is infinite, and so equal to its like. */
#ifndef MR_COMMON_RECORD_NUMBER_H
#define MR_COMMON_RECORD_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct mr_number {
    bool whole; /* an integer in `integer`; else in `real` */
    int64_t integer;
    long double real;
} mr_number_t;

/* Read a valid JSON number of `bytes`; the byte after it must be readable and no part of a number
 * (in a record it always is: a comma, bracket, brace, white space or quote). The process must not
 * have changed LC_NUMERIC. */
mr_number_t mr_number_read (const char *text, size_t bytes);

/* Below, equal to or above 0. */
int mr_number_compare (mr_number_t a, mr_number_t b);

double mr_number_to_double (mr_number_t number);

#endif
