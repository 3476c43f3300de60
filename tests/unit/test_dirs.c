#include "common/base/dirs.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[PATH_MAX];

static const char *
below (const char *name)
{
    static char path[PATH_MAX + 256];
    snprintf (path, sizeof path, "%s/%s", top, name);
    return path;
}

START_TEST (test_missing_parents_are_made_with_the_mode_that_was_asked_for)
{
    mr_error_t err;
    struct stat st;
    snprintf (top, sizeof top, "%s", mr_test_dir ());
    umask (022);
    ck_assert_int_eq (mr_dirs_make (below ("a/b/c"), 0700, &err), MR_OK);
    ck_assert_int_eq (stat (below ("a/b/c"), &st), 0);
    ck_assert_uint_eq (st.st_mode & 0777, 0700);
    ck_assert_int_eq (stat (below ("a"), &st), 0);
    ck_assert_uint_eq (st.st_mode & 0777, 0700);
    ck_assert_int_eq (mr_dirs_make (below ("a/b/c"), 0750, &err), MR_OK); /* it is there */
    ck_assert_int_eq (mr_dirs_make (below ("a//b/./d/"), 0750, &err), MR_OK);
    ck_assert_int_eq (stat (below ("a/b/d"), &st), 0);
}
END_TEST

START_TEST (test_a_file_in_the_way_is_named)
{
    mr_error_t err;
    snprintf (top, sizeof top, "%s", mr_test_dir ());
    FILE *file = fopen (below ("file"), "w");
    ck_assert_ptr_nonnull (file);
    ck_assert_int_eq (fclose (file), 0);
    ck_assert_int_eq (mr_dirs_make (below ("file"), 0700, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, below ("file")));
    ck_assert_ptr_nonnull (strstr (err.text, "not a directory"));
    ck_assert_int_eq (mr_dirs_make (below ("file/below"), 0700, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, below ("file")));
}
END_TEST

START_TEST (test_a_directory_that_cannot_be_written_is_named)
{
    mr_error_t err;
    ck_assert_int_eq (mr_dirs_make ("/proc/here", 0700, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "/proc/here"));
    snprintf (top, sizeof top, "%s", mr_test_dir ());
    ck_assert_int_eq (mr_dirs_make (below ("closed"), 0500, &err),
                      geteuid () == 0 ? MR_OK : MR_CONFIG);
    if (geteuid () != 0) {
        ck_assert_ptr_nonnull (strstr (err.text, "cannot write in the directory"));
    }
}
END_TEST

START_TEST (test_no_name_and_a_name_that_is_too_long_are_refused)
{
    mr_error_t err;
    char name[PATH_MAX + 10];
    ck_assert_int_eq (mr_dirs_make ("", 0700, &err), MR_CONFIG);
    memset (name, 'x', sizeof name);
    name[0] = '/';
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq (mr_dirs_make (name, 0700, &err), MR_CONFIG);
    name[300] = '\0'; /* one component of 299 bytes */
    ck_assert_int_eq (mr_dirs_make (name, 0700, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "too long"));
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_missing_parents_are_made_with_the_mode_that_was_asked_for,
        test_a_file_in_the_way_is_named,
        test_a_directory_that_cannot_be_written_is_named,
        test_no_name_and_a_name_that_is_too_long_are_refused,
        NULL,
    };
    return mr_suite_run ("dirs", tests);
}
