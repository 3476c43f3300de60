/* heard: what a callback under test was told, written one behind the other, so that a test compares
 * all of it with one text. */
#ifndef MR_TESTS_SUPPORT_HEARD_H
#define MR_TESTS_SUPPORT_HEARD_H

#include "common/base/status.h"

enum { MR_HEARD_BYTES = 32768 };

/* Begins as {{0}}. */
typedef struct mr_heard {
    char text[MR_HEARD_BYTES];
} mr_heard_t;

/* As printf; a text that does not fit fails the test. */
void mr_heard (mr_heard_t *self, const char *format, ...) MR_PRINTF (2, 3);

#endif
