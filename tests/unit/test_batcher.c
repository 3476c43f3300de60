#include "stages/ingest/batcher.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

static mr_batcher_t *
new_batcher (uint32_t max_records, size_t max_bytes)
{
    mr_batcher_t *batcher = NULL;
    ck_assert_int_eq (mr_batcher_new (max_records, max_bytes, &batcher), MR_OK);
    return batcher;
}

static void
add (mr_batcher_t *batcher, const char *record)
{
    ck_assert_int_eq (mr_batcher_add (batcher, record, strlen (record)), MR_OK);
}

static void
add_dead (mr_batcher_t *batcher, const char *record)
{
    mr_dead_t dead = {
        .attempts = 1,
        .stage = mr_dead_text ("ingest"),
        .worker = mr_dead_text ("ingest.0"),
        .error_type = mr_dead_text ("record_too_long"),
        .record = record,
        .record_bytes = (uint32_t)strlen (record),
        .original_bytes = 2000,
    };
    ck_assert_int_eq (mr_batcher_add_dead (batcher, &dead), MR_OK);
}

START_TEST (test_records_leave_as_lines_with_their_offsets)
{
    mr_batcher_t *batcher = new_batcher (10, 1000);
    mr_batch_t batch;
    add (batcher, "one");
    add (batcher, "twelve");
    mr_batcher_batch (batcher, &batch);
    ck_assert_uint_eq (batch.received, 2);
    ck_assert_uint_eq (batch.count, 2);
    ck_assert_uint_eq (batch.dead, 0);
    ck_assert_uint_eq (batch.section_count, 0);
    ck_assert_uint_eq (batch.records_bytes, 11);
    ck_assert_int_eq (memcmp (batch.records, "one\ntwelve\n", 11), 0);
    ck_assert_uint_eq (batch.offsets[0], 0);
    ck_assert_uint_eq (batch.offsets[1], 4);
    ck_assert_uint_eq (batch.offsets[2], 11);
    mr_batcher_clear (batcher);
    ck_assert_uint_eq (mr_batcher_count (batcher), 0);
    add (batcher, "x");
    mr_batcher_batch (batcher, &batch);
    ck_assert_uint_eq (batch.count, 1);
    ck_assert_int_eq (memcmp (batch.records, "x\n", 2), 0);
    mr_batcher_destroy (&batcher);
    ck_assert_ptr_null (batcher);
}
END_TEST

START_TEST (test_dead_letters_keep_their_place_among_the_records)
{
    mr_batcher_t *batcher = new_batcher (10, 1000);
    add (batcher, "0");
    add_dead (batcher, "one");
    add (batcher, "2");
    add_dead (batcher, "three");
    mr_batch_t batch;
    mr_batcher_batch (batcher, &batch);
    ck_assert_uint_eq (batch.received, 4);
    ck_assert_uint_eq (batch.count, 2);
    ck_assert_uint_eq (batch.dead, 2);
    ck_assert_uint_eq (mr_batch_original_index (&batch, 0), 0);
    ck_assert_uint_eq (mr_batch_original_index (&batch, 1), 2);
    size_t bytes = mr_batch_encoded_bytes (&batch);
    void *frame = malloc (bytes);
    ck_assert_ptr_nonnull (frame);
    mr_batch_encode (&batch, frame); /* it is consistent */
    mr_batch_t back;
    mr_error_t err;
    ck_assert_int_eq (mr_batch_decode (frame, bytes, &back, &err), MR_OK);
    const mr_section_t *section = mr_batch_section (&back, MR_SECTION_DEAD);
    mr_dead_t dead;
    size_t position = 0;
    ck_assert_int_eq (mr_dead_next (section->data, section->bytes, &position, &dead, &err), MR_OK);
    ck_assert_uint_eq (dead.index, 1);
    ck_assert_int_eq (mr_dead_next (section->data, section->bytes, &position, &dead, &err), MR_OK);
    ck_assert_uint_eq (dead.index, 3);
    ck_assert_int_eq (memcmp (dead.record, "three", 5), 0);
    free (frame);
    mr_batcher_destroy (&batcher);
}
END_TEST

START_TEST (test_a_batch_of_dead_letters_alone_can_be_sent)
{
    mr_batcher_t *batcher = new_batcher (10, 1000);
    add_dead (batcher, "x");
    mr_batch_t batch;
    mr_batcher_batch (batcher, &batch);
    ck_assert_uint_eq (batch.count, 0);
    ck_assert_uint_eq (batch.received, 1);
    ck_assert_uint_gt (mr_batch_encoded_bytes (&batch), 0);
    mr_batcher_destroy (&batcher);
}
END_TEST

START_TEST (test_a_batch_is_full_at_its_records_bytes_or_dead_letters)
{
    mr_batcher_t *batcher = new_batcher (2, 1000);
    add (batcher, "a");
    ck_assert (!mr_batcher_full (batcher));
    add_dead (batcher, "b");
    ck_assert (mr_batcher_full (batcher));
    mr_batcher_destroy (&batcher);

    batcher = new_batcher (100, 8);
    add (batcher, "abcdef"); /* seven with its newline */
    ck_assert (!mr_batcher_full (batcher));
    add (batcher, "x");
    ck_assert (mr_batcher_full (batcher));
    mr_batcher_clear (batcher);
    ck_assert (!mr_batcher_full (batcher));
    mr_batcher_destroy (&batcher);

    static char text[1024];
    memset (text, 'd', sizeof text - 1);
    batcher = new_batcher (65536, 16 << 20);
    int count = 0;
    while (!mr_batcher_full (batcher)) {
        add_dead (batcher, text);
        count++;
    }
    ck_assert_int_gt (count, 1000);
    ck_assert_int_lt (count, 65536);
    mr_batcher_destroy (&batcher);
}
END_TEST

