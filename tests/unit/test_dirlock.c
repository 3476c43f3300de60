#include "common/delivery/dirlock.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST (test_a_directory_has_one_writer)
{
    char dir[PATH_MAX];
    snprintf (dir, sizeof dir, "%s/a/b", mr_test_dir ());
    int fd = -1;
    int other = -1;
    mr_error_t err = {.text = ""};
    ck_assert_msg (mr_dirlock_take (dir, 0, &fd, &err) == MR_OK, "%s", err.text);
    ck_assert_int_eq (mr_dirlock_take (dir, 20, &other, &err), MR_AGAIN);
    char who[64];
    snprintf (who, sizeof who, "/lock is locked by process %d, which lives", (int)getpid ());
    ck_assert_ptr_nonnull (strstr (err.text, dir));
    ck_assert_ptr_nonnull (strstr (err.text, who));
    ck_assert_int_eq (other, -1);
    mr_dirlock_release (fd);
    mr_dirlock_release (-1);
    ck_assert_int_eq (mr_dirlock_take (dir, 0, &other, &err), MR_OK);
    char lock[PATH_MAX + 8];
    snprintf (lock, sizeof lock, "%s/lock", dir);
    mr_dirlock_release (other);
    ck_assert_int_eq (access (lock, F_OK), 0); /* never removed */
}
END_TEST

START_TEST (test_a_lock_is_free_once_its_holder_is_dead)
{
    const char *dir = mr_test_dir ();
    int ready[2];
    ck_assert_int_eq (pipe (ready), 0);
    pid_t child = fork ();
    if (child == 0) {
        int fd;
        (void)!(mr_dirlock_take (dir, 0, &fd, NULL) == MR_OK && write (ready[1], "!", 1) == 1);
        pause ();
        _exit (0);
    }
    char byte;
    ck_assert_int_eq (read (ready[0], &byte, 1), 1);
    int fd = -1;
    mr_error_t err = {.text = ""};
    ck_assert_int_eq (mr_dirlock_take (dir, 0, &fd, &err), MR_AGAIN);
    kill (child, SIGKILL);
    ck_assert_msg (mr_dirlock_take (dir, 10000, &fd, &err) == MR_OK, "%s", err.text);
    mr_dirlock_release (fd);
    waitpid (child, NULL, 0);
}
END_TEST

START_TEST (test_a_directory_that_was_moved_away_or_replaced_is_noticed)
{
    char dir[PATH_MAX];
    char aside[PATH_MAX];
    snprintf (dir, sizeof dir, "%s/here", mr_test_dir ());
    snprintf (aside, sizeof aside, "%s/there", mr_test_dir ());
    int fd = -1;
    int other = -1;
    mr_error_t err = {.text = ""};
    ck_assert_int_eq (mr_dirlock_take (dir, 0, &fd, &err), MR_OK);
    ck_assert_int_eq (mr_dirlock_check (dir, fd, NULL, &err), MR_OK);
    ck_assert_int_eq (rename (dir, aside), 0);
    ck_assert_int_eq (mr_dirlock_check (dir, fd, NULL, &err), MR_CLOSED);
    ck_assert_ptr_nonnull (strstr (err.text, dir));
    ck_assert_int_eq (mr_dirlock_take (dir, 0, &other, &err), MR_OK);
    ck_assert_int_eq (mr_dirlock_check (dir, fd, NULL, &err), MR_CLOSED);
    ck_assert_int_eq (mr_dirlock_check (dir, other, NULL, &err), MR_OK);
    mr_dirlock_release (fd);
    mr_dirlock_release (other);
}
END_TEST

START_TEST (test_a_directory_that_cannot_be_made_is_the_users_to_mend)
{
    mr_error_t err = {.text = ""};
    int fd = -1;
    ck_assert_int_eq (mr_dirlock_take ("/dev/null/x", 0, &fd, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "/dev/null"));
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_directory_has_one_writer,
        test_a_lock_is_free_once_its_holder_is_dead,
        test_a_directory_that_was_moved_away_or_replaced_is_noticed,
        test_a_directory_that_cannot_be_made_is_the_users_to_mend,
        NULL,
    };
    return mr_suite_run ("dirlock", tests);
}
