#include "common/wire/crumb.h"

#include "tests/support/suite.h"

START_TEST (test_a_word_says_which_record_it_is)
{
    static const mr_crumb_t crumbs[] = {
        {0, 1, 0},
        {62, 4711, 65535},
        {1, (UINT64_C (1) << MR_CRUMB_SEQ_BITS) - 1, 3},
        {5, 0, 1},
    };
    for (size_t i = 0; i < sizeof crumbs / sizeof crumbs[0]; i++) {
        const mr_crumb_t *crumb = &crumbs[i];
        mr_crumb_t back;
        uint64_t word = mr_crumb_base (crumb->origin, crumb->seq) + crumb->index;
        ck_assert (mr_crumb_unpack (word, &back));
        ck_assert_uint_eq (back.origin, crumb->origin);
        ck_assert_uint_eq (back.seq, crumb->seq);
        ck_assert_uint_eq (back.index, crumb->index);
    }
}
END_TEST

START_TEST (test_no_word_is_no_record)
{
    mr_crumb_t crumb = {7, 7, 7};
    ck_assert (!mr_crumb_unpack (0, &crumb));
    ck_assert (
        !mr_crumb_unpack (UINT64_C (3) << MR_CRUMB_INDEX_BITS, &crumb)); /* torn, or foreign */
    ck_assert_uint_eq (crumb.seq, 7);
}
END_TEST

START_TEST (test_the_last_record_of_a_batch_does_not_reach_into_the_next)
{
    mr_crumb_t crumb;
    ck_assert (mr_crumb_unpack (mr_crumb_base (3, 10) + 65535, &crumb));
    ck_assert_uint_eq (crumb.seq, 10);
    ck_assert (mr_crumb_base (3, 10) + 65535 < mr_crumb_base (3, 11));
}
END_TEST

START_TEST (test_a_seq_beyond_the_bits_is_taken_modulo)
{
    mr_crumb_t crumb;
    uint64_t seq = (UINT64_C (5) << MR_CRUMB_SEQ_BITS) + 42;
    ck_assert (mr_crumb_unpack (mr_crumb_base (9, seq), &crumb));
    ck_assert_uint_eq (crumb.seq, 42);
    ck_assert_uint_eq (crumb.origin, 9);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_word_says_which_record_it_is,
        test_no_word_is_no_record,
        test_the_last_record_of_a_batch_does_not_reach_into_the_next,
        test_a_seq_beyond_the_bits_is_taken_modulo,
        NULL,
    };
    return mr_suite_run ("crumb", tests);
}
