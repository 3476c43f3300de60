#include "stages/exporter/sink.h"

#include "common/delivery/sinkpath.h"
#include "tests/support/exporter/sink_kit.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* As the pump does when the sink says that it moved. */
static void
look_after (mr_held_t *held)
{
    if (held->sink.moved (held->sink.self)) {
        mr_held_start_over (held);
    }
}

static void
move_file (const char *from, const char *to)
{
    char old[PATH_MAX];
    snprintf (old, sizeof old, "%s", mr_held_path (from));
    ck_assert_int_eq (rename (old, mr_held_path (to)), 0);
}

START_TEST (test_lines_are_appended_to_what_is_there)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("a/b/out.jsonl"); /* parents are made */
    mr_held_write (&held, "one\n");
    mr_held_write (&held, "two\nthree\n");
    mr_held_destroy (&held);
    struct stat st;
    ck_assert_int_eq (stat (mr_held_path ("a/b/out.jsonl"), &st), 0);
    ck_assert_uint_eq (st.st_mode & 07777 & ~0640U, 0);
    held = mr_held_new ("a/b/out.jsonl");
    mr_held_write (&held, "four\n");
    mr_held_assert ("a/b/out.jsonl", "one\ntwo\nthree\nfour\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_a_line_that_somebody_left_open_is_ended_first)
{
    mr_held_folder ();
    mr_held_put ("out.jsonl", "half a line");
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\n");
    mr_held_assert ("out.jsonl", "half a line\none\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_a_file_that_was_moved_away_is_left_alone)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\n");
    look_after (&held); /* nothing happened */
    move_file ("out.jsonl", "old.jsonl");
    look_after (&held);
    mr_held_assert ("out.jsonl", "");
    mr_held_write (&held, "two\n");
    mr_held_assert ("old.jsonl", "one\n");
    mr_held_assert ("out.jsonl", "two\n");
    ck_assert_int_eq (unlink (mr_held_path ("out.jsonl")), 0);
    look_after (&held);
    mr_held_write (&held, "three\n");
    mr_held_assert ("out.jsonl", "three\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_a_path_that_is_gone_for_a_while_is_tried_again)
{
    const char *folder = mr_held_folder ();
    mr_held_t held = mr_held_new ("d/out.jsonl");
    mr_held_close (&held);
    ck_assert_int_eq (unlink (mr_held_path ("d/out.jsonl")), 0);
    ck_assert_int_eq (rmdir (mr_held_path ("d")), 0);
    mr_held_put ("d", ""); /* in its way */
    mr_error_t err;
    ck_assert_int_eq (mr_held_open (&held, &err), MR_AGAIN);
    ck_assert_ptr_nonnull (strstr (err.text, folder));
    ck_assert_int_eq (unlink (mr_held_path ("d")), 0);
    ck_assert_int_eq (mr_held_open (&held, &err), MR_OK);
    mr_held_write (&held, "one\n");
    mr_held_assert ("d/out.jsonl", "one\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_what_is_no_file_takes_nothing)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\n");
    mr_held_close (&held);
    move_file ("out.jsonl", "old.jsonl");
    ck_assert_int_eq (mkfifo (mr_held_path ("out.jsonl"), 0600), 0);
    mr_error_t err;
    ck_assert_int_eq (mr_held_open (&held, &err), MR_AGAIN);
    ck_assert_ptr_nonnull (strstr (err.text, "out.jsonl is not a file"));
    ck_assert_int_eq (unlink (mr_held_path ("out.jsonl")), 0);
    ck_assert_int_eq (mr_held_open (&held, &err), MR_OK);
    mr_held_write (&held, "two\n");
    mr_held_assert ("out.jsonl", "two\n");
    mr_held_destroy (&held);
}
END_TEST

/* ---- what was written and not committed ---- */

START_TEST (test_after_a_reboot_the_disk_may_have_another_number)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\n");
    mr_held_write_only (&held, "two\n");
    mr_held_close (&held);
    held.committed.device++;
    mr_error_t err = {.text = ""};
    ck_assert_msg (held.sink.open (held.sink.self, &held.committed, false, &err) == MR_OK, "%s",
                   err.text);
    mr_held_write (&held, "two\n");
    mr_held_write (&held, "three\n");
    mr_held_assert ("out.jsonl", "one\ntwo\nthree\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_a_file_of_another_disk_is_another_one_on_the_same_boot)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\n");
    mr_held_write_only (&held, "two\n");
    held.committed.device++;
    mr_held_start_over (&held);
    mr_held_write (&held, "two\n");
    mr_held_assert ("out.jsonl", "one\ntwo\ntwo\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_what_was_written_before_a_crash_is_not_written_again)
{
    static const char lines[] = "two\nthree\nfour\n";
    for (size_t cut = 0; cut < sizeof lines; cut++) { /* the crash came after so many bytes */
        mr_held_folder ();
        mr_held_t held = mr_held_new ("out.jsonl");
        mr_held_write (&held, "one\n");
        char written[sizeof lines];
        snprintf (written, sizeof written, "%.*s", (int)cut, lines);
        mr_held_put ("out.jsonl", written);
        mr_held_start_over (&held);
        mr_held_write (&held, "two\n");
        mr_held_write (&held, "three\nfour\n");
        mr_held_write (&held, "five\n");
        mr_held_assert ("out.jsonl", "one\ntwo\nthree\nfour\nfive\n");
        ck_assert_int_ne (access (mr_held_path ("out.jsonl.torn"), F_OK), 0);
        mr_held_destroy (&held);
    }
}
END_TEST

START_TEST (test_bytes_that_are_not_due_are_moved_aside)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\n");
    mr_held_write_only (&held, "two\nthrough\nfour\n");
    mr_held_start_over (&held);
    mr_held_write (&held, "two\nthree\n");
    mr_held_assert ("out.jsonl", "one\ntwo\nthree\n");
    mr_held_assert ("out.jsonl.torn", "through\nfour\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_bytes_behind_which_nothing_is_due_are_moved_aside)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\n");
    mr_held_put ("out.jsonl", "mine\n");
    mr_held_start_over (&held);
    mr_error_t err;
    ck_assert_int_eq (held.sink.settle (held.sink.self, &err), MR_OK);
    mr_held_assert ("out.jsonl", "one\n");
    mr_held_assert ("out.jsonl.torn", "mine\n");
    mr_held_write (&held, "two\n");
    mr_held_assert ("out.jsonl", "one\ntwo\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_what_others_write_meanwhile_stays)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\n");
    mr_held_put ("out.jsonl", "mine\n");
    mr_held_write (&held, "two\n");
    mr_held_start_over (&held);
    mr_held_write (&held, "three\n");
    mr_held_assert ("out.jsonl", "one\nmine\ntwo\nthree\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_a_file_moved_away_before_the_commit_is_found_by_its_inode)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\n");
    mr_held_write_only (&held, "two\n");
    mr_held_close (&held);
    move_file ("out.jsonl", "out.jsonl.1");
    mr_held_put ("out.jsonl", ""); /* as logrotate's `create` does */
    mr_held_start_over (&held);
    ck_assert (!held.sink.moved (held.sink.self)); /* its end is not compared yet */
    mr_held_write (&held, "two\n");
    mr_held_assert ("out.jsonl.1", "one\ntwo\n");
    ck_assert (held.sink.moved (held.sink.self));
    mr_held_start_over (&held);
    mr_held_write (&held, "three\n");
    mr_held_assert ("out.jsonl.1", "one\ntwo\n");
    mr_held_assert ("out.jsonl", "three\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_another_file_at_the_path_keeps_what_it_holds)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\ntwo\n");
    mr_held_close (&held);
    mr_held_put ("new.jsonl", "theirs\n");
    move_file ("new.jsonl", "out.jsonl");
    mr_held_start_over (&held);
    mr_held_write (&held, "three\n");
    mr_held_assert ("out.jsonl", "theirs\nthree\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_a_file_that_somebody_cut_goes_on_at_its_end)
{
    mr_held_folder ();
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\ntwo\n");
    mr_held_close (&held);
    ck_assert_int_eq (truncate (mr_held_path ("out.jsonl"), 0), 0);
    mr_held_start_over (&held);
    mr_held_write (&held, "three\n");
    mr_held_assert ("out.jsonl", "three\n");
    mr_held_destroy (&held);
}
END_TEST

/* ---- the disk ---- */

/* A file may grow to `bytes` from now on. */
static void
limit_file (rlim_t bytes)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &limit), 0);
}

START_TEST (test_a_full_disk_never_leaves_a_torn_line)
{
    mr_held_folder ();
    signal (SIGXFSZ, SIG_IGN);
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "123456789\n");
    for (rlim_t room = 10; room < 30; room++) { /* the write ends somewhere in three lines */
        limit_file (room);
        mr_error_t err;
        ck_assert_int_eq (mr_held_try_write (&held, "abcdef\nghi\n12345678\n", &err), MR_AGAIN);
        ck_assert_ptr_nonnull (strstr (err.text, "out.jsonl"));
        limit_file (RLIM_INFINITY);
        mr_held_assert ("out.jsonl", "123456789\n");
        mr_held_start_over (&held);
    }
    limit_file (30);
    mr_held_write (&held, "abcdef\nghi\n12345678\n");
    limit_file (RLIM_INFINITY);
    mr_held_assert ("out.jsonl", "123456789\nabcdef\nghi\n12345678\n");
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_a_full_disk_takes_back_only_what_is_ours)
{
    mr_held_folder ();
    signal (SIGXFSZ, SIG_IGN);
    mr_held_t held = mr_held_new ("out.jsonl");
    mr_held_write (&held, "one\n");
    int other = open (mr_held_path ("out.jsonl"), O_WRONLY | O_APPEND);
    ck_assert_int_eq (write (other, "foreign\n", 8), 8);
    limit_file (16); /* 4 bytes of the next line fit behind it */
    mr_error_t err;
    ck_assert_int_eq (mr_held_try_write (&held, "second line\n", &err), MR_AGAIN);
    limit_file (RLIM_INFINITY);
    mr_held_assert ("out.jsonl", "one\nforeign\n");
    close (other);
    mr_held_start_over (&held);
    mr_held_write (&held, "second line\n");
    mr_held_assert ("out.jsonl", "one\nsecond line\n");
    mr_held_assert ("out.jsonl.torn", "foreign\n"); /* it stands where ours is due */
    mr_held_destroy (&held);
}
END_TEST

START_TEST (test_each_exporter_has_a_path_of_its_own)
{
    static const struct {
        const char *path;
        int slot;
        const char *expected;
    } rows[] = {
        {"/a/out.jsonl", 0, "/a/out.jsonl"},
        {"/a/out.jsonl", 2, "/a/out.2.jsonl"},
        {"/a/out", 1, "/a/out.1"},
        {"/a.b/out", 1, "/a.b/out.1"},
        {"/a/.hidden", 1, "/a/.hidden.1"},
        {"/a/out.tar.gz", 11, "/a/out.tar.11.gz"},
        {"/a/.hidden.x", 1, "/a/.hidden.1.x"},
    };
    char path[PATH_MAX];
    mr_error_t err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_int_eq (mr_sink_path (rows[i].path, rows[i].slot, path, &err), MR_OK);
        ck_assert_str_eq (path, rows[i].expected);
    }
    static char endless[PATH_MAX];
    memset (endless, 'x', sizeof endless - 2);
    ck_assert_int_eq (mr_sink_path (endless, 0, path, &err), MR_OK);
    ck_assert_int_eq (mr_sink_path (endless, 1, path, &err), MR_CONFIG);
}
END_TEST

