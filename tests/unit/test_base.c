#include "common/base/buffer.h"
#include "common/base/clock.h"
#include "common/base/status.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <string.h>

START_TEST (test_an_error_is_one_line)
{
    mr_error_t err;
    mr_error_set (&err, "a\nb %d", 7);
    ck_assert_str_eq (err.text, "a b 7");
}
END_TEST

START_TEST (test_a_long_error_is_cut_with_dots)
{
    mr_error_t err;
    char text[2 * MR_ERROR_TEXT_BYTES];
    memset (text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    mr_error_set (&err, "%s", text);
    ck_assert_uint_eq (strlen (err.text), MR_ERROR_TEXT_BYTES - 1);
    ck_assert_str_eq (err.text + MR_ERROR_TEXT_BYTES - 4, "...");
}
END_TEST

START_TEST (test_errno_text_and_prefix)
{
    mr_error_t err;
    errno = ENOENT;
    ck_assert_int_eq (mr_error_errno (&err, "cannot open %s", "x"), MR_SYSTEM);
    ck_assert_str_eq (err.text, "cannot open x: No such file or directory");
    mr_error_prefix (&err, "journal %d", 3);
    ck_assert_str_eq (err.text, "journal 3: cannot open x: No such file or directory");
    ck_assert_int_eq (err.number, ENOENT);
    mr_error_set (&err, "no system call failed");
    ck_assert_int_eq (err.number, 0);
}
END_TEST

START_TEST (test_time_is_rfc3339_utc_with_microseconds)
{
    char text[MR_RFC3339_BYTES];
    mr_clock_format (INT64_C (1763886097123456789), text);
    ck_assert_str_eq (text, "2025-11-23T08:21:37.123456Z");
    mr_clock_format (-1, text);
    ck_assert_str_eq (text, "1969-12-31T23:59:59.999999Z");
}
END_TEST

START_TEST (test_a_buffer_stops_at_its_limit)
{
    mr_buffer_t buffer;
    mr_buffer_init (&buffer, 10);
    ck_assert_int_eq (mr_buffer_append (&buffer, "12345678", 8), MR_OK);
    ck_assert_int_eq (mr_buffer_append (&buffer, "abc", 3), MR_INVALID);
    ck_assert_uint_eq (buffer.size, 8);
    ck_assert_int_eq (mr_buffer_append (&buffer, "ab", 2), MR_OK);
    ck_assert_int_eq (memcmp (buffer.data, "12345678ab", 10), 0);
    mr_buffer_release (&buffer);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_an_error_is_one_line,        test_a_long_error_is_cut_with_dots,
        test_errno_text_and_prefix,       test_time_is_rfc3339_utc_with_microseconds,
        test_a_buffer_stops_at_its_limit, NULL,
    };
    return mr_suite_run ("base", tests);
}
