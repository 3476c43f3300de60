#include "launcher/lines.h"

#include "common/wire/producer.h"
#include "tests/support/heard.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[PATH_MAX];
static mr_error_t err;

/* Write text to the file x in the test's directory; mode as of fopen. */
static void
write_as (const char *mode, const char *text)
{
    FILE *file = fopen (path, mode);
    ck_assert_ptr_nonnull (file);
    ck_assert_int_ge (fputs (text, file), 0);
    ck_assert_int_eq (fclose (file), 0);
}

/* This is all that it holds. */
static void
put (const char *text)
{
    write_as ("w", text);
}

static void
add (const char *text)
{
    write_as ("a", text);
}

static void
new_file (const char *text)
{
    snprintf (path, sizeof path, "%s/x", mr_test_dir ());
    put (text);
}

static mr_lines_t *
open_lines (bool follow)
{
    mr_lines_t *lines = NULL;
    ck_assert_msg (mr_lines_open (path, follow, &lines, &err) == MR_OK, "%s", err.text);
    return lines;
}

/* What comes until nothing does, "a|b|"; and why nothing did. */
static const char *
read_on (mr_lines_t *lines, mr_status_t why)
{
    static mr_heard_t heard;
    const char *line;
    size_t bytes;
    mr_status_t status;
    heard.text[0] = '\0';
    while ((status = mr_lines_next (lines, &line, &bytes, &err)) == MR_OK) {
        mr_heard (&heard, "%.*s|", (int)bytes, line);
    }
    ck_assert_int_eq (status, why);
    return heard.text;
}

/* Another file takes the place of x. */
static void
replace (const char *text)
{
    static unsigned count;
    char aside[PATH_MAX + 16];
    snprintf (aside, sizeof aside, "%s.%u", path, ++count);
    ck_assert_int_eq (rename (path, aside), 0);
    put (text);
}

