#include "common/base/clock.h"
#include "tests/support/suite.h"

#include <string.h>

static void
assert_time (const char *text, int64_t seconds, int64_t nanoseconds)
{
    int64_t wall_ns;
    ck_assert_msg (mr_clock_parse (text, strlen (text), &wall_ns) == MR_OK, "%s", text);
    ck_assert_int_eq (wall_ns, seconds * MR_NS_PER_S + nanoseconds);
}

START_TEST (test_times_of_rfc_3339_are_read)
{
    assert_time ("1970-01-01T00:00:00Z", 0, 0);
    assert_time ("2025-11-23T08:21:37.123456Z", 1763886097, 123456000);
    assert_time ("2025-11-23T08:21:37.1Z", 1763886097, 100000000);
    assert_time ("2025-11-23T08:21:37.1234567899Z", 1763886097, 123456789);
    assert_time ("2025-11-23t10:21:37+02:00", 1763886097, 0);
    assert_time ("2025-11-23T02:51:37-05:30", 1763886097, 0);
    assert_time ("1969-12-31T23:59:59.999999z", -1, 999999000);
    assert_time ("2000-02-29T00:00:00Z", 951782400, 0);
    assert_time ("2016-12-31T23:59:60Z", 1483228800, 0);
    assert_time ("1678-01-01T00:00:00Z", INT64_C (-9214560000), 0);
    assert_time ("1677-12-31T23:59:59-00:01", INT64_C (-9214559941), 0);
    assert_time ("2261-12-31T23:59:59Z", INT64_C (9214646399), 0);
}
END_TEST

START_TEST (test_what_is_written_reads_back)
{
    for (int64_t wall_ns = -MR_NS_PER_S * 86400 * 900; wall_ns < MR_NS_PER_S * 86400 * 40000;
         wall_ns += MR_NS_PER_S * 86399 + 7000) {
        char text[MR_RFC3339_BYTES];
        mr_clock_format (wall_ns, text);
        int64_t back;
        ck_assert_int_eq (mr_clock_parse (text, strlen (text), &back), MR_OK);
        ck_assert_int_eq (back, wall_ns);
    }
}
END_TEST

START_TEST (test_other_texts_are_refused)
{
    static const char *const bad[] = {
        "",
        "2025-11-23",
        "2025-11-23T08:21:37",
        "2025-11-23 08:21:37Z",
        "2025-11-23T08:21:37.Z",
        "2025-11-23T08:21:37.5",
        "2025-11-23T08:21:37ZZ",
        "2025-11-23T08:21:37+0200",
        "2025-11-23T08:21:37+24:00",
        "2025-11-23T08:21:37+02:60",
        "2025-11-23T08:21:61Z",
        "2025-11-23T08:60:37Z",
        "2025-11-23T24:00:00Z",
        "2025-11-31T08:21:37Z",
        "2025-02-29T08:21:37Z",
        "1900-02-29T08:21:37Z",
        "2025-00-23T08:21:37Z",
        "2025-13-23T08:21:37Z",
        "2025-11-00T08:21:37Z",
        "1677-12-31T23:59:59Z",
        "1678-01-01T00:00:00+00:01",
        "2262-01-01T00:00:00Z",
        "2261-12-31T23:59:60Z",
        "2263-01-01T00:00:00Z",
        "+025-11-23T08:21:37Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t wall_ns = 7;
        ck_assert_msg (mr_clock_parse (bad[i], strlen (bad[i]), &wall_ns) == MR_INVALID, "%s",
                       bad[i]);
        ck_assert_int_eq (wall_ns, 7);
    }
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_times_of_rfc_3339_are_read,
        test_what_is_written_reads_back,
        test_other_texts_are_refused,
        NULL,
    };
    return mr_suite_run ("clock", tests);
}
