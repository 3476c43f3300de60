/* The audit's equation, from files alone: a journal, a window and two spools. */
#include "common/delivery/tally.h"

#include "common/base/seglog_walk.h"
#include "common/delivery/journal.h"
#include "common/delivery/tally_spool.h"
#include "common/delivery/window.h"
#include "tests/support/chain_kit.h"
#include "tests/support/doctor.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mr_error_t err;
static mr_chain_t chain = {
    .journal_segment = 1 << 20,
    .spool_segment = 64 << 10,
    .records = 5,
    .filtered = 2,
};

static mr_tally_t
look (void)
{
    mr_tally_t tally;
    ck_assert_msg (mr_tally_read (chain.data_dir, 0, &tally, &err) == MR_OK, "%s", err.text);
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
    mr_chain_open (&chain);
    mr_tally_t tally = look ();
    ck_assert (mr_tally_balanced (&tally));
    ck_assert_uint_eq (tally.received, 0);
    for (uint64_t seq = 1; seq <= 10; seq++) {
        mr_chain_take_in (&chain, seq);
    }
    tally = look ();
    ck_assert (mr_tally_balanced (&tally));
    ck_assert_uint_eq (tally.received, 50);
    ck_assert_uint_eq (tally.settled_in, 0);
    ck_assert_uint_eq (tally.exported, 0);
    for (uint64_t seq = 1; seq <= 6; seq++) {
        mr_chain_finish (&chain, seq, (int)(seq % MR_CHAIN_SPOOLS));
    }
    mr_chain_finish (&chain, 8, 0); /* behind a gap: not below the watermark */
    tally = look ();
    ck_assert (mr_tally_balanced (&tally));
    ck_assert_uint_eq (tally.journal, mr_journal_info (chain.journal).id);
    ck_assert_uint_eq (tally.watermark, 6);
    ck_assert_uint_eq (tally.top, 10);
    ck_assert_uint_eq (tally.received, 50);
    ck_assert_uint_eq (tally.settled_in, 30);
    ck_assert_uint_eq (tally.exported, 18);
    ck_assert_uint_eq (tally.filtered, 12);
    ck_assert_uint_eq (tally.dead, 0);
    ck_assert_uint_eq (tally.batches, 6);
    ck_assert_uint_eq (tally.ahead, 5);
    mr_chain_close (&chain);
    mr_tally_t later = look (); /* nothing runs */
    ck_assert_uint_eq (later.exported, 18);
    ck_assert (mr_tally_balanced (&later));
}
END_TEST

START_TEST (test_a_batch_that_is_in_no_spool_breaks_the_equation)
{
    mr_chain_open (&chain);
    for (uint64_t seq = 1; seq <= 4; seq++) {
        mr_chain_take_in (&chain, seq);
    }
    mr_chain_finish (&chain, 1, 0);
    mr_window_mark_done (chain.window, 2, 0); /* said, but not so */
    mr_chain_finish (&chain, 3, 1);
    mr_chain_finish (&chain, 4, 1);
    mr_tally_t tally = look ();
    ck_assert_uint_eq (tally.watermark, 4);
    ck_assert_uint_eq (tally.settled_in, 20);
    ck_assert_uint_eq (tally.exported + tally.filtered, 15);
    ck_assert (!mr_tally_balanced (&tally));
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_a_batch_that_was_given_up_is_lost_and_counted)
{
    mr_chain_open (&chain);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        mr_chain_take_in (&chain, seq);
    }
    mr_chain_finish (&chain, 1, 0);
    ck_assert_int_eq (mr_journal_lose (chain.journal, 2, &err), MR_OK);
    mr_tally_t tally = look ();
    ck_assert_uint_eq (tally.lost, 0); /* until it is done */
    ck_assert_uint_eq (tally.ahead, 5);
    mr_window_mark_done (chain.window, 2, 0);
    mr_chain_finish (&chain, 3, 0);
    tally = look ();
    ck_assert_uint_eq (tally.lost, 5);
    ck_assert_uint_eq (tally.ahead, 0);
    ck_assert (mr_tally_balanced (&tally));
    mr_chain_close (&chain);
}
END_TEST

/* Position of the frame of this batch in the journal. */
static uint64_t
journal_place (uint64_t seq)
{
    mr_doctored_t file;
    mr_doctor_data (chain.data_dir);
    size_t at = mr_doctor_open (&file, "ingest.0.journal", MR_JOURNAL_WORD_SEQ, seq);
    free (file.bytes);
    return file.head.start + at;
}

START_TEST (test_batches_under_way_that_the_journal_has_lost_are_found)
{
    mr_chain_open (&chain);
    for (uint64_t seq = 1; seq <= 4; seq++) {
        mr_chain_take_in (&chain, seq);
    }
    mr_chain_finish (&chain, 1, 0);
    ck_assert_uint_eq (look ().unknown, 0);
    mr_chain_close (&chain);
    char dir[PATH_MAX];
    mr_journal_path (chain.data_dir, 0, dir);
    ck_assert_int_eq (mr_seglog_cut (dir, NULL, journal_place (3), &err), MR_OK);
    mr_tally_t tally = look ();
    ck_assert_uint_eq (tally.unknown, 4);
    ck_assert_uint_eq (tally.settled_in, tally.exported + tally.filtered); /* it would balance */
    ck_assert (!mr_tally_balanced (&tally));
}
END_TEST

