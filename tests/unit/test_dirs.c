#include "common/base/dirs.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

START_TEST (test_probing_leaves_nothing_behind_that_was_not_there)
{
    mr_error_t err;
    snprintf (top, sizeof top, "%s", mr_test_dir ());
    ck_assert_int_eq (mr_dirs_probe (below ("a/b/c"), 0700, true, &err), MR_OK);
    ck_assert_int_ne (access (below ("a"), F_OK), 0);
    ck_assert_int_eq (mr_dirs_probe (below ("a/b/c"), 0700, false, &err), MR_OK);
    ck_assert_int_eq (access (below ("a/b/c"), F_OK), 0);
    ck_assert_int_eq (mr_dirs_probe (below ("a/b/d"), 0700, true, &err), MR_OK);
    ck_assert_int_ne (access (below ("a/b/d"), F_OK), 0);
    ck_assert_int_eq (rmdir (below ("a/b/c")), 0); /* no file was left in it */
    ck_assert_int_eq (access (below ("a/b"), F_OK), 0);
}
END_TEST

START_TEST (test_probing_finds_what_permissions_do_not_say)
{
    mr_error_t err;
    ck_assert_int_eq (mr_dirs_probe ("/proc/self", 0700, true, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "cannot make a file in the directory /proc/self"));
    ck_assert_int_eq (mr_dirs_probe ("/proc/here", 0700, true, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "cannot make the directory /proc/here"));
    snprintf (top, sizeof top, "%s", mr_test_dir ());
    FILE *file = fopen (below ("file"), "w");
    ck_assert_ptr_nonnull (file);
    ck_assert_int_eq (fclose (file), 0);
    ck_assert_int_eq (mr_dirs_probe (below ("file"), 0700, true, &err), MR_CONFIG);
    ck_assert_int_eq (mr_dirs_probe (below ("new/../file/x"), 0700, true, &err), MR_CONFIG);
    ck_assert_int_ne (access (below ("new"), F_OK), 0); /* made on the way, and taken away */
    ck_assert_int_eq (access (below ("file"), F_OK), 0);
}
END_TEST

START_TEST (test_those_who_probe_at_the_same_time_do_not_disturb_each_other)
{
    enum { PROCESSES = 4, ROUNDS = 200 };
    snprintf (top, sizeof top, "%s", mr_test_dir ());
    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork ();
        ck_assert_int_ge (pid, 0);
        for (int j = 0; pid == 0 && j < ROUNDS; j++) {
            mr_error_t err;
            mr_status_t status = i == 0 ? mr_dirs_make (below ("a/b/c"), 0700, &err)
                                        : mr_dirs_probe (below ("a/b/c"), 0700, true, &err);
            if (status != MR_OK) {
                _exit (1);
            }
        }
        if (pid == 0) {
            _exit (0);
        }
    }
    int failed = 0;
    int status = 0;
    while (wait (&status) > 0) {
        failed += status != 0;
    }
    ck_assert_int_eq (failed, 0);
}
END_TEST

START_TEST (test_a_directory_is_synced_and_what_is_none_is_refused)
{
    char file[PATH_MAX];
    snprintf (file, sizeof file, "%s/file", mr_test_dir ());
    ck_assert_int_eq (mr_dirs_sync (mr_test_dir ()), 0);
    ck_assert_int_eq (mr_dirs_sync (file), -1);
    ck_assert_int_eq (errno, ENOENT);
    int fd = open (file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge (fd, 0);
    close (fd);
    ck_assert_int_eq (mr_dirs_sync (file), -1);
    ck_assert_int_eq (errno, ENOTDIR);

    snprintf (file, sizeof file, "%s/any", mr_test_dir ());
    ck_assert_int_eq (mr_dirs_sync_of (file), 0);
    ck_assert_int_eq (mr_dirs_sync_of ("/any"), 0);
    ck_assert_int_eq (mr_dirs_sync_of ("any"), 0);
    snprintf (file, sizeof file, "%s/none/any", mr_test_dir ());
    ck_assert_int_eq (mr_dirs_sync_of (file), -1);
    ck_assert_int_eq (errno, ENOENT);
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
        test_probing_leaves_nothing_behind_that_was_not_there,
        test_probing_finds_what_permissions_do_not_say,
        test_those_who_probe_at_the_same_time_do_not_disturb_each_other,
        test_a_directory_is_synced_and_what_is_none_is_refused,
        NULL,
    };
    return mr_suite_run ("dirs", tests);
}
