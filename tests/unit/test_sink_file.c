#include "stages/exporter/sink.h"

#include "common/delivery/sinkpath.h"
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

static char folder[PATH_MAX - 64];

static const char *
path_of (const char *file)
{
    static char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/%s", folder, file);
    return path;
}

static void
make_folder (void)
{
    snprintf (folder, sizeof folder, "%.200s", mr_test_dir ());
}

/* A sink and what a cursor would hold of it. */
typedef struct held {
    mr_sink_t sink;
    mr_cursor_state_t committed;
} held_t;

static mr_status_t
open_sink (held_t *held, mr_error_t *err)
{
    mr_status_t status = held->sink.open (held->sink.self, &held->committed, true, err);
    if (status == MR_OK) {
        held->sink.place (held->sink.self, &held->committed);
    }
    return status;
}

static held_t
make_sink (const char *file)
{
    held_t held = {.committed = {.spool = 0}};
    mr_error_t err = {{0}};
    ck_assert_int_eq (mr_sink_file_new (path_of (file), &held.sink, &err), MR_OK);
    return held;
}

static held_t
new_sink (const char *file)
{
    held_t held = make_sink (file);
    mr_error_t err = {{0}};
    ck_assert_msg (open_sink (&held, &err) == MR_OK, "%s", err.text);
    return held;
}

static mr_status_t
try_write (held_t *held, const char *lines, mr_error_t *err)
{
    struct iovec iov = {.iov_base = (char *)(uintptr_t)lines, .iov_len = strlen (lines)};
    return held->sink.write (held->sink.self, &iov, 1, err);
}

/* Written, but not committed. */
static void
write_only (held_t *held, const char *lines)
{
    mr_error_t err = {{0}};
    ck_assert_msg (try_write (held, lines, &err) == MR_OK, "%s", err.text);
}

static void
write_all (held_t *held, const char *lines)
{
    write_only (held, lines);
    held->sink.place (held->sink.self, &held->committed);
}

static void
close_sink (held_t *held)
{
    held->sink.close (held->sink.self);
}

static void
destroy_sink (held_t *held)
{
    close_sink (held);
    held->sink.destroy (held->sink.self);
}

/* As a life after kill -9: what was not committed is only in the file. */
static void
start_over (held_t *held)
{
    mr_error_t err = {{0}};
    close_sink (held);
    ck_assert_msg (open_sink (held, &err) == MR_OK, "%s", err.text);
}

/* As the pump does when the sink says that it moved. */
static void
look_after (held_t *held)
{
    if (held->sink.moved (held->sink.self)) {
        start_over (held);
    }
}

static void
put (const char *file, const char *text)
{
    FILE *out = fopen (path_of (file), "a");
    ck_assert_ptr_nonnull (out);
    ck_assert_int_ge (fputs (text, out), 0);
    ck_assert_int_eq (fclose (out), 0);
}

static void
move_file (const char *from, const char *to)
{
    char old[PATH_MAX];
    snprintf (old, sizeof old, "%s", path_of (from));
    ck_assert_int_eq (rename (old, path_of (to)), 0);
}

static void
assert_holds (const char *file, const char *text)
{
    static char got[1 << 16];
    FILE *source = fopen (path_of (file), "r");
    ck_assert_msg (source != NULL, "%s is missing", file);
    size_t bytes = fread (got, 1, sizeof got - 1, source);
    got[bytes] = '\0';
    (void)fclose (source);
    ck_assert_str_eq (got, text);
}

START_TEST (test_lines_are_appended_to_what_is_there)
{
    make_folder ();
    held_t held = new_sink ("a/b/out.jsonl"); /* parents are made */
    write_all (&held, "one\n");
    write_all (&held, "two\nthree\n");
    destroy_sink (&held);
    struct stat st;
    ck_assert_int_eq (stat (path_of ("a/b/out.jsonl"), &st), 0);
    ck_assert_uint_eq (st.st_mode & 07777 & ~0640U, 0);
    held = new_sink ("a/b/out.jsonl");
    write_all (&held, "four\n");
    assert_holds ("a/b/out.jsonl", "one\ntwo\nthree\nfour\n");
    destroy_sink (&held);
}
END_TEST

