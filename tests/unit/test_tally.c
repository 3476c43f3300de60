/* The audit's equation, from files alone: a journal, a window and two spools. */
#include "common/delivery/tally.h"

#include "common/delivery/journal.h"
#include "common/delivery/window.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 2, SEGMENT = 64 << 10 };

static char data_dir[PATH_MAX - 64];
static mr_error_t err;
static mr_journal_t *journal;
static mr_window_t *window;
static mr_spool_t *spools[SLOTS];

static mr_status_t
save_nothing (void *arg, mr_buffer_t *out)
{
    (void)arg;
    (void)out;
    return MR_OK;
}

static mr_status_t
take_nothing (void *arg, const void *data, size_t bytes)
{
    (void)arg;
    (void)data;
    (void)bytes;
    return MR_OK;
}

static void
open_spool (int slot)
{
    mr_spool_options_t options = {.data_dir = data_dir, .slot = slot, .segment_bytes = SEGMENT};
    ck_assert_msg (mr_spool_open (&options, &spools[slot], &err) == MR_OK, "%s", err.text);
}

static void
open_chain (void)
{
    char path[PATH_MAX];
    snprintf (data_dir, sizeof data_dir, "%.200s", mr_test_dir ());
    mr_journal_options_t options = {
        .data_dir = data_dir,
        .segment_bytes = 1 << 20,
        .state = {.save = save_nothing, .load = take_nothing, .apply = take_nothing},
    };
    ck_assert_msg (mr_journal_open (&options, &journal, &err) == MR_OK, "%s", err.text);
    snprintf (path, sizeof path, "%s/ingest.0.window", data_dir);
    ck_assert_int_eq (mr_window_prepare (path, mr_journal_info (journal).id, 0, &window, &err),
                      MR_OK);
    ck_assert_int_eq (mr_window_install (window, &err), MR_OK);
    for (int slot = 0; slot < SLOTS; slot++) {
        open_spool (slot);
    }
}

static void
close_chain (void)
{
    mr_journal_close (&journal);
    mr_window_close (&window);
    for (int slot = 0; slot < SLOTS; slot++) {
        mr_spool_close (&spools[slot]);
    }
}

/* A batch of 5 records as a frame, of which 2 are filtered when it is done; the caller's. */
static void *
make_frame (uint64_t seq, bool done, size_t *ret_bytes, mr_batch_t *ret_batch)
{
    static const char text[] = "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n{\"n\":5}\n";
    static const uint32_t offsets[] = {0, 8, 16, 24, 32, 40};
    uint32_t count = done ? 3 : 5;
    mr_batch_t batch = {.journal = mr_journal_info (journal).id,
                        .seq = seq,
                        .attempt = 1,
                        .received = 5,
                        .count = count,
                        .filtered = 5 - count,
                        .created_ns = 1,
                        .records = text,
                        .records_bytes = offsets[count],
                        .offsets = offsets};
    *ret_bytes = mr_batch_encoded_bytes (&batch);
    void *frame = aligned_alloc (64, (*ret_bytes + 63) / 64 * 64);
    ck_assert_ptr_nonnull (frame);
    mr_batch_encode (&batch, frame);
    ck_assert_int_eq (mr_batch_decode (frame, *ret_bytes, ret_batch, &err), MR_OK);
    return frame;
}

static void
take_in (uint64_t seq)
{
    size_t bytes;
    mr_batch_t batch;
    void *frame = make_frame (seq, false, &bytes, &batch);
    mr_journal_entry_t entry = {.frame = frame, .frame_bytes = bytes, .batch = &batch};
    ck_assert_int_eq (mr_journal_append (journal, &entry, &err), MR_OK);
    mr_window_send (window, seq);
    free (frame);
}

static void
finish (uint64_t seq, int slot)
{
    size_t bytes;
    mr_batch_t batch;
    bool released;
    void *frame = make_frame (seq, true, &bytes, &batch);
    mr_spool_offer_t offer = {.window = window, .frame = frame, .bytes = bytes, .batch = &batch};
    ck_assert_int_eq (mr_spool_accept (spools[slot], &offer, &released, &err), MR_OK);
    free (frame);
}

static mr_tally_t
look (void)
{
    mr_tally_t tally;
    ck_assert_msg (mr_tally_read (data_dir, 0, &tally, &err) == MR_OK, "%s", err.text);
    return tally;
}

START_TEST (test_without_a_journal_there_is_nothing_to_tell)
{
    mr_tally_t tally;
    ck_assert_int_eq (mr_tally_read (mr_test_dir (), 0, &tally, &err), MR_CLOSED);
}
END_TEST

