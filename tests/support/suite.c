#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

int
mr_suite_run (const char *name, const TTest *const *tests)
{
    Suite *suite = suite_create (name);
    TCase *cases = tcase_create (name);
    tcase_set_timeout (cases, 60);
    for (size_t i = 0; tests[i] != NULL; i++) {
        tcase_add_test (cases, tests[i]);
    }
    suite_add_tcase (suite, cases);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const char *
mr_test_dir (void)
{
    static char path[PATH_MAX];
    const char *tmp = getenv ("TMPDIR");
    snprintf (path, sizeof path, "%s/millrace-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp (path) == NULL) {
        perror (path);
        abort ();
    }
    return path;
}

const char *
mr_test_ini (const char *text, size_t bytes)
{
    static char path[4096];
    snprintf (path, sizeof path, "%s/x.ini", mr_test_dir ());
    FILE *file = fopen (path, "w");
    if (file == NULL || fwrite (text, 1, bytes, file) != bytes || fclose (file) != 0) {
        perror (path);
        abort ();
    }
    return path;
}