START_TEST (test_a_journal_that_begins_behind_what_is_not_settled_is_not_called_fast)
{
    chain.journal_segment = 8192;
    mr_chain_open (&chain);
    for (uint64_t seq = 1; seq <= 200; seq++) {
        mr_chain_take_in (&chain, seq);
    }
    mr_chain_finish (&chain, 1, 0);
    mr_chain_close (&chain);
    char path[PATH_MAX + 64];
    ck_assert_uint_gt (journal_place (200), 8192); /* another segment */
    snprintf (path, sizeof path, "%s/ingest.0.journal/0000000000000000.seg", chain.data_dir);
    ck_assert_int_eq (unlink (path), 0);
    chain.journal_segment = 1 << 20;
    mr_tally_t tally;
    ck_assert_int_eq (mr_tally_read (chain.data_dir, 0, &tally, &err), MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, "ingest.0: nothing moves, and the first segments"));
}
END_TEST

START_TEST (test_a_follower_sees_what_comes_and_counts_nothing_twice)
{
    mr_chain_open (&chain);
    uint64_t id = mr_journal_info (chain.journal).id;
    mr_tally_follower_t *follower;
    ck_assert_int_eq (mr_tally_follow (chain.data_dir, id, &follower), MR_OK);
    for (uint64_t seq = 1; seq <= 2000; seq++) {
        mr_chain_take_in (&chain, seq);
        mr_chain_finish (&chain, seq, (int)(seq % MR_CHAIN_SPOOLS));
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
    ck_assert_int_eq (mr_tally_follow (chain.data_dir, id + 1, &follower), MR_OK);
    ck_assert_uint_eq (mr_tally_follower_read (follower).exported, 0); /* another journal's */
    mr_tally_follower_destroy (&follower);
    mr_chain_close (&chain);
}
END_TEST

/* A stopped exporter, or a processor, holds one batch: the watermark stands, and segments begin
 * behind it, however often they roll. */
START_TEST (test_a_stuck_batch_keeps_nobody_from_looking_while_the_spools_roll_on)
{
    enum { STUCK = 1500, LAST = 6000 };
    mr_chain_open (&chain);
    for (uint64_t seq = 1; seq <= LAST; seq++) {
        mr_chain_take_in (&chain, seq);
        if (seq != STUCK) {
            mr_chain_finish (&chain, seq, (int)(seq % MR_CHAIN_SPOOLS));
        }
        if (seq > STUCK && seq % 500 == 0) {
            mr_tally_t tally = look ();
            ck_assert_uint_eq (tally.watermark, STUCK - 1);
            ck_assert_uint_eq (tally.received, 5 * seq);
            ck_assert_uint_eq (tally.settled_in, (uint64_t)5 * (STUCK - 1));
            ck_assert_uint_eq (tally.batches, STUCK - 1);
            ck_assert_uint_eq (tally.ahead, 5 * (seq - STUCK));
            ck_assert (mr_tally_balanced (&tally));
        }
    }
    mr_chain_finish (&chain, STUCK, 0);
    ck_assert_uint_eq (look ().watermark, LAST);
    mr_chain_close (&chain);
}
END_TEST

START_TEST (test_what_retention_took_meanwhile_is_missed_also_the_first_segment_of_all)
{
    enum { LAST = 1200 };
    mr_chain_open (&chain);
    for (uint64_t seq = 1; seq <= LAST; seq++) {
        mr_chain_take_in (&chain, seq);
        mr_chain_finish (&chain, seq, 0);
    }
    const mr_tally_which_t which = {
        .slot = 0, .journal = mr_journal_info (chain.journal).id, .every = true};
    mr_tally_spool_t spool;
    ck_assert_int_eq (mr_tally_spool_open (chain.data_dir, &which, &spool, &err), MR_OK);
    ck_assert_uint_gt (spool.start_count, 2);
    spool.start_count = 1; /* as of a watermark that far behind */
    unsigned removed = 0;
    ck_assert_int_eq (
        mr_seglog_trim (mr_spool_log (chain.spools[0]), UINT64_MAX, 0, &removed, &err), MR_OK);
    ck_assert_uint_gt (removed, 0);
    ck_assert_int_eq (mr_tally_spool_begin (&spool, LAST, &err), MR_OK);
    mr_spool_sum_t sum = spool.start;
    ck_assert_int_eq (mr_tally_spool_add (&spool, LAST, &sum, &err), MR_AGAIN);
    mr_tally_spool_close (&spool);
    mr_chain_close (&chain);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_what_retention_took_meanwhile_is_missed_also_the_first_segment_of_all,
        test_a_stuck_batch_keeps_nobody_from_looking_while_the_spools_roll_on,
        test_without_a_journal_there_is_nothing_to_tell,
        test_what_was_received_is_settled_or_in_flight,
        test_a_batch_that_is_in_no_spool_breaks_the_equation,
        test_a_batch_that_was_given_up_is_lost_and_counted,
        test_batches_under_way_that_the_journal_has_lost_are_found,
        test_a_journal_that_begins_behind_what_is_not_settled_is_not_called_fast,
        test_a_follower_sees_what_comes_and_counts_nothing_twice,
        NULL,
    };
    return mr_suite_run ("tally", tests);
}
