#include "launcher/folder.h"

#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

START_TEST (test_names_of_rotation_are_told_from_others)
{
    static const char *const rotated[] = {
        "a.log.1", "a.log-20261123", "a-20261123.log", "a.log.2026-11-23_10:00", "a.1.log",
    };
    static const char *const others[] = {
        "a.log",  "a.log.old", "a.log.1.gz", "a.log~", "b.log.1",
        "a.log1", "aa-1.log",  "a.log.",     "a-.log",
    };
    for (size_t i = 0; i < sizeof rotated / sizeof *rotated; i++) {
        ck_assert_msg (mr_folder_rotated ("a.log", rotated[i]), "%s", rotated[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert_msg (!mr_folder_rotated ("a.log", others[i]), "%s", others[i]);
    }
    ck_assert (mr_folder_rotated ("messages", "messages.1"));
    ck_assert (!mr_folder_rotated ("messages", "messages.txt"));
}
END_TEST

static const char *dir; /* of the test */

static void
make_file (const char *name)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen (path, "w");
    ck_assert_ptr_nonnull (file);
    ck_assert_int_eq (fclose (file), 0);
}

static bool
is_other (void *arg, const mr_folder_file_t *file)
{
    (void)arg;
    return strcmp (file->name, "other") == 0;
}

START_TEST (test_the_file_what_rotation_made_of_it_and_what_is_wanted_are_found)
{
    char path[PATH_MAX];
    mr_folder_t folder;
    dir = mr_test_dir ();
    snprintf (path, sizeof path, "%s/a.log", dir);
    make_file ("a.log");
    make_file ("a.log.1");
    make_file ("other");
    make_file ("neither");
    mr_folder_read (path, is_other, NULL, &folder);
    ck_assert_uint_eq (folder.count, 3);
    ck_assert_str_eq (folder.base, "a.log");
    mr_folder_release (&folder);
    mr_folder_read (path, NULL, NULL, &folder);
    ck_assert_uint_eq (folder.count, 2);
    mr_folder_release (&folder);
}
END_TEST

START_TEST (test_however_many_there_are_none_is_missed)
{
    enum { MANY = 5000 };
    char path[PATH_MAX];
    mr_folder_t folder;
    dir = mr_test_dir ();
    snprintf (path, sizeof path, "%s/b.log", dir);
    for (int i = 1; i <= MANY; i++) {
        char name[32];
        snprintf (name, sizeof name, "b.log.%d", i);
        make_file (name);
    }
    make_file ("b.log");
    mr_folder_read (path, NULL, NULL, &folder);
    ck_assert_uint_eq (folder.count, MANY + 1);
    mr_folder_release (&folder);
}
END_TEST

START_TEST (test_a_directory_that_is_not_there_has_none)
{
    mr_folder_t folder;
    mr_folder_read ("/nowhere/a.log", NULL, NULL, &folder);
    ck_assert_uint_eq (folder.count, 0);
    mr_folder_release (&folder);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_names_of_rotation_are_told_from_others,
        test_the_file_what_rotation_made_of_it_and_what_is_wanted_are_found,
        test_however_many_there_are_none_is_missed,
        test_a_directory_that_is_not_there_has_none,
        NULL,
    };
    return mr_suite_run ("folder", tests);
}
