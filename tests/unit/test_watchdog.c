#include "common/base/clock.h"
#include "launcher/watchdog.h"
#include "tests/support/suite.h"

enum { HANG_MS = 1000 };

static int64_t
at_ms (int64_t ms)
{
    return (ms + 1) * MR_NS_PER_MS;
}

START_TEST (test_holding_without_progress_is_a_hang_after_its_time)
{
    mr_watchdog_t dog = {0};
    mr_worker_traces_t traces = {.incarnation = 7, .progress = 3, .holding = true};
    ck_assert (!mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (0)));
    ck_assert (!mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (999)));
    ck_assert (mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (1000)));
}
END_TEST

START_TEST (test_progress_starts_the_time_anew)
{
    mr_watchdog_t dog = {0};
    mr_worker_traces_t traces = {.incarnation = 7, .progress = 3, .holding = true};
    ck_assert (!mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (0)));
    traces.progress = 4;
    ck_assert (!mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (1500)));
    ck_assert (!mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (2499)));
    ck_assert (mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (2500)));
}
END_TEST

START_TEST (test_a_record_further_is_progress_and_the_same_record_is_none)
{
    mr_watchdog_t dog = {0};
    mr_worker_traces_t traces = {.incarnation = 7, .progress = 3, .holding = true};
    for (int64_t ms = 0; ms < 100000; ms += 900) { /* one long batch of slow records */
        traces.crumb++;
        ck_assert (!mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (ms)));
    }
    ck_assert (!mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (100000)));
    ck_assert (mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (101000)));
}
END_TEST

START_TEST (test_who_holds_nothing_may_wait_for_ever)
{
    mr_watchdog_t dog = {0};
    mr_worker_traces_t traces = {.incarnation = 7, .progress = 3, .holding = false};
    for (int64_t ms = 0; ms < 100000; ms += 1000) {
        ck_assert (!mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (ms)));
    }
    traces.holding = true;
    ck_assert (!mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (100000)));
}
END_TEST

START_TEST (test_a_successor_is_not_blamed_for_its_predecessor)
{
    mr_watchdog_t dog = {0};
    mr_worker_traces_t traces = {.incarnation = 7, .progress = 0, .holding = true};
    ck_assert (!mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (0)));
    traces.incarnation = 8;
    ck_assert (!mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (5000)));
    ck_assert (mr_watchdog_look (&dog, &traces, HANG_MS, at_ms (6000)));
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_holding_without_progress_is_a_hang_after_its_time,
        test_progress_starts_the_time_anew,
        test_a_record_further_is_progress_and_the_same_record_is_none,
        test_who_holds_nothing_may_wait_for_ever,
        test_a_successor_is_not_blamed_for_its_predecessor,
        NULL,
    };
    return mr_suite_run ("watchdog", tests);
}