START_TEST (test_lines_come_without_their_newlines_and_the_last_needs_none)
{
    static const char *const cases[][2] = {
        {"", ""}, {"a", "a|"}, {"a\n", "a|"}, {"\n\n", "||"}, {"a\n\nb\r\nc", "a||b\r|c|"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        new_file (cases[i][0]);
        mr_lines_t *lines = open_lines (false);
        ck_assert_str_eq (read_on (lines, MR_CLOSED), cases[i][1]);
        ck_assert_int_eq (mr_lines_offset (lines), (int64_t)strlen (cases[i][0]));
        ck_assert_int_eq (mr_lines_size (lines), (int64_t)strlen (cases[i][0]));
        ck_assert_int_eq (mr_lines_change (lines), MR_LINES_SAME);
        mr_lines_rewind (lines);
        ck_assert_int_eq (mr_lines_offset (lines), 0);
        ck_assert_str_eq (read_on (lines, MR_CLOSED), cases[i][1]);
        mr_lines_close (&lines);
        ck_assert_ptr_null (lines);
    }
}
END_TEST

START_TEST (test_lines_longer_than_one_read_come_whole)
{
    enum { LONG = 700001 };
    new_file ("");
    FILE *file = fopen (path, "w");
    ck_assert_ptr_nonnull (file);
    static char made[LONG + 1];
    for (int line = 0; line < 3; line++) {
        memset (made, 'a' + line, LONG);
        made[LONG] = '\n';
        ck_assert_uint_eq (fwrite (made, 1, sizeof made, file), sizeof made);
    }
    ck_assert_int_eq (fclose (file), 0);
    mr_lines_t *lines = open_lines (false);
    const char *text;
    size_t bytes;
    for (int line = 0; line < 3; line++) {
        ck_assert_int_eq (mr_lines_next (lines, &text, &bytes, &err), MR_OK);
        ck_assert_uint_eq (bytes, LONG);
        ck_assert (text[0] == 'a' + line && text[LONG - 1] == 'a' + line);
        ck_assert_int_eq (mr_lines_offset (lines), (line + 1) * (LONG + 1));
    }
    ck_assert_int_eq (mr_lines_next (lines, &text, &bytes, &err), MR_CLOSED);
    mr_lines_close (&lines);
}
END_TEST

enum { HOLE = MR_LINES_MAX_BYTES + (1 << 20) };

/* What is told of a line that begins behind "one" and has HOLE bytes. */
static void
assert_hole_told (void)
{
    char expected[PATH_MAX + 120];
    snprintf (expected, sizeof expected,
              "%s: a line of %d bytes at byte 4 is refused: no line may be longer than 64 MiB",
              path, HOLE);
    ck_assert_str_eq (err.text, expected);
}

static void
new_file_with_hole (const char *text)
{
    new_file ("one\n");
    ck_assert_int_eq (truncate (path, 4 + HOLE), 0);
    add (text);
}

START_TEST (test_a_line_beyond_the_limit_is_passed_over_and_told_with_its_place)
{
    new_file_with_hole ("\ntwo\n");
    mr_lines_t *lines = open_lines (false);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "one|"); /* it takes a while */
    ck_assert_str_eq (read_on (lines, MR_INVALID), "");
    assert_hole_told ();
    ck_assert_int_eq (mr_lines_offset (lines), 4 + HOLE + 1);
    ck_assert_str_eq (read_on (lines, MR_CLOSED), "two|");
    ck_assert_int_eq (mr_lines_offset (lines), 4 + HOLE + 5);
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_followed_a_line_beyond_the_limit_is_passed_over_when_it_ends)
{
    new_file_with_hole ("");
    mr_lines_t *lines = open_lines (true);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "one|");
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_SAME);
    add ("\ntwo\n");
    ck_assert_str_eq (read_on (lines, MR_INVALID), "");
    assert_hole_told ();
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "two|");
    replace ("three\n");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_OTHER);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "three|");
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_followed_a_line_beyond_the_limit_ends_with_its_file)
{
    new_file_with_hole ("");
    mr_lines_t *lines = open_lines (true);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "one|");
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "");
    replace ("three\n");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_SAME);
    ck_assert_str_eq (read_on (lines, MR_INVALID), "");
    assert_hole_told ();
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_OTHER);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "three|");
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_truncated_within_a_line_beyond_the_limit_a_file_begins_anew)
{
    new_file_with_hole ("");
    mr_lines_t *lines = open_lines (true);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "one|");
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "");
    put ("two\n");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_TRUNCATED);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "two|");
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_what_is_no_file_is_refused)
{
    mr_lines_t *lines = NULL;
    snprintf (path, sizeof path, "%s", mr_test_dir ());
    ck_assert_int_eq (mr_lines_open (path, false, &lines, &err), MR_SYSTEM);
    ck_assert_ptr_nonnull (strstr (err.text, " is a directory"));
    ck_assert_int_eq (mr_lines_open ("/nowhere/x", true, &lines, &err), MR_SYSTEM);
    ck_assert_str_eq (err.text, "cannot open /nowhere/x: No such file or directory");
    ck_assert_int_eq (mr_lines_each ("/nowhere/x", NULL, NULL, &err), MR_SYSTEM);
    ck_assert_ptr_null (lines);
}
END_TEST

START_TEST (test_a_place_behind_the_end_of_a_file_is_refused)
{
    new_file ("one\n");
    mr_lines_t *lines = open_lines (false);
    char expected[PATH_MAX + 80];
    snprintf (expected, sizeof expected, "%s becomes shorter while it is read", path);
    ck_assert_int_eq (mr_lines_seek (lines, 5, &err), MR_INVALID);
    ck_assert_str_eq (err.text, expected);
    mr_lines_close (&lines);
}
END_TEST

static void
hear_line (void *arg, const char *line, size_t bytes)
{
    mr_heard (arg, "%.*s|", (int)bytes, line);
}

START_TEST (test_each_line_of_a_file_is_told)
{
    mr_heard_t heard = {{0}};
    new_file ("a\n\nlast");
    ck_assert_int_eq (mr_lines_each (path, hear_line, &heard, &err), MR_OK);
    ck_assert_str_eq (heard.text, "a||last|");
}
END_TEST