START_TEST (test_a_line_that_somebody_left_open_is_ended_first)
{
    make_folder ();
    put ("out.jsonl", "half a line");
    held_t held = new_sink ("out.jsonl");
    write_all (&held, "one\n");
    assert_holds ("out.jsonl", "half a line\none\n");
    destroy_sink (&held);
}
END_TEST

START_TEST (test_a_file_that_was_moved_away_is_left_alone)
{
    make_folder ();
    held_t held = new_sink ("out.jsonl");
    write_all (&held, "one\n");
    look_after (&held); /* nothing happened */
    move_file ("out.jsonl", "old.jsonl");
    look_after (&held);
    assert_holds ("out.jsonl", "");
    write_all (&held, "two\n");
    assert_holds ("old.jsonl", "one\n");
    assert_holds ("out.jsonl", "two\n");
    ck_assert_int_eq (unlink (path_of ("out.jsonl")), 0);
    look_after (&held);
    write_all (&held, "three\n");
    assert_holds ("out.jsonl", "three\n");
    destroy_sink (&held);
}
END_TEST

START_TEST (test_a_path_that_is_gone_for_a_while_is_tried_again)
{
    make_folder ();
    held_t held = new_sink ("d/out.jsonl");
    close_sink (&held);
    ck_assert_int_eq (unlink (path_of ("d/out.jsonl")), 0);
    ck_assert_int_eq (rmdir (path_of ("d")), 0);
    put ("d", ""); /* in its way */
    mr_error_t err;
    ck_assert_int_eq (open_sink (&held, &err), MR_AGAIN);
    ck_assert_ptr_nonnull (strstr (err.text, folder));
    ck_assert_int_eq (unlink (path_of ("d")), 0);
    ck_assert_int_eq (open_sink (&held, &err), MR_OK);
    write_all (&held, "one\n");
    assert_holds ("d/out.jsonl", "one\n");
    destroy_sink (&held);
}
END_TEST

/* ---- what was written and not committed ---- */

START_TEST (test_what_was_written_before_a_crash_is_not_written_again)
{
    static const char lines[] = "two\nthree\nfour\n";
    for (size_t cut = 0; cut < sizeof lines; cut++) { /* the crash came after so many bytes */
        make_folder ();
        held_t held = new_sink ("out.jsonl");
        write_all (&held, "one\n");
        char written[sizeof lines];
        snprintf (written, sizeof written, "%.*s", (int)cut, lines);
        put ("out.jsonl", written);
        start_over (&held);
        write_all (&held, "two\n");
        write_all (&held, "three\nfour\n");
        write_all (&held, "five\n");
        assert_holds ("out.jsonl", "one\ntwo\nthree\nfour\nfive\n");
        ck_assert_int_ne (access (path_of ("out.jsonl.torn"), F_OK), 0);
        destroy_sink (&held);
    }
}
END_TEST

START_TEST (test_bytes_that_are_not_due_are_moved_aside)
{
    make_folder ();
    held_t held = new_sink ("out.jsonl");
    write_all (&held, "one\n");
    write_only (&held, "two\nthrough\nfour\n");
    start_over (&held);
    write_all (&held, "two\nthree\n");
    assert_holds ("out.jsonl", "one\ntwo\nthree\n");
    assert_holds ("out.jsonl.torn", "through\nfour\n");
    destroy_sink (&held);
}
END_TEST

START_TEST (test_bytes_behind_which_nothing_is_due_are_moved_aside)
{
    make_folder ();
    held_t held = new_sink ("out.jsonl");
    write_all (&held, "one\n");
    put ("out.jsonl", "mine\n");
    start_over (&held);
    mr_error_t err;
    ck_assert_int_eq (held.sink.settle (held.sink.self, &err), MR_OK);
    assert_holds ("out.jsonl", "one\n");
    assert_holds ("out.jsonl.torn", "mine\n");
    write_all (&held, "two\n");
    assert_holds ("out.jsonl", "one\ntwo\n");
    destroy_sink (&held);
}
END_TEST