START_TEST (test_what_was_received_is_settled_or_in_flight)
{
    open_chain ();
    mr_tally_t tally = look ();
    ck_assert (mr_tally_balanced (&tally));
    ck_assert_uint_eq (tally.received, 0);
    for (uint64_t seq = 1; seq <= 10; seq++) {
        take_in (seq);
    }
    tally = look ();
    ck_assert (mr_tally_balanced (&tally));
    ck_assert_uint_eq (tally.received, 50);
    ck_assert_uint_eq (tally.settled_in, 0);
    ck_assert_uint_eq (tally.exported, 0);
    for (uint64_t seq = 1; seq <= 6; seq++) {
        finish (seq, (int)(seq % SLOTS));
    }
    finish (8, 0); /* behind a gap: not below the watermark */
    tally = look ();
    ck_assert (mr_tally_balanced (&tally));
    ck_assert_uint_eq (tally.journal, mr_journal_info (journal).id);
    ck_assert_uint_eq (tally.watermark, 6);
    ck_assert_uint_eq (tally.top, 10);
    ck_assert_uint_eq (tally.received, 50);
    ck_assert_uint_eq (tally.settled_in, 30);
    ck_assert_uint_eq (tally.exported, 18);
    ck_assert_uint_eq (tally.filtered, 12);
    ck_assert_uint_eq (tally.dead, 0);
    ck_assert_uint_eq (tally.batches, 6);
    close_chain ();
    mr_tally_t later = look (); /* nothing runs */
    ck_assert_uint_eq (later.exported, 18);
    ck_assert (mr_tally_balanced (&later));
}
END_TEST

START_TEST (test_a_batch_that_is_in_no_spool_breaks_the_equation)
{
    open_chain ();
    for (uint64_t seq = 1; seq <= 4; seq++) {
        take_in (seq);
    }
    finish (1, 0);
    mr_window_mark_done (window, 2, 0); /* said, but not so */
    finish (3, 1);
    finish (4, 1);
    mr_tally_t tally = look ();
    ck_assert_uint_eq (tally.watermark, 4);
    ck_assert_uint_eq (tally.settled_in, 20);
    ck_assert_uint_eq (tally.exported + tally.filtered, 15);
    ck_assert (!mr_tally_balanced (&tally));
    close_chain ();
}
END_TEST

START_TEST (test_a_batch_that_was_given_up_is_lost_and_counted)
{
    open_chain ();
    for (uint64_t seq = 1; seq <= 3; seq++) {
        take_in (seq);
    }
    finish (1, 0);
    ck_assert_int_eq (mr_journal_lose (journal, 2, &err), MR_OK);
    mr_window_mark_done (window, 2, 0);
    finish (3, 0);
    mr_tally_t tally = look ();
    ck_assert_uint_eq (tally.lost, 5);
    ck_assert (mr_tally_balanced (&tally));
    close_chain ();
}
END_TEST

START_TEST (test_a_follower_sees_what_comes_and_counts_nothing_twice)
{
    open_chain ();
    uint64_t id = mr_journal_info (journal).id;
    mr_tally_follower_t *follower;
    ck_assert_int_eq (mr_tally_follow (data_dir, id, &follower), MR_OK);
    for (uint64_t seq = 1; seq <= 2000; seq++) {
        take_in (seq);
        finish (seq, (int)(seq % SLOTS));
        if (seq % 500 == 0) {
            mr_spool_sum_t sum = mr_tally_follower_read (follower);
            ck_assert_uint_eq (sum.exported, 3 * seq);
            ck_assert_uint_eq (sum.filtered, 2 * seq);
            ck_assert_uint_eq (sum.max_seq, seq);
            sum = mr_tally_follower_read (follower);
            ck_assert_uint_eq (sum.exported, 3 * seq);
        }
    }
    mr_tally_follower_destroy (&follower);
    ck_assert_int_eq (mr_tally_follow (data_dir, id + 1, &follower), MR_OK);
    ck_assert_uint_eq (mr_tally_follower_read (follower).exported, 0); /* another journal's */
    mr_tally_follower_destroy (&follower);
    close_chain ();
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_without_a_journal_there_is_nothing_to_tell,
        test_what_was_received_is_settled_or_in_flight,
        test_a_batch_that_is_in_no_spool_breaks_the_equation,
        test_a_batch_that_was_given_up_is_lost_and_counted,
        test_a_follower_sees_what_comes_and_counts_nothing_twice,
        NULL,
    };
    return mr_suite_run ("tally", tests);
}
