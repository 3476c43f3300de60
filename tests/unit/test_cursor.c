#include "common/delivery/cursor.h"

#include "common/base/crashpoint.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOT_BYTES = 512, SLOT_USED = 160 };

static char path[PATH_MAX];

static mr_cursor_t *
open_cursor (void)
{
    mr_cursor_t *cursor = NULL;
    mr_error_t err = {{0}};
    ck_assert_msg (mr_cursor_open (path, &cursor, &err) == MR_OK, "%s", err.text);
    return cursor;
}

static mr_cursor_t *
new_cursor (void)
{
    snprintf (path, sizeof path, "%s/out.cursor", mr_test_dir ());
    return open_cursor ();
}

static void
commit (mr_cursor_t *cursor, uint64_t position)
{
    mr_cursor_state_t state = {.spool = 7, .position = position, .delivered = 2 * position};
    mr_cursor_commit (cursor, &state);
}

/* What a later life, and anybody else, finds. */
static void
assert_position (uint64_t position)
{
    mr_cursor_t *cursor = open_cursor ();
    mr_cursor_state_t read = {.spool = 0};
    mr_error_t err;
    ck_assert_uint_eq (mr_cursor_state (cursor)->position, position);
    ck_assert_uint_eq (mr_cursor_state (cursor)->delivered, 2 * position);
    ck_assert_int_eq (mr_cursor_read (path, &read, &err), MR_OK);
    ck_assert_mem_eq (&read, mr_cursor_state (cursor), sizeof read);
    mr_cursor_close (&cursor);
}

START_TEST (test_a_new_cursor_is_of_no_spool)
{
    mr_cursor_t *cursor = new_cursor ();
    mr_cursor_state_t read;
    mr_error_t err;
    ck_assert_uint_eq (mr_cursor_state (cursor)->spool, 0);
    ck_assert_int_eq (mr_cursor_read (path, &read, &err), MR_CLOSED);
    ck_assert_int_eq (mr_cursor_read ("/nowhere/x.cursor", &read, &err), MR_CLOSED);
    mr_cursor_close (&cursor);
    mr_cursor_close (&cursor);
}
END_TEST

START_TEST (test_the_last_commit_is_found_again)
{
    mr_cursor_t *cursor = new_cursor ();
    for (uint64_t i = 1; i < 10; i++) {
        commit (cursor, i);
        assert_position (i);
    }
    ck_assert (mr_cursor_same_boot (cursor));
    mr_cursor_close (&cursor);
}
END_TEST

static void
damage (int slot, off_t at)
{
    int fd = open (path, O_RDWR);
    char byte;
    ck_assert_int_eq (pread (fd, &byte, 1, slot * SLOT_BYTES + at), 1);
    byte ^= 1;
    ck_assert_int_eq (pwrite (fd, &byte, 1, slot * SLOT_BYTES + at), 1);
    close (fd);
}

START_TEST (test_of_a_torn_slot_the_other_counts)
{
    mr_cursor_t *cursor = new_cursor ();
    commit (cursor, 1); /* slot 1 */
    commit (cursor, 2); /* slot 0 */
    mr_cursor_close (&cursor);
    for (off_t at = 0; at < SLOT_USED; at++) {
        damage (0, at);
        assert_position (1);
        damage (0, at);
        assert_position (2);
    }
}
END_TEST

START_TEST (test_a_cursor_with_no_whole_slot_is_refused_and_left_as_it_is)
{
    mr_cursor_t *cursor = new_cursor ();
    commit (cursor, 1);
    commit (cursor, 2);
    mr_cursor_close (&cursor);
    damage (0, 40);
    damage (1, 40);
    mr_error_t err;
    mr_cursor_state_t state;
    ck_assert_int_eq (mr_cursor_open (path, &cursor, &err), MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, path));
    ck_assert_int_eq (mr_cursor_read (path, &state, &err), MR_INVALID);
    damage (0, 40);
    assert_position (2);
}
END_TEST

START_TEST (test_a_commit_of_another_start_of_the_machine_is_known)
{
    mr_cursor_t *cursor = new_cursor ();
    ck_assert (!mr_cursor_same_boot (cursor)); /* nothing was committed */
    commit (cursor, 1);
    ck_assert (mr_cursor_same_boot (cursor));
    mr_cursor_close (&cursor);
    cursor = open_cursor ();
    ck_assert (mr_cursor_same_boot (cursor));
    mr_cursor_close (&cursor);
}
END_TEST

START_TEST (test_a_crash_while_committing_leaves_this_commit_or_the_one_before)
{
    static const char *const points[] = {"cursor.commit.begin:3", "cursor.commit.torn:3",
                                         "cursor.commit.done:3"};
    static const uint64_t found[] = {2, 2, 3};
    for (size_t i = 0; i < 3; i++) {
        mr_cursor_t *cursor = new_cursor ();
        pid_t child = fork ();
        if (child == 0) {
            mr_crash_arm (points[i]);
            for (uint64_t position = 1; position < 9; position++) {
                commit (cursor, position);
            }
            _exit (0);
        }
        int status;
        ck_assert_int_eq (waitpid (child, &status, 0), child);
        ck_assert (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
        mr_cursor_close (&cursor);
        assert_position (found[i]);
    }
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_new_cursor_is_of_no_spool,
        test_the_last_commit_is_found_again,
        test_of_a_torn_slot_the_other_counts,
        test_a_cursor_with_no_whole_slot_is_refused_and_left_as_it_is,
        test_a_commit_of_another_start_of_the_machine_is_known,
        test_a_crash_while_committing_leaves_this_commit_or_the_one_before,
        NULL,
    };
    return mr_suite_run ("cursor", tests);
}
