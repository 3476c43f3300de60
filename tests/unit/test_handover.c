#include "stages/exporter/handover.h"
#include "tests/support/suite.h"

#include <string.h>
#include <zmq.h>

static mr_handover_t handover;

static void
open_handover (void)
{
    mr_handover_init (&handover);
}

static void
close_handover (void)
{
    mr_handover_release (&handover);
}

/* A frame in [from, next); bytes 0: nothing of it is due. */
static bool
give (uint64_t from, uint64_t next, size_t bytes)
{
    mr_handed_t handed = {.from = from, .frame = {.next = next}, .bytes = bytes};
    if (bytes > 0) {
        zmq_msg_t msg;
        zmq_msg_init_size (&msg, 1000);
        memset (zmq_msg_data (&msg), 'x', 1000);
        handed.batch.records = zmq_msg_data (&msg);
        handed.share = mr_share_new (&msg);
        ck_assert_ptr_nonnull (handed.share);
        zmq_msg_close (&msg);
    }
    bool taken = mr_handover_give (&handover, &handed);
    mr_share_release (&handed.share);
    return taken;
}

static void
assert_takes (uint64_t position, uint64_t next)
{
    mr_handed_t handed;
    ck_assert (mr_handover_take (&handover, position, UINT64_MAX, &handed));
    ck_assert_uint_eq (handed.frame.next, next);
    if (handed.share != NULL) {
        ck_assert_int_eq (handed.batch.records[999], 'x');
    }
    mr_share_release (&handed.share);
}

static void
assert_nothing_at (uint64_t position, uint64_t end)
{
    mr_handed_t handed;
    ck_assert (!mr_handover_take (&handover, position, end, &handed));
}

START_TEST (test_frames_are_taken_in_order_and_stay_in_memory_until_released)
{
    open_handover ();
    assert_nothing_at (0, UINT64_MAX);
    ck_assert (give (0, 100, 10));
    ck_assert (give (100, 200, 10));
    assert_takes (0, 100);
    assert_takes (100, 200);
    assert_nothing_at (200, UINT64_MAX);
    close_handover ();
}
END_TEST

START_TEST (test_a_place_between_the_frame_and_the_one_before_it_is_a_place_to_take_it)
{
    open_handover ();
    ck_assert (give (100, 300, 10)); /* a segment's header stands in front of it */
    assert_takes (180, 300);
    close_handover ();
}
END_TEST

START_TEST (test_what_is_behind_drops_out_and_what_is_ahead_waits)
{
    open_handover ();
    ck_assert (give (0, 100, 10));
    ck_assert (give (100, 200, 10));
    ck_assert (give (250, 300, 10));
    assert_takes (100, 200);
    assert_nothing_at (200, UINT64_MAX); /* [200, 250) is in the spool only */
    assert_takes (250, 300);
    close_handover ();
}
END_TEST

START_TEST (test_nothing_is_taken_beyond_the_end_that_counts)
{
    open_handover ();
    ck_assert (give (0, 100, 10));
    assert_nothing_at (0, 99);
    assert_takes (0, 100);
    close_handover ();
}
END_TEST

START_TEST (test_frames_of_which_nothing_is_due_become_one)
{
    open_handover ();
    for (uint64_t i = 0; i < 100; i++) {
        ck_assert (give (i * 10, i * 10 + 10, 0));
    }
    ck_assert (give (1000, 1010, 10));
    ck_assert (give (1010, 1020, 0));
    assert_takes (0, 1000);
    assert_takes (1000, 1010);
    assert_takes (1010, 1020);
    assert_nothing_at (1020, UINT64_MAX);
    close_handover ();
}
END_TEST

START_TEST (test_only_so_many_frames_and_bytes_wait)
{
    open_handover ();
    ck_assert (!give (0, 100, MR_HANDOVER_BYTES + 1));
    ck_assert (give (0, 100, MR_HANDOVER_BYTES));
    ck_assert (!give (100, 200, 1));
    assert_takes (0, 100);
    for (uint64_t i = 0; i < MR_HANDOVER_FRAMES; i++) {
        ck_assert (give (i * 10, i * 10 + 10, 1));
    }
    ck_assert (!give (1000, 1010, 1));
    assert_takes (0, 10);
    ck_assert (give (1000, 1010, 1));
    close_handover (); /* lets go of what nobody took */
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_frames_are_taken_in_order_and_stay_in_memory_until_released,
        test_a_place_between_the_frame_and_the_one_before_it_is_a_place_to_take_it,
        test_what_is_behind_drops_out_and_what_is_ahead_waits,
        test_nothing_is_taken_beyond_the_end_that_counts,
        test_frames_of_which_nothing_is_due_become_one,
        test_only_so_many_frames_and_bytes_wait,
        NULL,
    };
    return mr_suite_run ("handover", tests);
}