START_TEST (test_checking_a_path_makes_nothing)
{
    mr_error_t err;
    const char *folder = mr_held_folder ();
    ck_assert_int_eq (mr_sink_path_check (mr_held_path ("new/deep/out.jsonl"), true, &err), MR_OK);
    ck_assert_int_ne (access (mr_held_path ("new"), F_OK), 0);
    ck_assert_int_eq (mr_sink_path_check (folder, true, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "is a directory; name a file in it"));
    ck_assert_int_eq (mr_sink_path_check ("/dev/null", true, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "/dev/null is not a file"));
    ck_assert_int_eq (mr_sink_path_check ("/dev/null/out.jsonl", true, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "/dev/null"));
    ck_assert_int_eq (mr_sink_path_check ("/proc/out.jsonl", true, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "cannot make a file in the directory /proc"));
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_lines_are_appended_to_what_is_there,
        test_a_line_that_somebody_left_open_is_ended_first,
        test_a_file_that_was_moved_away_is_left_alone,
        test_a_path_that_is_gone_for_a_while_is_tried_again,
        test_what_is_no_file_takes_nothing,
        test_after_a_reboot_the_disk_may_have_another_number,
        test_a_file_of_another_disk_is_another_one_on_the_same_boot,
        test_what_was_written_before_a_crash_is_not_written_again,
        test_bytes_that_are_not_due_are_moved_aside,
        test_bytes_behind_which_nothing_is_due_are_moved_aside,
        test_what_others_write_meanwhile_stays,
        test_a_file_moved_away_before_the_commit_is_found_by_its_inode,
        test_another_file_at_the_path_keeps_what_it_holds,
        test_a_file_that_somebody_cut_goes_on_at_its_end,
        test_a_full_disk_never_leaves_a_torn_line,
        test_a_full_disk_takes_back_only_what_is_ours,
        test_each_exporter_has_a_path_of_its_own,
        test_checking_a_path_makes_nothing,
        NULL,
    };
    return mr_suite_run ("sink_file", tests);
}
