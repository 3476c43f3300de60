/* What a journal's segment begins with: there and back, and every truncation. */
#include "common/delivery/journal_format.h"

#include "common/wire/producer.h"
#include "tests/support/suite.h"

#include <string.h>

static mr_buffer_t text;

static void
begin (void)
{
    mr_buffer_init (&text, 4096);
}

static void
add (const char *name, uint64_t last)
{
    mr_journal_producer_t producer = {.name = name, .name_bytes = strlen (name), .last = last};
    ck_assert_int_eq (mr_journal_producer_encode (&producer, &text), MR_OK);
}

START_TEST (test_a_snapshot_is_read_back_and_its_memory_is_what_follows)
{
    begin ();
    mr_journal_snapshot_t snapshot = {.next_seq = 12,
                                      .top_seq = 10,
                                      .received = 500,
                                      .watermark = 9,
                                      .lost = 7,
                                      .lost_seq = 3,
                                      .unknown = 2,
                                      .gone_seq = 8};
    ck_assert_int_eq (mr_journal_snapshot_encode (&snapshot, &text), MR_OK);
    size_t head = text.size;
    ck_assert_int_eq (mr_buffer_append (&text, "memory", 6), MR_OK);
    mr_journal_snapshot_t read;
    ck_assert_int_eq (mr_journal_snapshot_decode (text.data, text.size, &read), MR_OK);
    ck_assert (read.next_seq == 12 && read.top_seq == 10);
    ck_assert (read.received == 500 && read.watermark == 9);
    ck_assert (read.lost == 7 && read.lost_seq == 3);
    ck_assert (read.unknown == 2 && read.gone_seq == 8);
    ck_assert_uint_eq (read.memory_bytes, 6);
    ck_assert_mem_eq (read.memory, "memory", 6);
    for (size_t bytes = 0; bytes < head; bytes++) {
        ck_assert_int_eq (mr_journal_snapshot_decode (text.data, bytes, &read), MR_INVALID);
    }
    text.data[4] = 9; /* a version that is not known */
    ck_assert_int_eq (mr_journal_snapshot_decode (text.data, text.size, &read), MR_INVALID);
    mr_buffer_release (&text);
}
END_TEST

START_TEST (test_a_snapshot_of_version_1_has_nothing_that_was_given_up)
{
    begin ();
    mr_journal_snapshot_t snapshot = {.next_seq = 12, .lost = 7, .lost_seq = 3};
    ck_assert_int_eq (mr_journal_snapshot_encode (&snapshot, &text), MR_OK);
    text.data[4] = 1;
    mr_journal_snapshot_t read;
    ck_assert_int_eq (mr_journal_snapshot_decode (text.data, text.size, &read), MR_OK);
    ck_assert (read.next_seq == 12 && read.lost == 0 && read.lost_seq == 0);
    ck_assert_uint_eq (read.memory_bytes, text.size - 40);
    ck_assert_int_eq (mr_journal_snapshot_decode (text.data, 39, &read), MR_INVALID);
    mr_buffer_release (&text);
}
END_TEST

START_TEST (test_a_snapshot_of_version_2_has_no_batch_of_unknown_size)
{
    begin ();
    mr_journal_snapshot_t snapshot = {.next_seq = 12, .lost = 7, .unknown = 2, .gone_seq = 8};
    ck_assert_int_eq (mr_journal_snapshot_encode (&snapshot, &text), MR_OK);
    text.data[4] = 2;
    mr_journal_snapshot_t read;
    ck_assert_int_eq (mr_journal_snapshot_decode (text.data, text.size, &read), MR_OK);
    ck_assert (read.next_seq == 12 && read.lost == 7);
    ck_assert (read.unknown == 0 && read.gone_seq == 0);
    ck_assert_uint_eq (read.memory_bytes, text.size - 56);
    ck_assert_int_eq (mr_journal_snapshot_decode (text.data, 55, &read), MR_INVALID);
    mr_buffer_release (&text);
}
END_TEST

START_TEST (test_the_memory_has_two_parts)
{
    begin ();
    uint64_t bytes = 3;
    ck_assert_int_eq (mr_buffer_append (&text, &bytes, sizeof bytes), MR_OK);
    ck_assert_int_eq (mr_buffer_append (&text, "abcdefgh", 8), MR_OK);
    mr_journal_memory_t memory;
    ck_assert_int_eq (mr_journal_memory_decode (text.data, text.size, &memory), MR_OK);
    ck_assert_uint_eq (memory.producers_bytes, 3);
    ck_assert_mem_eq (memory.producers, "abc", 3);
    ck_assert_uint_eq (memory.strikes_bytes, 5);
    ck_assert_mem_eq (memory.strikes, "defgh", 5);
    ck_assert_int_eq (mr_journal_memory_decode (text.data, 7, &memory), MR_INVALID);
    ck_assert_int_eq (mr_journal_memory_decode (text.data, 10, &memory), MR_INVALID);
    mr_buffer_release (&text);
}
END_TEST

START_TEST (test_producers_are_read_back_one_by_one)
{
    begin ();
    char longest[MR_PRODUCER_NAME_MAX_BYTES + 1];
    memset (longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    add ("a", 1);
    add (longest, UINT64_MAX);
    size_t position = 0;
    mr_journal_producer_t producer;
    ck_assert_int_eq (mr_journal_producer_next (text.data, text.size, &position, &producer), MR_OK);
    ck_assert (producer.name_bytes == 1 && producer.name[0] == 'a' && producer.last == 1);
    ck_assert_int_eq (mr_journal_producer_next (text.data, text.size, &position, &producer), MR_OK);
    ck_assert_uint_eq (producer.name_bytes, MR_PRODUCER_NAME_MAX_BYTES);
    ck_assert_uint_eq (producer.last, UINT64_MAX);
    ck_assert_int_eq (mr_journal_producer_next (text.data, text.size, &position, &producer),
                      MR_CLOSED);
    mr_buffer_release (&text);
}
END_TEST

START_TEST (test_entries_that_break_off_or_have_no_name_are_refused)
{
    begin ();
    add ("shop", 7);
    mr_journal_producer_t producer;
    for (size_t bytes = 1; bytes < text.size; bytes++) {
        size_t position = 0;
        ck_assert_int_eq (mr_journal_producer_next (text.data, bytes, &position, &producer),
                          MR_INVALID);
        ck_assert_uint_eq (position, 0);
    }
    const unsigned char bad[] = {0, MR_PRODUCER_NAME_MAX_BYTES + 1, 255};
    for (size_t i = 0; i < sizeof bad; i++) {
        size_t position = 0;
        text.data[0] = (char)bad[i];
        ck_assert_int_eq (mr_journal_producer_next (text.data, text.size, &position, &producer),
                          MR_INVALID);
    }
    mr_buffer_release (&text);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_snapshot_is_read_back_and_its_memory_is_what_follows,
        test_a_snapshot_of_version_1_has_nothing_that_was_given_up,
        test_a_snapshot_of_version_2_has_no_batch_of_unknown_size,
        test_the_memory_has_two_parts,
        test_producers_are_read_back_one_by_one,
        test_entries_that_break_off_or_have_no_name_are_refused,
        NULL,
    };
    return mr_suite_run ("journal_format", tests);
}
