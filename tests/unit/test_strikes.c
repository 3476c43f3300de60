#include "stages/ingest/strikes.h"

#include "common/wire/crumb.h"
#include "tests/support/suite.h"

static mr_strikes_t *strikes;
static uint64_t incarnation;

static void
begin (void)
{
    ck_assert_int_eq (mr_strikes_new (&strikes), MR_OK);
    incarnation = 0;
}

/* One more worker died of the record. */
static bool
strike (uint64_t seq, uint32_t index, mr_evidence_t evidence)
{
    mr_strike_t one = {
        .seq = seq, .incarnation = ++incarnation, .index = index, .evidence = evidence};
    ck_assert (!mr_strikes_known (strikes, &one));
    bool marked = mr_strikes_add (strikes, &one);
    ck_assert (mr_strikes_known (strikes, &one));
    return marked;
}

START_TEST (test_two_crashes_mark_a_record)
{
    mr_mark_t marks[MR_STRIKES_MARKS_MAX];
    begin ();
    ck_assert (!strike (5, 17, MR_EVIDENCE_CRASH));
    ck_assert_uint_eq (mr_strikes_marks (strikes, 5, marks), 0);
    ck_assert (strike (5, 17, MR_EVIDENCE_CRASH));
    ck_assert_uint_eq (mr_strikes_marks (strikes, 5, marks), 1);
    ck_assert_uint_eq (marks[0].index, 17);
    ck_assert_uint_eq (marks[0].evidence, MR_EVIDENCE_CRASH);
    ck_assert (!strike (5, 17, MR_EVIDENCE_CRASH)); /* it was marked before */
    ck_assert_uint_eq (mr_strikes_marks (strikes, 6, marks), 0);
    mr_strikes_destroy (&strikes);
}
END_TEST

START_TEST (test_evidence_against_neighbours_does_not_add_up)
{
    mr_mark_t marks[MR_STRIKES_MARKS_MAX];
    begin ();
    ck_assert (!strike (5, 1, MR_EVIDENCE_CRASH));
    ck_assert (!strike (5, 2, MR_EVIDENCE_CRASH));
    ck_assert (!strike (6, 1, MR_EVIDENCE_HANG));
    ck_assert_uint_eq (mr_strikes_marks (strikes, 5, marks), 0);
    ck_assert (strike (5, 1, MR_EVIDENCE_HANG));
    ck_assert_uint_eq (mr_strikes_marks (strikes, 5, marks), 1);
    ck_assert_uint_eq (marks[0].evidence, MR_EVIDENCE_HANG); /* what it did last */
    mr_strikes_destroy (&strikes);
}
END_TEST

START_TEST (test_a_kill_from_outside_counts_from_the_third_time_on)
{
    begin ();
    for (int i = 1; i <= MR_STRIKES_KILLS; i++) {
        ck_assert (!strike (1, 0, MR_EVIDENCE_NONE)); /* the third is one piece of evidence */
    }
    ck_assert (strike (1, 0, MR_EVIDENCE_NONE));
    ck_assert (!strike (2, 0, MR_EVIDENCE_CRASH));
    ck_assert (!strike (2, 0, MR_EVIDENCE_NONE));
    ck_assert (!strike (2, 0, MR_EVIDENCE_NONE));
    ck_assert (strike (2, 0, MR_EVIDENCE_NONE));
    mr_strikes_destroy (&strikes);
}
END_TEST

START_TEST (test_one_death_is_known_again)
{
    begin ();
    mr_strike_t one = {.seq = 3, .incarnation = 99, .index = 4, .evidence = MR_EVIDENCE_CRASH};
    ck_assert (!mr_strikes_known (strikes, &one));
    ck_assert (!mr_strikes_add (strikes, &one));
    ck_assert (mr_strikes_known (strikes, &one));
    one.index = 5;
    ck_assert (!mr_strikes_known (strikes, &one));
    one.index = 4;
    one.incarnation = 100;
    ck_assert (!mr_strikes_known (strikes, &one));
    mr_strikes_destroy (&strikes);
}
END_TEST

