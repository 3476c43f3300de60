#include "stages/ingest/window.h"
#include "tests/support/suite.h"

#include <stdlib.h>

static mr_window_t *
new_window (uint32_t limit, uint64_t last_seq)
{
    mr_window_t *window = NULL;
    ck_assert_int_eq (mr_window_new (limit, last_seq, &window), MR_OK);
    return window;
}

START_TEST (test_the_watermark_moves_over_what_is_settled_without_a_gap)
{
    mr_window_t *window = new_window (4, 0);
    ck_assert_uint_eq (mr_window_watermark (window), 0);
    for (uint64_t seq = 1; seq <= 4; seq++) {
        ck_assert (!mr_window_full (window));
        mr_window_sent (window, seq);
        ck_assert_uint_eq (mr_window_in_flight (window), seq);
    }
    ck_assert (mr_window_full (window));
    ck_assert (mr_window_done (window, 3));
    ck_assert (mr_window_done (window, 2));
    ck_assert_uint_eq (mr_window_watermark (window), 0);
    ck_assert_uint_eq (mr_window_in_flight (window), 2);
    ck_assert (mr_window_full (window)); /* batch 1 holds its place */
    ck_assert (mr_window_done (window, 1));
    ck_assert_uint_eq (mr_window_watermark (window), 3);
    ck_assert (!mr_window_full (window));
    ck_assert (mr_window_done (window, 4));
    ck_assert_uint_eq (mr_window_watermark (window), 4);
    ck_assert_uint_eq (mr_window_in_flight (window), 0);
    mr_window_destroy (&window);
    ck_assert_ptr_null (window);
}
END_TEST

START_TEST (test_a_batch_is_settled_once)
{
    mr_window_t *window = new_window (4, 0);
    mr_window_sent (window, 1);
    mr_window_sent (window, 2);
    ck_assert (mr_window_done (window, 2));
    ck_assert (!mr_window_done (window, 2)); /* above the watermark */
    ck_assert (mr_window_done (window, 1));
    ck_assert (!mr_window_done (window, 1)); /* below it */
    ck_assert (!mr_window_done (window, 3)); /* never sent */
    ck_assert (!mr_window_done (window, 0));
    ck_assert (!mr_window_done (window, UINT64_MAX));
    ck_assert_uint_eq (mr_window_in_flight (window), 0);
    mr_window_destroy (&window);
}
END_TEST

START_TEST (test_numbers_go_on_where_the_last_life_ended)
{
    mr_window_t *window = new_window (2, 1000);
    ck_assert_uint_eq (mr_window_first (window), 1000);
    ck_assert_uint_eq (mr_window_watermark (window), 1000);
    ck_assert (!mr_window_done (window, 1000));
    mr_window_sent (window, 1001);
    ck_assert (mr_window_done (window, 1001));
    ck_assert_uint_eq (mr_window_watermark (window), 1001);
    ck_assert_uint_eq (mr_window_first (window), 1000);
    mr_window_destroy (&window);
}
END_TEST

START_TEST (test_a_window_of_one_takes_one_at_a_time)
{
    mr_window_t *window = new_window (1, 0);
    for (uint64_t seq = 1; seq <= 10; seq++) {
        mr_window_sent (window, seq);
        ck_assert (mr_window_full (window));
        ck_assert (mr_window_done (window, seq));
    }
    mr_window_destroy (&window);
}
END_TEST

/* Against a plain list of who is out. */
START_TEST (test_any_order_of_settling_leads_to_the_same_sums)
{
    enum { LIMIT = 16, BATCHES = 20000 };
    static bool out[BATCHES + 1];
    mr_window_t *window = new_window (LIMIT, 0);
    uint64_t last = 0;
    uint64_t low = 0;
    uint32_t in_flight = 0;
    srand (7);
    while (low < BATCHES) {
        if (!mr_window_full (window) && last < BATCHES && rand () % 2 == 0) {
            mr_window_sent (window, ++last);
            out[last] = true;
            in_flight++;
        } else {
            uint64_t seq = low + 1 + (uint64_t)(rand () % LIMIT);
            bool is_out = seq <= BATCHES && out[seq];
            ck_assert_int_eq (mr_window_done (window, seq), is_out);
            if (is_out) {
                out[seq] = false;
                in_flight--;
            }
        }
        while (low < last && !out[low + 1]) {
            low++;
        }
        ck_assert_uint_eq (mr_window_in_flight (window), in_flight);
        ck_assert_uint_eq (mr_window_watermark (window), low);
        ck_assert_int_eq (mr_window_full (window), last - low == LIMIT);
    }
    mr_window_destroy (&window);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_the_watermark_moves_over_what_is_settled_without_a_gap,
        test_a_batch_is_settled_once,
        test_numbers_go_on_where_the_last_life_ended,
        test_a_window_of_one_takes_one_at_a_time,
        test_any_order_of_settling_leads_to_the_same_sums,
        NULL,
    };
    return mr_suite_run ("window", tests);
}
