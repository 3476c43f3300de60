#include "common/wire/producer.h"
#include "tests/support/suite.h"

#include <string.h>

static mr_frame_t
frame_of (const char *text)
{
    return (mr_frame_t){text, strlen (text)};
}

static void
assert_numbered (const char *text, const char *name, uint64_t number)
{
    mr_producer_id_t id;
    mr_error_t err;
    ck_assert_int_eq (mr_producer_id_parse (frame_of (text), &id, &err), MR_OK);
    ck_assert_msg (id.numbered, "%s", text);
    ck_assert_uint_eq (id.name_bytes, strlen (name));
    ck_assert_int_eq (memcmp (id.name, name, id.name_bytes), 0);
    ck_assert_uint_eq (id.number, number);
}

static void
assert_plain (const char *text, size_t bytes)
{
    mr_producer_id_t id;
    mr_error_t err;
    ck_assert_int_eq (mr_producer_id_parse ((mr_frame_t){text, bytes}, &id, &err), MR_OK);
    ck_assert (!id.numbered);
}

static void
assert_bad_id (const char *text, const char *why)
{
    mr_producer_id_t id;
    mr_error_t err;
    ck_assert_int_eq (mr_producer_id_parse (frame_of (text), &id, &err), MR_INVALID);
    ck_assert_msg (strstr (err.text, why) != NULL, "\"%s\" does not say \"%s\"", err.text, why);
}

static void
assert_verdict (mr_verdict_t verdict, mr_verdict_type_t type, uint32_t skip, uint64_t last)
{
    ck_assert_int_eq (verdict.type, type);
    ck_assert_uint_eq (verdict.skip, skip);
    ck_assert_uint_eq (verdict.last, last);
}

START_TEST (test_an_id_with_a_name_and_a_number_is_numbered)
{
    assert_numbered ("web/1", "web", 1);
    assert_numbered ("web/0", "web", 0);
    assert_numbered ("web/007", "web", 7);
    assert_numbered ("host/app/12", "host/app", 12);
    assert_numbered ("caf\xc3\xa9/9223372036854775807", "caf\xc3\xa9", MR_PRODUCER_MAX_NUMBER);
    assert_numbered ("//5", "/", 5);
    assert_numbered ("12345678901234567890123456789012345678901234567890123456789012/9",
                     "12345678901234567890123456789012345678901234567890123456789012", 9);
}
END_TEST

START_TEST (test_every_other_id_is_a_plain_one)
{
    assert_plain ("1", 1);
    assert_plain ("web", 3);
    assert_plain ("web/", 4);
    assert_plain ("web/x1", 6);
    assert_plain ("web/-1", 6);
    assert_plain ("web5", 4);
    assert_plain ("\x00\x01/7", 4);
    assert_plain ("\xff\xfe/7", 4);
    assert_plain ("a\x7f/7", 4);
}
END_TEST

START_TEST (test_a_bad_id_says_what_is_wrong)
{
    assert_bad_id ("", "0 bytes");
    assert_bad_id ("123456789012345678901234567890123456789012345678901234567890123/9", "65 bytes");
    assert_bad_id ("/5", "no producer name");
    assert_bad_id ("web/9223372036854775808", "above 9223372036854775807");
    assert_bad_id ("web/18446744073709551616", "above");
    assert_bad_id ("web/99999999999999999999999999999999", "above");
}
END_TEST