START_TEST (test_marks_rise_and_have_a_limit)
{
    mr_mark_t marks[MR_STRIKES_MARKS_MAX];
    begin ();
    for (uint32_t i = 0; i < MR_STRIKES_MARKS_MAX + 10; i++) {
        uint32_t index = 1000 - i;
        ck_assert (!strike (8, index, MR_EVIDENCE_CRASH));
        ck_assert (strike (8, index, MR_EVIDENCE_CRASH));
    }
    ck_assert_uint_eq (mr_strikes_marks (strikes, 8, marks), MR_STRIKES_MARKS_MAX);
    for (uint32_t i = 1; i < MR_STRIKES_MARKS_MAX; i++) {
        ck_assert_uint_lt (marks[i - 1].index, marks[i].index);
    }
    mr_strikes_destroy (&strikes);
}
END_TEST

START_TEST (test_settled_batches_are_forgotten_and_the_oldest_give_way)
{
    mr_mark_t marks[MR_STRIKES_MARKS_MAX];
    begin ();
    for (uint64_t seq = 1; seq <= 3; seq++) {
        ck_assert (!strike (seq, 0, MR_EVIDENCE_CRASH));
        ck_assert (strike (seq, 0, MR_EVIDENCE_CRASH));
    }
    mr_strikes_forget (strikes, 2);
    ck_assert_uint_eq (mr_strikes_marks (strikes, 2, marks), 0);
    ck_assert_uint_eq (mr_strikes_marks (strikes, 3, marks), 1);
    for (uint64_t seq = 10; seq < 10 + MR_STRIKES_MAX; seq++) {
        ck_assert (!strike (seq, 0, MR_EVIDENCE_CRASH));
    }
    ck_assert_uint_eq (mr_strikes_marks (strikes, 3, marks), 0);
    ck_assert (strike (9 + MR_STRIKES_MAX, 0, MR_EVIDENCE_CRASH));
    mr_strikes_destroy (&strikes);
}
END_TEST

START_TEST (test_what_was_saved_comes_back)
{
    mr_mark_t marks[MR_STRIKES_MARKS_MAX];
    mr_strikes_t *copy;
    mr_buffer_t saved;
    begin ();
    mr_buffer_init (&saved, 1 << 20);
    ck_assert_int_eq (mr_strikes_save (strikes, &saved), MR_OK);
    ck_assert_uint_eq (saved.size, 0);
    ck_assert (!strike (4, 6, MR_EVIDENCE_HANG));
    ck_assert (strike (4, 6, MR_EVIDENCE_HANG));
    ck_assert_int_eq (mr_strikes_save (strikes, &saved), MR_OK);
    ck_assert_int_eq (mr_strikes_new (&copy), MR_OK);
    ck_assert_int_eq (mr_strikes_load (copy, saved.data, saved.size), MR_OK);
    ck_assert_uint_eq (mr_strikes_marks (copy, 4, marks), 1);
    ck_assert_uint_eq (marks[0].index, 6);
    for (size_t bytes = 1; bytes < saved.size; bytes++) {
        mr_status_t expected = bytes % sizeof (mr_strike_t) == 0 ? MR_OK : MR_INVALID;
        ck_assert_int_eq (mr_strikes_load (copy, saved.data, bytes), expected);
    }
    static char many[(MR_STRIKES_MAX + 1) * sizeof (mr_strike_t)];
    ck_assert_int_eq (mr_strikes_load (copy, many, sizeof many), MR_INVALID);
    mr_buffer_release (&saved);
    mr_strikes_destroy (&copy);
    mr_strikes_destroy (&strikes);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_two_crashes_mark_a_record,
        test_evidence_against_neighbours_does_not_add_up,
        test_a_kill_from_outside_counts_from_the_third_time_on,
        test_one_death_is_known_again,
        test_marks_rise_and_have_a_limit,
        test_settled_batches_are_forgotten_and_the_oldest_give_way,
        test_what_was_saved_comes_back,
        NULL,
    };
    return mr_suite_run ("strikes", tests);
}