START_TEST (test_followed_a_line_counts_when_it_is_whole)
{
    new_file ("one\ntw");
    mr_lines_t *lines = open_lines (true);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "one|");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_SAME);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "");
    add ("o\nthree\n");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_SAME); /* not all is read */
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "two|three|");
    ck_assert_int_eq (mr_lines_offset (lines), 14);
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_followed_a_shorter_file_begins_anew)
{
    new_file ("one\ntwo\nthr");
    mr_lines_t *lines = open_lines (true);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "one|two|");
    put ("four\n");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_TRUNCATED);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "four|"); /* nothing of the torn line is left */
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_SAME);
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_followed_the_next_file_counts_once_something_is_in_it)
{
    new_file ("one\n");
    mr_lines_t *lines = open_lines (true);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "one|");
    replace ("");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_SAME);
    put ("two\n");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_OTHER);
    ck_assert_int_eq (mr_lines_offset (lines), 0);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "two|");
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_followed_the_torn_end_of_a_file_that_was_replaced_is_a_line)
{
    new_file ("one\nlast words");
    mr_lines_t *lines = open_lines (true);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "one|");
    replace ("two\n");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_SAME); /* now its end is the end */
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "last words|");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_OTHER);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "two|");
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_followed_no_file_is_missed_that_was_looked_at)
{
    new_file ("one\n");
    mr_lines_t *lines = open_lines (true);
    replace ("two\n");
    mr_lines_look (lines);
    mr_lines_look (lines); /* still the same one */
    replace ("");
    mr_lines_look (lines);
    replace ("three\n");
    mr_lines_look (lines);
    static const char *const expected[] = {"one|", "two|", "", "three|"};
    for (size_t i = 0; i < 4; i++) {
        ck_assert_str_eq (read_on (lines, MR_AGAIN), expected[i]);
        ck_assert_int_eq (mr_lines_change (lines), i < 3 ? MR_LINES_OTHER : MR_LINES_SAME);
    }
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_followed_no_file_is_missed_that_was_there_between_two_looks)
{
    new_file ("one\n");
    mr_lines_t *lines = open_lines (true);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "one|");
    replace ("two\n");
    replace ("three\n");
    ck_assert_int_eq (unlink (path), 0);
    put ("four\n"); /* nobody will know what was in three */
    replace ("five\n");
    const char *found = "";
    for (int i = 0; i < 4 && strcmp (found, "five|") != 0; i++) {
        ck_assert_int_eq (mr_lines_change (lines), MR_LINES_OTHER);
        found = read_on (lines, MR_AGAIN);
        ck_assert_ptr_nonnull (strstr ("two|four|five|", found));
    }
    ck_assert_str_eq (found, "five|");
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq (mr_lines_change (lines), MR_LINES_SAME);
    }
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_followed_more_files_than_are_kept_open_are_found_when_there_is_room)
{
    enum { FILES = MR_LINES_NEXT_MAX + 50 };
    char text[32];
    bool read[FILES + 1] = {false};
    new_file ("0\n");
    mr_lines_t *lines = open_lines (true);
    for (int i = 1; i <= FILES; i++) {
        snprintf (text, sizeof text, "%d\n", i);
        replace (text);
        mr_lines_look (lines);
    }
    for (int i = 0; i <= FILES; i++) {
        unsigned long number = strtoul (read_on (lines, MR_AGAIN), NULL, 10);
        ck_assert_uint_le (number, FILES);
        ck_assert (!read[number]);
        read[number] = true;
        ck_assert_int_eq (mr_lines_change (lines), i < FILES ? MR_LINES_OTHER : MR_LINES_SAME);
    }
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_followed_a_file_that_is_moved_away_and_back_is_the_same)
{
    char aside[PATH_MAX + 16];
    new_file ("one\n");
    mr_lines_t *lines = open_lines (true);
    snprintf (aside, sizeof aside, "%s.1", path);
    ck_assert_int_eq (rename (path, aside), 0);
    ck_assert_int_eq (rename (aside, path), 0);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "one|");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_SAME);
    replace ("two\n");
    replace ("three\n");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_OTHER);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "two|");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_OTHER);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "three|");
    ck_assert_int_eq (mr_lines_change (lines), MR_LINES_SAME);
    mr_lines_close (&lines);
}
END_TEST

/* The name of what is in x now. */
static const char *
name_of (const char *text)
{
    static char name[MR_LINES_NAME_BYTES];
    put (text);
    mr_lines_t *lines = open_lines (false);
    ck_assert_int_eq (mr_lines_name (lines, name), MR_OK);
    mr_lines_close (&lines);
    return name;
}