START_TEST (test_an_id_that_is_written_reads_back)
{
    char text[MR_PRODUCER_ID_MAX_BYTES + 1];
    mr_error_t err;
    ck_assert_int_eq (mr_producer_id_format ("web", 42, text, &err), MR_OK);
    ck_assert_str_eq (text, "web/42");
    ck_assert_int_eq (mr_producer_id_format ("a/1", MR_PRODUCER_MAX_NUMBER, text, &err), MR_OK);
    assert_numbered (text, "a/1", MR_PRODUCER_MAX_NUMBER);
    char name[MR_PRODUCER_NAME_MAX_BYTES + 1];
    memset (name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq (mr_producer_id_format (name, 9, text, &err), MR_OK);
    assert_numbered (text, name, 9);

    ck_assert_int_eq (mr_producer_id_format (name, 10, text, &err), MR_INVALID);
    ck_assert_int_eq (mr_producer_id_format ("", 1, text, &err), MR_INVALID);
    ck_assert_int_eq (mr_producer_id_format ("a\n", 1, text, &err), MR_INVALID);
    ck_assert_int_eq (mr_producer_id_format ("\xff", 1, text, &err), MR_INVALID);
    ck_assert_int_eq (mr_producer_id_format ("a", UINT64_MAX, text, &err), MR_INVALID);
}
END_TEST

START_TEST (test_blank_lines_are_not_records)
{
    ck_assert (mr_producer_blank (NULL, 0));
    ck_assert (mr_producer_blank (" \t\r\n", 4));
    ck_assert (!mr_producer_blank (" x", 2));
    ck_assert (!mr_producer_blank ("\0", 1));
    ck_assert (!mr_producer_blank ("\xc2\xa0", 2));
}
END_TEST

START_TEST (test_what_follows_the_last_number_is_stored_whole)
{
    assert_verdict (mr_producer_judge (0, 1, 1), MR_VERDICT_STORE, 0, 1);
    assert_verdict (mr_producer_judge (0, 10, 10), MR_VERDICT_STORE, 0, 10);
    assert_verdict (mr_producer_judge (10, 15, 5), MR_VERDICT_STORE, 0, 15);
}
END_TEST

START_TEST (test_a_retry_is_acknowledged_and_not_stored)
{
    assert_verdict (mr_producer_judge (10, 10, 3), MR_VERDICT_DUPLICATE, 0, 10);
    assert_verdict (mr_producer_judge (10, 1, 1), MR_VERDICT_DUPLICATE, 0, 10);
}
END_TEST

START_TEST (test_an_overlap_stores_only_the_new_part)
{
    assert_verdict (mr_producer_judge (10, 12, 5), MR_VERDICT_STORE, 3, 12);
    assert_verdict (mr_producer_judge (10, 11, 11), MR_VERDICT_STORE, 10, 11);
}
END_TEST

START_TEST (test_a_gap_is_refused_and_an_unknown_producer_starts_at_one)
{
    assert_verdict (mr_producer_judge (10, 12, 1), MR_VERDICT_GAP, 0, 10);
    assert_verdict (mr_producer_judge (0, 2, 1), MR_VERDICT_GAP, 0, 0);
    assert_verdict (mr_producer_judge (0, MR_PRODUCER_MAX_NUMBER, 1), MR_VERDICT_GAP, 0, 0);
}
END_TEST

START_TEST (test_more_records_than_numbers_are_malformed)
{
    assert_verdict (mr_producer_judge (0, 0, 1), MR_VERDICT_MALFORMED, 0, 0);
    assert_verdict (mr_producer_judge (10, 3, 4), MR_VERDICT_MALFORMED, 0, 10);
}
END_TEST

START_TEST (test_a_request_without_records_asks_for_the_last_number)
{
    assert_verdict (mr_producer_judge (0, 0, 0), MR_VERDICT_DUPLICATE, 0, 0);
    assert_verdict (mr_producer_judge (10, 0, 0), MR_VERDICT_DUPLICATE, 0, 10);
    assert_verdict (mr_producer_judge (10, 99, 0), MR_VERDICT_DUPLICATE, 0, 10);
}
END_TEST

static void
assert_verdict_by_counting (uint64_t last, uint64_t number, uint32_t records)
{
    uint64_t first = number - records + 1;
    uint32_t old = 0;
    for (uint64_t n = first; n <= number; n++) {
        old += n <= last;
    }
    mr_verdict_t verdict = mr_producer_judge (last, number, records);
    if (first > last + 1) {
        assert_verdict (verdict, MR_VERDICT_GAP, 0, last);
    } else if (old == records) {
        assert_verdict (verdict, MR_VERDICT_DUPLICATE, 0, last);
    } else {
        assert_verdict (verdict, MR_VERDICT_STORE, old, number);
    }
}

START_TEST (test_judging_agrees_with_counting)
{
    for (uint64_t last = 0; last < 12; last++) {
        for (uint64_t number = 1; number < 16; number++) {
            for (uint32_t records = 1; records <= number; records++) {
                assert_verdict_by_counting (last, number, records);
            }
        }
    }
}
END_TEST

static mr_answer_t
answer_round_trip (const mr_answer_t *answer, size_t expected_frames)
{
    char text[MR_ANSWER_WHY_BYTES];
    mr_frame_t frames[2];
    size_t count = mr_answer_encode (answer, text, frames);
    ck_assert_uint_eq (count, expected_frames);
    mr_answer_t back;
    mr_error_t err;
    ck_assert_int_eq (mr_answer_decode (frames, count, &back, &err), MR_OK);
    ck_assert_int_eq (back.type, answer->type);
    ck_assert_uint_eq (back.last, answer->last);
    ck_assert_str_eq (back.why, answer->why);
    return back;
}

START_TEST (test_answers_come_back_as_they_were)
{
    answer_round_trip (&(mr_answer_t){.type = MR_ANSWER_OK, .last = MR_PRODUCER_MAX_NUMBER}, 2);
    answer_round_trip (&(mr_answer_t){.type = MR_ANSWER_OK}, 2);
    answer_round_trip (&(mr_answer_t){.type = MR_ANSWER_BUSY}, 1);
    answer_round_trip (&(mr_answer_t){.type = MR_ANSWER_GAP, .last = 10}, 2);
    answer_round_trip (&(mr_answer_t){.type = MR_ANSWER_ERROR, .why = "record 3 is too long"}, 2);
    mr_answer_t longest = {.type = MR_ANSWER_ERROR};
    memset (longest.why, 'x', sizeof longest.why - 1);
    answer_round_trip (&longest, 2);
}
END_TEST

START_TEST (test_answers_are_written_as_documented)
{
    char text[MR_ANSWER_WHY_BYTES];
    mr_frame_t frames[2];
    mr_answer_t gap = {.type = MR_ANSWER_GAP, .last = 10};
    ck_assert_uint_eq (mr_answer_encode (&gap, text, frames), 2);
    ck_assert_uint_eq (frames[0].bytes, 3);
    ck_assert_int_eq (memcmp (frames[0].data, "gap", 3), 0);
    ck_assert_uint_eq (frames[1].bytes, 2);
    ck_assert_int_eq (memcmp (frames[1].data, "10", 2), 0);
}
END_TEST

static void
assert_bad_answer (size_t count, const char *word, const char *detail, const char *why)
{
    mr_frame_t frames[2] = {frame_of (word), frame_of (detail)};
    mr_answer_t answer;
    mr_error_t err;
    ck_assert_int_eq (mr_answer_decode (frames, count, &answer, &err), MR_INVALID);
    ck_assert_msg (strstr (err.text, why) != NULL, "\"%s\" does not say \"%s\"", err.text, why);
}

START_TEST (test_a_bad_answer_says_what_is_wrong)
{
    assert_bad_answer (0, "", "", "count");
    assert_bad_answer (1, "ok", "", "count");
    assert_bad_answer (1, "error", "", "count");
    assert_bad_answer (2, "", "1", "word");
    assert_bad_answer (2, "OK", "1", "word");
    assert_bad_answer (2, "okay", "1", "word");
    assert_bad_answer (2, "ok", "", "last");
    assert_bad_answer (2, "ok", "-1", "last");
    assert_bad_answer (2, "gap", "1 ", "last");
    assert_bad_answer (2, "gap", "9223372036854775808", "last");
}
END_TEST

START_TEST (test_a_reason_is_cut_to_one_printable_line)
{
    char why[2 * MR_ANSWER_WHY_BYTES];
    memset (why, 'x', sizeof why);
    why[0] = '\n';
    why[MR_ANSWER_WHY_BYTES - 2] = '\xc3';
    why[MR_ANSWER_WHY_BYTES - 1] = '\xa9';
    const mr_frame_t frames[3] = {{"error", 5}, {why, sizeof why}, {"later", 5}};
    mr_answer_t answer;
    mr_error_t err;
    ck_assert_int_eq (mr_answer_decode (frames, 3, &answer, &err), MR_OK);
    ck_assert_uint_eq (strlen (answer.why), MR_ANSWER_WHY_BYTES - 2);
    ck_assert_int_eq (answer.why[0], ' ');
    const mr_frame_t empty[2] = {{"error", 5}, {NULL, 0}};
    ck_assert_int_eq (mr_answer_decode (empty, 2, &answer, &err), MR_OK);
    ck_assert_str_eq (answer.why, "");
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_an_id_with_a_name_and_a_number_is_numbered,
        test_every_other_id_is_a_plain_one,
        test_a_bad_id_says_what_is_wrong,
        test_an_id_that_is_written_reads_back,
        test_blank_lines_are_not_records,
        test_what_follows_the_last_number_is_stored_whole,
        test_a_retry_is_acknowledged_and_not_stored,
        test_an_overlap_stores_only_the_new_part,
        test_a_gap_is_refused_and_an_unknown_producer_starts_at_one,
        test_more_records_than_numbers_are_malformed,
        test_a_request_without_records_asks_for_the_last_number,
        test_judging_agrees_with_counting,
        test_answers_come_back_as_they_were,
        test_answers_are_written_as_documented,
        test_a_bad_answer_says_what_is_wrong,
        test_a_reason_is_cut_to_one_printable_line,
        NULL,
    };
    return mr_suite_run ("producer", tests);
}
