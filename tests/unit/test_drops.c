#include "launcher/drops.h"
#include "tests/support/suite.h"

static mr_cursor_state_t
dropped (uint64_t journal, uint64_t records)
{
    mr_cursor_state_t state = {.input = MR_CURSOR_RECORDS};
    mr_cursor_drop (&state, journal, records);
    return state;
}

START_TEST (test_only_what_every_sink_of_an_exporter_has_let_go_is_dropped)
{
    mr_drops_t drops = {0};
    mr_cursor_state_t first = dropped (7, 10);
    mr_cursor_drop (&first, 8, 3);
    mr_cursor_state_t second = dropped (7, 4);
    ck_assert_uint_eq (mr_drops_of (&drops, 7), 0);
    mr_drops_add (&drops, 0, &first);
    ck_assert_uint_eq (mr_drops_of (&drops, 7), 10);
    ck_assert_uint_eq (mr_drops_of (&drops, 8), 3);
    mr_drops_add (&drops, 0, &second);
    ck_assert_uint_eq (mr_drops_of (&drops, 7), 4);
    ck_assert_uint_eq (mr_drops_of (&drops, 8), 0);
    mr_drops_add (&drops, 0, &first); /* the order does not matter */
    ck_assert_uint_eq (mr_drops_of (&drops, 7), 4);
}
END_TEST

START_TEST (test_a_sink_that_has_everything_leaves_nothing_dropped)
{
    mr_drops_t drops = {0};
    mr_cursor_state_t all = {.input = MR_CURSOR_RECORDS};
    mr_cursor_state_t less = dropped (7, 10);
    mr_drops_add (&drops, 5, &all);
    mr_drops_add (&drops, 5, &less);
    ck_assert_uint_eq (mr_drops_of (&drops, 7), 0);
}
END_TEST

START_TEST (test_exporters_are_added_up)
{
    mr_drops_t drops = {0};
    mr_cursor_state_t first = dropped (7, 10);
    mr_cursor_state_t last = dropped (7, 5);
    mr_drops_add (&drops, 0, &first);
    mr_drops_add (&drops, MR_SLOTS_MAX - 1, &last);
    ck_assert_uint_eq (mr_drops_of (&drops, 7), 15);
}
END_TEST

START_TEST (test_sinks_of_other_rows_do_not_count)
{
    mr_drops_t drops = {0};
    mr_cursor_state_t letters = {.input = MR_CURSOR_DEAD};
    mr_cursor_state_t records = dropped (7, 10);
    mr_drops_add (&drops, 0, &letters);
    ck_assert (!drops.seen[0]);
    mr_drops_add (&drops, 0, &records);
    mr_drops_add (&drops, 0, &letters);
    ck_assert_uint_eq (mr_drops_of (&drops, 7), 10);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_only_what_every_sink_of_an_exporter_has_let_go_is_dropped,
        test_a_sink_that_has_everything_leaves_nothing_dropped,
        test_exporters_are_added_up,
        test_sinks_of_other_rows_do_not_count,
        NULL,
    };
    return mr_suite_run ("drops", tests);
}