START_TEST (test_what_fits_is_bounded_by_records_and_bytes)
{
    mr_batcher_t *batcher = new_batcher (1, 1);
    ck_assert (mr_batcher_fits (batcher, MR_BATCH_MAX_RECORDS, 0));
    ck_assert (!mr_batcher_fits (batcher, MR_BATCH_MAX_RECORDS + 1, 0));
    ck_assert (!mr_batcher_fits (batcher, UINT32_MAX, 0));
    size_t most = (size_t)48 << 20;
    ck_assert (mr_batcher_fits (batcher, 1, most - 1)); /* and its newline */
    ck_assert (!mr_batcher_fits (batcher, 1, most));
    ck_assert (!mr_batcher_fits (batcher, 1, SIZE_MAX - 1));
    add (batcher, "x");
    ck_assert (mr_batcher_full (batcher));
    ck_assert (mr_batcher_fits (batcher, 1, most - 3)); /* a request may go on in a full one */
    ck_assert (!mr_batcher_fits (batcher, 1, most - 2));
    ck_assert (!mr_batcher_fits (batcher, MR_BATCH_MAX_RECORDS, 0));
    for (int i = 1; i < MR_BATCH_MAX_RECORDS; i++) {
        add (batcher, "y");
    }
    ck_assert (!mr_batcher_fits (batcher, 1, 1));
    mr_batch_t batch;
    mr_batcher_batch (batcher, &batch);
    ck_assert_uint_eq (batch.count, MR_BATCH_MAX_RECORDS);
    ck_assert_uint_gt (mr_batch_encoded_bytes (&batch), 0);
    mr_batcher_destroy (&batcher);
}
END_TEST

START_TEST (test_the_fullest_batch_is_still_one_frame)
{
    size_t most = ((size_t)48 << 20) - 1;
    char *record = malloc (most);
    ck_assert_ptr_nonnull (record);
    memset (record, 'r', most);
    static char text[1024];
    memset (text, 'd', sizeof text - 1);
    mr_batcher_t *batcher = new_batcher (65536, 16 << 20);
    while (!mr_batcher_full (batcher)) {
        add_dead (batcher, text);
    }
    ck_assert (mr_batcher_fits (batcher, 1, most));
    ck_assert_int_eq (mr_batcher_add (batcher, record, most), MR_OK);
    mr_batch_t batch;
    mr_batcher_batch (batcher, &batch);
    ck_assert_uint_gt (mr_batch_encoded_bytes (&batch), most);
    mr_batcher_destroy (&batcher);
    free (record);
}
END_TEST

/* Encode what the batcher holds, read it again, and compare it with lines. Returns its size. */
static size_t
assert_encodes (mr_batcher_t *batcher, const char *lines, uint32_t dead)
{
    mr_batch_t batch;
    mr_batcher_batch (batcher, &batch);
    batch.seq = 7;
    const void *frame = NULL;
    size_t bytes = 0;
    ck_assert_int_eq (mr_batcher_encode (batcher, &batch, &frame, &bytes), MR_OK);
    mr_batch_t decoded;
    mr_error_t err;
    ck_assert_int_eq (mr_batch_decode (frame, bytes, &decoded, &err), MR_OK);
    ck_assert_uint_eq (decoded.seq, 7);
    ck_assert_uint_eq (decoded.dead, dead);
    ck_assert_uint_eq (decoded.records_bytes, strlen (lines));
    ck_assert_int_eq (memcmp (decoded.records, lines, strlen (lines)), 0);
    return bytes;
}

START_TEST (test_a_batch_that_is_encoded_and_not_taken_goes_on)
{
    mr_batcher_t *batcher = new_batcher (10, 1000);
    add (batcher, "one");
    assert_encodes (batcher, "one\n", 0);
    add (batcher, "twelve"); /* the journal was full: the next try has more in it */
    add_dead (batcher, "long");
    size_t bytes = assert_encodes (batcher, "one\ntwelve\n", 1);
    void *frame = mr_batcher_take (batcher);
    ck_assert_uint_eq (mr_batcher_count (batcher), 0);
    add (batcher, "next");
    assert_encodes (batcher, "next\n", 0);
    mr_batch_t decoded;
    mr_error_t err;
    ck_assert_int_eq (mr_batch_decode (frame, bytes, &decoded, &err), MR_OK);
    ck_assert_uint_eq (decoded.count, 2);
    free (frame);
    mr_batcher_clear (batcher);
    add_dead (batcher, "long");
    assert_encodes (batcher, "", 1);
    mr_batcher_destroy (&batcher);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_records_leave_as_lines_with_their_offsets,
        test_dead_letters_keep_their_place_among_the_records,
        test_a_batch_of_dead_letters_alone_can_be_sent,
        test_a_batch_is_full_at_its_records_bytes_or_dead_letters,
        test_what_fits_is_bounded_by_records_and_bytes,
        test_the_fullest_batch_is_still_one_frame,
        test_a_batch_that_is_encoded_and_not_taken_goes_on,
        NULL,
    };
    return mr_suite_run ("batcher", tests);
}
