/* suite: run check tests with a sentence for a name and the exit code that ctest reads. */
#ifndef MR_TESTS_SUPPORT_SUITE_H
#define MR_TESTS_SUPPORT_SUITE_H

#include <check.h>
#include <stddef.h>

/* Run all tests of one case. `tests` ends with NULL. Returns the exit code for main. */
int mr_suite_run (const char *name, const TTest *const *tests);

/* A new private directory under $TMPDIR or /tmp, which mr_suite_run removes when all tests have
 * passed; the text is static and valid until the next call. Aborts when it cannot be made. */
const char *mr_test_dir (void);

/* The path of a new file x.ini with this text, in a directory of its own; static as above. */
const char *mr_test_ini (const char *text, size_t bytes);

#endif
