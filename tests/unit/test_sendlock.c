#include "launcher/sendlock.h"

#include "tests/support/suite.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[PATH_MAX];

/* Another process that has this name, and is there until it is killed. */
static pid_t
holder_of (const char *name)
{
    int ready[2];
    snprintf (dir, sizeof dir, "%s/data/send", mr_test_dir ());
    ck_assert_int_eq (pipe (ready), 0);
    pid_t child = fork ();
    ck_assert_int_ge (child, 0);
    if (child == 0) {
        int fd;
        long pid;
        bool taken = mr_sendlock_take (dir, name, &fd, &pid) == MR_OK && fd >= 0;
        (void)!write (ready[1], taken ? "!" : "?", 1);
        for (;;) {
            pause ();
        }
    }
    char byte;
    ck_assert_int_eq (read (ready[0], &byte, 1), 1);
    ck_assert_int_eq (byte, '!');
    close (ready[0]);
    close (ready[1]);
    return child;
}

START_TEST (test_who_comes_second_is_told_who_came_first)
{
    pid_t child = holder_of ("/var/log/x");
    int fd;
    long pid;
    ck_assert_int_eq (mr_sendlock_take (dir, "/var/log/x", &fd, &pid), MR_AGAIN);
    ck_assert_int_eq (fd, -1);
    ck_assert_int_eq (pid, child);
    ck_assert_int_eq (mr_sendlock_take (dir, "/var/log/y", &fd, &pid), MR_OK);
    ck_assert_int_ge (fd, 0);
    mr_sendlock_release (fd);
    kill (child, SIGKILL);
    waitpid (child, NULL, 0);
    ck_assert_int_eq (mr_sendlock_take (dir, "/var/log/x", &fd, &pid), MR_OK);
    ck_assert_int_ge (fd, 0);
    mr_sendlock_release (fd);
}
END_TEST

START_TEST (test_where_no_lock_can_be_had_nobody_waits_for_one)
{
    int fd = 0;
    long pid;
    ck_assert_int_eq (mr_sendlock_take ("/proc/nowhere", "/var/log/x", &fd, &pid), MR_OK);
    ck_assert_int_eq (fd, -1);
    mr_sendlock_release (fd);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_who_comes_second_is_told_who_came_first,
        test_where_no_lock_can_be_had_nobody_waits_for_one,
        NULL,
    };
    return mr_suite_run ("sendlock", tests);
}
