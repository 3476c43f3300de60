#include "tests/support/suite.h"

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { OPEN_DIRECTORIES = 16 };

static char root[PATH_MAX - 8]; /* holds the directories of all tests of this program */

static void
make_root (void)
{
    const char *tmp = getenv ("TMPDIR");
    snprintf (root, sizeof root, "%s/mr-test-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp (root) == NULL) {
        perror (root);
        abort ();
    }
}

static int
take_away (const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove (path);
}

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
    make_root ();
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    if (failed == 0) {
        (void)nftw (root, take_away, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS);
    } else {
        fprintf (stderr, "%s: what the tests left is in %s\n", name, root);
    }
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const char *
mr_test_dir (void)
{
    static char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/XXXXXX", root);
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
