#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/runtime/presence.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static mr_presence_t presence;
static char log_path[128];

static void
begin (void)
{
    mr_error_t err;
    presence = (mr_presence_t){.lost_ns = 0};
    snprintf (log_path, sizeof log_path, "%.100s/log", mr_test_dir ());
    mr_log_init ("test", MR_LOG_INFO);
    mr_log_stderr (false);
    ck_assert_int_eq (mr_log_open (log_path, &err), MR_OK);
}

static int
lines (void)
{
    int count = 0;
    FILE *in = fopen (log_path, "r");
    ck_assert_ptr_nonnull (in);
    for (int byte = fgetc (in); byte != EOF; byte = fgetc (in)) {
        count += byte == '\n';
    }
    ck_assert_int_eq (fclose (in), 0);
    return count;
}

/* The outcome of a look at so many ms. */
static bool
look (mr_status_t status, int number, int64_t ms)
{
    mr_error_t err = {.text = "why", .number = number};
    return mr_presence_look (&presence, status, &err, 5000, ms * MR_NS_PER_MS);
}

START_TEST (test_who_cannot_be_seen_ends_when_its_patience_is_over_and_says_so_once)
{
    begin ();
    ck_assert (!look (MR_OK, 0, 1000));
    ck_assert_int_eq (lines (), 0);
    ck_assert (!look (MR_SYSTEM, EACCES, 2000));
    ck_assert (!look (MR_SYSTEM, EACCES, 6999));
    ck_assert (look (MR_SYSTEM, EACCES, 7000));
    ck_assert (look (MR_SYSTEM, EACCES, 8000));
    ck_assert_int_eq (lines (), 1);
}
END_TEST

START_TEST (test_once_it_is_back_in_its_place_patience_begins_anew)
{
    begin ();
    ck_assert (!look (MR_SYSTEM, ENOENT, 1000));
    ck_assert (!look (MR_OK, 0, 5000));
    ck_assert (!look (MR_SYSTEM, ENOENT, 7000));
    ck_assert (!look (MR_SYSTEM, ENOENT, 11999));
    ck_assert (look (MR_SYSTEM, ENOENT, 12000));
    ck_assert_int_eq (lines (), 2);
}
END_TEST

START_TEST (test_a_full_disk_is_waited_for_without_an_end)
{
    begin ();
    for (int64_t day = 0; day < 100; day++) {
        ck_assert (!look (MR_SYSTEM, ENOSPC, 1 + day * 86400000));
    }
    ck_assert_int_eq (lines (), 1);
    ck_assert (!look (MR_SYSTEM, ENOENT, 99 * 86400000LL + 5000)); /* another reason than that */
    ck_assert (look (MR_SYSTEM, ENOENT, 99 * 86400000LL + 5001));
}
END_TEST

START_TEST (test_who_was_replaced_ends_at_once)
{
    begin ();
    ck_assert (look (MR_AGAIN, 0, 1000));
    ck_assert_int_eq (lines (), 1);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_who_cannot_be_seen_ends_when_its_patience_is_over_and_says_so_once,
        test_once_it_is_back_in_its_place_patience_begins_anew,
        test_a_full_disk_is_waited_for_without_an_end,
        test_who_was_replaced_ends_at_once,
        NULL,
    };
    return mr_suite_run ("presence", tests);
}