START_TEST (test_a_files_name_is_made_of_its_inode_and_first_line)
{
    char first[MR_LINES_NAME_BYTES];
    new_file ("");
    snprintf (first, sizeof first, "%s", name_of ("one\ntwo\n"));
    ck_assert_str_eq (name_of ("one\nmore\n"), first);
    ck_assert_str_eq (name_of ("one"), first);
    ck_assert_str_ne (name_of ("other\ntwo\n"), first);
    replace ("one\n");
    ck_assert_str_ne (name_of ("one\n"), first);
}
END_TEST

START_TEST (test_followed_a_file_has_no_name_before_its_first_line_is_whole)
{
    char name[MR_LINES_NAME_BYTES];
    char whole[MR_LINES_NAME_BYTES];
    new_file ("on");
    mr_lines_t *lines = open_lines (true);
    ck_assert_int_eq (mr_lines_name (lines, name), MR_AGAIN);
    add ("e\n");
    ck_assert_int_eq (mr_lines_name (lines, name), MR_OK);
    add ("two\n");
    ck_assert_int_eq (mr_lines_name (lines, whole), MR_OK);
    ck_assert_str_eq (name, whole);
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_standard_input_is_read_as_it_comes_and_named_at_random)
{
    int ends[2];
    char first[MR_LINES_NAME_BYTES];
    char second[MR_LINES_NAME_BYTES];
    mr_lines_t *lines = NULL;
    ck_assert_int_eq (pipe2 (ends, O_CLOEXEC | O_NONBLOCK), 0);
    ck_assert_int_eq (dup2 (ends[0], STDIN_FILENO), STDIN_FILENO);
    ck_assert_int_eq (mr_lines_open ("-", false, &lines, &err), MR_OK);
    ck_assert_int_ge (mr_lines_fd (lines), 0);
    ck_assert_int_eq (mr_lines_size (lines), 0);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "");
    ck_assert_int_eq (write (ends[1], "one\ntw", 6), 6);
    ck_assert_str_eq (read_on (lines, MR_AGAIN), "one|");
    ck_assert_int_eq (write (ends[1], "o", 1), 1);
    ck_assert_int_eq (close (ends[1]), 0);
    ck_assert_str_eq (read_on (lines, MR_CLOSED), "two|");
    ck_assert_int_eq (mr_lines_name (lines, first), MR_OK);
    ck_assert_int_eq (mr_lines_name (lines, second), MR_OK);
    ck_assert (mr_producer_is_once (first, strlen (first)));
    ck_assert_str_ne (first, second);
    mr_lines_close (&lines);
    ck_assert_int_eq (close (ends[0]), 0);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_lines_come_without_their_newlines_and_the_last_needs_none,
        test_lines_longer_than_one_read_come_whole,
        test_a_line_beyond_the_limit_is_passed_over_and_told_with_its_place,
        test_followed_a_line_beyond_the_limit_is_passed_over_when_it_ends,
        test_followed_a_line_beyond_the_limit_ends_with_its_file,
        test_truncated_within_a_line_beyond_the_limit_a_file_begins_anew,
        test_what_is_no_file_is_refused,
        test_a_place_behind_the_end_of_a_file_is_refused,
        test_each_line_of_a_file_is_told,
        test_followed_a_line_counts_when_it_is_whole,
        test_followed_a_shorter_file_begins_anew,
        test_followed_the_next_file_counts_once_something_is_in_it,
        test_followed_the_torn_end_of_a_file_that_was_replaced_is_a_line,
        test_followed_no_file_is_missed_that_was_looked_at,
        test_followed_no_file_is_missed_that_was_there_between_two_looks,
        test_followed_more_files_than_are_kept_open_are_found_when_there_is_room,
        test_followed_a_file_that_is_moved_away_and_back_is_the_same,
        test_a_files_name_is_made_of_its_inode_and_first_line,
        test_followed_a_file_has_no_name_before_its_first_line_is_whole,
        test_standard_input_is_read_as_it_comes_and_named_at_random,
        NULL,
    };
    return mr_suite_run ("lines", tests);
}
