#include "stages/exporter/sink.h"
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

static mr_sink_t
new_sink (const char *file)
{
    mr_sink_t sink = {0};
    mr_error_t err = {{0}};
    mr_status_t status = mr_sink_file_new (path_of (file), &sink, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return sink;
}

static void
write_all (const mr_sink_t *sink, const char *lines)
{
    mr_error_t err = {{0}};
    mr_status_t status = sink->write (sink->self, lines, strlen (lines), &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
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
    mr_sink_t sink = new_sink ("a/b/out.jsonl"); /* parents are made */
    write_all (&sink, "one\n");
    write_all (&sink, "two\nthree\n");
    sink.destroy (sink.self);
    struct stat st;
    ck_assert_int_eq (stat (path_of ("a/b/out.jsonl"), &st), 0);
    ck_assert_uint_eq (st.st_mode & 07777 & ~0640U, 0);
    sink = new_sink ("a/b/out.jsonl");
    write_all (&sink, "four\n");
    assert_holds ("a/b/out.jsonl", "one\ntwo\nthree\nfour\n");
    sink.destroy (sink.self);
}
END_TEST

START_TEST (test_a_file_that_was_moved_away_is_left_alone)
{
    make_folder ();
    mr_sink_t sink = new_sink ("out.jsonl");
    write_all (&sink, "one\n");
    sink.tick (sink.self); /* nothing happened */
    char moved[PATH_MAX];
    snprintf (moved, sizeof moved, "%s", path_of ("old.jsonl"));
    ck_assert_int_eq (rename (path_of ("out.jsonl"), moved), 0);
    sink.tick (sink.self);
    write_all (&sink, "two\n");
    assert_holds ("old.jsonl", "one\n");
    assert_holds ("out.jsonl", "two\n");
    ck_assert_int_eq (unlink (path_of ("out.jsonl")), 0);
    sink.tick (sink.self);
    write_all (&sink, "three\n");
    assert_holds ("out.jsonl", "three\n");
    sink.destroy (sink.self);
}
END_TEST

START_TEST (test_reopening_begins_a_new_file_at_once)
{
    make_folder ();
    mr_sink_t sink = new_sink ("out.jsonl");
    write_all (&sink, "one\n");
    char moved[PATH_MAX];
    snprintf (moved, sizeof moved, "%s", path_of ("old.jsonl"));
    ck_assert_int_eq (rename (path_of ("out.jsonl"), moved), 0);
    sink.reopen (sink.self);
    assert_holds ("out.jsonl", "");
    write_all (&sink, "two\n");
    assert_holds ("out.jsonl", "two\n");
    assert_holds ("old.jsonl", "one\n");
    sink.destroy (sink.self);
}
END_TEST

START_TEST (test_a_path_that_is_gone_for_a_while_is_tried_again)
{
    make_folder ();
    mr_sink_t sink = new_sink ("d/out.jsonl");
    ck_assert_int_eq (unlink (path_of ("d/out.jsonl")), 0);
    ck_assert_int_eq (rmdir (path_of ("d")), 0);
    FILE *file = fopen (path_of ("d"), "w"); /* in its way */
    ck_assert_ptr_nonnull (file);
    (void)fclose (file);
    sink.reopen (sink.self);
    mr_error_t err;
    ck_assert_int_eq (sink.write (sink.self, "one\n", 4, &err), MR_AGAIN);
    ck_assert_ptr_nonnull (strstr (err.text, folder));
    ck_assert_int_eq (unlink (path_of ("d")), 0);
    write_all (&sink, "one\n");
    assert_holds ("d/out.jsonl", "one\n");
    sink.destroy (sink.self);
}
END_TEST

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
    mr_sink_t sink = new_sink ("out.jsonl");
    write_all (&sink, "123456789\n");
    for (rlim_t room = 10; room < 30; room++) { /* the write ends somewhere in three lines */
        limit_file (room);
        mr_error_t err;
        ck_assert_int_eq (sink.write (sink.self, "abcdef\nghi\n12345678\n", 20, &err), MR_AGAIN);
        ck_assert_ptr_nonnull (strstr (err.text, "out.jsonl"));
        limit_file (RLIM_INFINITY);
        assert_holds ("out.jsonl", "123456789\n");
    }
    limit_file (30);
    write_all (&sink, "abcdef\nghi\n12345678\n");
    limit_file (RLIM_INFINITY);
    assert_holds ("out.jsonl", "123456789\nabcdef\nghi\n12345678\n");
    sink.destroy (sink.self);
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
    ck_assert_int_eq (mr_sink_path_check (path_of ("new/deep/out.jsonl"), &err), MR_OK);
    ck_assert_int_ne (access (path_of ("new"), F_OK), 0);
    ck_assert_int_eq (mr_sink_path_check (folder, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "is not a file"));
    ck_assert_int_eq (mr_sink_path_check ("/dev/null/out.jsonl", &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "/dev/null is not a directory"));
    mr_sink_t sink;
    ck_assert_int_eq (mr_sink_file_new ("/dev/null/out.jsonl", &sink, &err), MR_CONFIG);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_lines_are_appended_to_what_is_there,
        test_a_file_that_was_moved_away_is_left_alone,
        test_reopening_begins_a_new_file_at_once,
        test_a_path_that_is_gone_for_a_while_is_tried_again,
        test_a_full_disk_never_leaves_a_torn_line,
        test_each_exporter_has_a_path_of_its_own,
        test_checking_a_path_makes_nothing,
        NULL,
    };
    return mr_suite_run ("sink_file", tests);
}