START_TEST (test_what_others_write_meanwhile_stays)
{
    make_folder ();
    held_t held = new_sink ("out.jsonl");
    write_all (&held, "one\n");
    put ("out.jsonl", "mine\n");
    write_all (&held, "two\n");
    start_over (&held);
    write_all (&held, "three\n");
    assert_holds ("out.jsonl", "one\nmine\ntwo\nthree\n");
    destroy_sink (&held);
}
END_TEST

START_TEST (test_a_file_moved_away_before_the_commit_is_found_by_its_inode)
{
    make_folder ();
    held_t held = new_sink ("out.jsonl");
    write_all (&held, "one\n");
    write_only (&held, "two\n");
    close_sink (&held);
    move_file ("out.jsonl", "out.jsonl.1");
    put ("out.jsonl", ""); /* as logrotate's `create` does */
    start_over (&held);
    ck_assert (!held.sink.moved (held.sink.self)); /* its end is not compared yet */
    write_all (&held, "two\n");
    assert_holds ("out.jsonl.1", "one\ntwo\n");
    ck_assert (held.sink.moved (held.sink.self));
    start_over (&held);
    write_all (&held, "three\n");
    assert_holds ("out.jsonl.1", "one\ntwo\n");
    assert_holds ("out.jsonl", "three\n");
    destroy_sink (&held);
}
END_TEST

START_TEST (test_another_file_at_the_path_keeps_what_it_holds)
{
    make_folder ();
    held_t held = new_sink ("out.jsonl");
    write_all (&held, "one\ntwo\n");
    close_sink (&held);
    put ("new.jsonl", "theirs\n");
    move_file ("new.jsonl", "out.jsonl");
    start_over (&held);
    write_all (&held, "three\n");
    assert_holds ("out.jsonl", "theirs\nthree\n");
    destroy_sink (&held);
}
END_TEST

START_TEST (test_a_file_that_somebody_cut_goes_on_at_its_end)
{
    make_folder ();
    held_t held = new_sink ("out.jsonl");
    write_all (&held, "one\ntwo\n");
    close_sink (&held);
    ck_assert_int_eq (truncate (path_of ("out.jsonl"), 0), 0);
    start_over (&held);
    write_all (&held, "three\n");
    assert_holds ("out.jsonl", "three\n");
    destroy_sink (&held);
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
    make_folder ();
    signal (SIGXFSZ, SIG_IGN);
    held_t held = new_sink ("out.jsonl");
    write_all (&held, "123456789\n");
    for (rlim_t room = 10; room < 30; room++) { /* the write ends somewhere in three lines */
        limit_file (room);
        mr_error_t err;
        ck_assert_int_eq (try_write (&held, "abcdef\nghi\n12345678\n", &err), MR_AGAIN);
        ck_assert_ptr_nonnull (strstr (err.text, "out.jsonl"));
        limit_file (RLIM_INFINITY);
        assert_holds ("out.jsonl", "123456789\n");
        start_over (&held);
    }
    limit_file (30);
    write_all (&held, "abcdef\nghi\n12345678\n");
    limit_file (RLIM_INFINITY);
    assert_holds ("out.jsonl", "123456789\nabcdef\nghi\n12345678\n");
    destroy_sink (&held);
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
    make_folder ();
    ck_assert_int_eq (mr_sink_path_check (path_of ("new/deep/out.jsonl"), true, &err), MR_OK);
    ck_assert_int_ne (access (path_of ("new"), F_OK), 0);
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
        test_what_was_written_before_a_crash_is_not_written_again,
        test_bytes_that_are_not_due_are_moved_aside,
        test_bytes_behind_which_nothing_is_due_are_moved_aside,
        test_what_others_write_meanwhile_stays,
        test_a_file_moved_away_before_the_commit_is_found_by_its_inode,
        test_another_file_at_the_path_keeps_what_it_holds,
        test_a_file_that_somebody_cut_goes_on_at_its_end,
        test_a_full_disk_never_leaves_a_torn_line,
        test_each_exporter_has_a_path_of_its_own,
        test_checking_a_path_makes_nothing,
        NULL,
    };
    return mr_suite_run ("sink_file", tests);
}
