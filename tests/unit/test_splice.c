/* Where lines were put in between rows of a file, or taken out. */
#include "launcher/deepsink_splice.h"

#include "tests/support/suite.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char rows[] = "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n";

typedef struct found {
    bool found;
    size_t at;
    bool twice;
} found_t;

/* Look for the rows in a file that holds `before`, which is none of theirs, and then `text`. */
static found_t
look (const char *before, const char *text)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%.200s/file", mr_test_dir ());
    int fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge (fd, 0);
    ck_assert_int_eq (write (fd, before, strlen (before)), (ssize_t)strlen (before));
    ck_assert_int_eq (write (fd, text, strlen (text)), (ssize_t)strlen (text));
    mr_splice_t splice = {
        .fd = fd,
        .end = strlen (before) + strlen (text),
        .rows = rows,
        .bytes = strlen (rows),
        .shift = (int64_t)strlen (text) - (int64_t)strlen (rows),
    };
    found_t found = {.found = false};
    found.found = mr_splice_find (&splice, &found.at, &found.twice);
    close (fd);
    return found;
}

static void
assert_at (found_t found, size_t at, bool twice)
{
    ck_assert (found.found);
    ck_assert_uint_eq (found.at, at);
    ck_assert (found.twice == twice);
}

START_TEST (test_rows_that_are_missing_are_found)
{
    assert_at (look ("x\n", "{\"n\":2}\n{\"n\":3}\n"), 0, false);
    assert_at (look ("x\n", "{\"n\":1}\n{\"n\":3}\n"), 8, false);
    assert_at (look ("x\n", "{\"n\":1}\n{\"n\":2}\n"), 16, false);
    assert_at (look ("x\n", "{\"n\":3}\n"), 0, false);
    assert_at (look ("x\n", ""), 0, false);
    assert_at (look ("", ""), 0, false);
}
END_TEST

START_TEST (test_lines_that_are_not_due_are_found)
{
    assert_at (look ("x\n", "oops\n{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"), 0, false);
    assert_at (look ("", "{\"n\":1}\noops\n{\"n\":2}\n{\"n\":3}\n"), 8, false);
    assert_at (look ("", "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\noops\n"), 24, false);
    found_t found = look ("x\n", "{\"n\":1}\n{\"n\":2}\n{\"n\":2}\n{\"n\":3}\n");
    assert_at (found, 16, true);
}
END_TEST

START_TEST (test_what_is_no_single_place_or_no_whole_line_is_not_found)
{
    ck_assert (!look ("x\n", "{\"n\":1}\n{\"n\":9}\n").found);
    ck_assert (!look ("x\n", "{\"n\":1}\n{\"n\":2}\n{\"n\":3").found);
    ck_assert (!look ("x\n", "{\"n\":1}\n{\"n\":2oops}\n{\"n\":3}\n").found);
    ck_assert (!look ("x\n", "a\n{\"n\":1}\nb\n{\"n\":2}\n{\"n\":3}\n").found);
}
END_TEST

START_TEST (test_rows_are_counted_from_one)
{
    ck_assert_uint_eq (mr_splice_row (rows, 0), 1);
    ck_assert_uint_eq (mr_splice_row (rows, 7), 1);
    ck_assert_uint_eq (mr_splice_row (rows, 8), 2);
    ck_assert_uint_eq (mr_splice_row (rows, 23), 3);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_rows_that_are_missing_are_found,
        test_lines_that_are_not_due_are_found,
        test_what_is_no_single_place_or_no_whole_line_is_not_found,
        test_rows_are_counted_from_one,
        NULL,
    };
    return mr_suite_run ("splice", tests);
}
