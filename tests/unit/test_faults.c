#include "launcher/faults.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All that is printed about x.ini. */
static void
assert_printed (const mr_faults_t *faults, const char *expected)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream (&text, &bytes);
    ck_assert_ptr_nonnull (out);
    mr_faults_print (faults, "x.ini", out);
    ck_assert_int_eq (fclose (out), 0);
    ck_assert_str_eq (text, expected);
    free (text);
}

START_TEST (test_lines_are_printed_once_each_in_the_order_of_the_file)
{
    mr_faults_t faults = {0};
    static const char *const lines[] = {
        "x.ini:20: b", "somewhere else", "x.ini:3: a",  "x.ini: the file", "x.ini:20: a",
        "x.ini:3: a",  "y.ini:1: other", "x.ini:20: b", "x.ini:100: c",
    };
    assert_printed (&faults, "");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        mr_faults_add (&faults, lines[i]);
    }
    ck_assert_uint_eq (faults.count, 7);
    assert_printed (&faults, "x.ini: the file\nx.ini:3: a\nx.ini:20: b\nx.ini:20: a\n"
                             "x.ini:100: c\nsomewhere else\ny.ini:1: other\n");
    mr_faults_release (&faults);
    ck_assert_uint_eq (faults.count, 0);
}
END_TEST

START_TEST (test_many_lines_and_numbers_that_are_none_end)
{
    mr_faults_t faults = {0};
    mr_faults_add (&faults, "x.ini:99999999999999999999: beyond");
    mr_faults_add (&faults, "x.ini:-1: less");
    mr_faults_add (&faults, "x.ini");
    mr_faults_add (&faults, "x.ini:");
    for (int i = 0; i < 1000; i++) {
        char line[64];
        snprintf (line, sizeof line, "nonsense %d", i);
        mr_faults_add (&faults, line);
    }
    ck_assert_uint_eq (faults.count, 1004);
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream (&text, &bytes);
    ck_assert_ptr_nonnull (out);
    mr_faults_print (&faults, "x.ini", out);
    ck_assert_int_eq (fclose (out), 0);
    static const char begin[] =
        "x.ini:-1: less\nx.ini:\nx.ini:99999999999999999999: beyond\nx.ini\n";
    ck_assert_msg (strncmp (text, begin, strlen (begin)) == 0, "%.200s", text);
    free (text);
    mr_faults_release (&faults);
}
END_TEST

START_TEST (test_lines_are_read_to_the_end_of_a_descriptor)
{
    static const char said[] = "x.ini:2: b\n\nx.ini:1: a\nlast";
    mr_faults_t faults = {0};
    int ends[2];
    mr_faults_add (&faults, "x.ini:2: b");
    ck_assert_int_eq (pipe (ends), 0);
    ck_assert_int_eq (write (ends[1], said, strlen (said)), (int)strlen (said));
    ck_assert_int_eq (close (ends[1]), 0);
    mr_faults_read (&faults, ends[0]);
    ck_assert_int_eq (close (ends[0]), 0); /* it is the caller's */
    assert_printed (&faults, "x.ini:1: a\nx.ini:2: b\nlast\n");
    mr_faults_release (&faults);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_lines_are_printed_once_each_in_the_order_of_the_file,
        test_many_lines_and_numbers_that_are_none_end,
        test_lines_are_read_to_the_end_of_a_descriptor,
        NULL,
    };
    return mr_suite_run ("faults", tests);
}
