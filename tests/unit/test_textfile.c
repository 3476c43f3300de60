#include "launcher/textfile.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define STAMP "2026-11-23T08:41:37.123456Z "

static char path[PATH_MAX];

static void
put (const char *text)
{
    snprintf (path, sizeof path, "%s", mr_test_ini (text, strlen (text)));
}

/* What was said last at or after `from`; "(nothing)". */
static const char *
last_words (int64_t from)
{
    static char words[80];
    snprintf (words, sizeof words, "(nothing)");
    char said[64] = "untouched";
    if (mr_textfile_last_words (path, from, said, sizeof said)) {
        snprintf (words, sizeof words, "%s", said);
    } else {
        ck_assert_str_eq (said, "untouched");
    }
    return words;
}

START_TEST (test_the_last_error_counts_else_the_last_line_of_another_format)
{
    static const char *const cases[][2] = {
        {"", "(nothing)"},
        {"\n \t\n", "(nothing)"},
        {STAMP "info x: ready\n", "(nothing)"},
        {STAMP "error x: one\n" STAMP "error x: two\n" STAMP "info x: three\n", "two"},
        {STAMP "error x: one\nSegmentation fault\n", "one"},
        {"plain\n" STAMP "warn x: careful\n", "plain"},
        {"plain\nlast without a newline", "last without a newline"},
        {"a\rb\r\n\n", "b"},
        {STAMP "fatal x: not a level\n", STAMP "fatal x: not a level"},
        {"error x: no time\n", "error x: no time"},
        {STAMP "error without a name\n", STAMP "error without a name"},
        {STAMP "error x: a: b\n", "a: b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put (cases[i][0]);
        ck_assert_str_eq (last_words (0), cases[i][1]);
    }
}
END_TEST

START_TEST (test_what_was_said_before_does_not_count)
{
    static const char first[] = "before\n";
    put ("before\nafter\n");
    int64_t from = (int64_t)strlen (first);
    ck_assert_int_eq (mr_textfile_size (path), 13);
    ck_assert_str_eq (last_words (from), "after");
    ck_assert_str_eq (last_words (13), "(nothing)");
    ck_assert_str_eq (last_words (14), "after"); /* it was replaced by a shorter one */
}
END_TEST

START_TEST (test_a_file_that_is_missing_says_nothing)
{
    snprintf (path, sizeof path, "/nowhere/x.log");
    ck_assert_int_eq (mr_textfile_size (path), 0);
    ck_assert_str_eq (last_words (0), "(nothing)");
}
END_TEST

START_TEST (test_of_a_long_file_the_whole_lines_at_its_end_count)
{
    static char text[20001];
    for (size_t at = 0; at + 100 <= 20000; at += 100) {
        snprintf (text + at, 101, "%99s\n", "routine");
    }
    text[0] = 'x';
    put (text);
    char said[128];
    ck_assert (mr_textfile_last_words (path, 0, said, sizeof said));
    ck_assert_uint_eq (strlen (said), 99);
    memset (text, 'y', 20000); /* one line: its beginning cannot be seen */
    put (text);
    ck_assert_str_eq (last_words (0), "(nothing)");
}
END_TEST

START_TEST (test_words_that_do_not_fit_are_cut)
{
    char said[4];
    put ("a long line\n");
    ck_assert (mr_textfile_last_words (path, 0, said, sizeof said));
    ck_assert_str_eq (said, "a l");
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_the_last_error_counts_else_the_last_line_of_another_format,
        test_what_was_said_before_does_not_count,
        test_a_file_that_is_missing_says_nothing,
        test_of_a_long_file_the_whole_lines_at_its_end_count,
        test_words_that_do_not_fit_are_cut,
        NULL,
    };
    return mr_suite_run ("textfile", tests);
}
