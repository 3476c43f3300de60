#include "common/wire/batch.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Where the fields lie in the frame, as PROTOCOL.md has them. */
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_TOTAL_BYTES = 24,
    AT_RECEIVED = 32,
    AT_COUNT = 36,
    AT_RECORDS_BYTES = 48,
    AT_SECTION_COUNT = 52,
    UNKNOWN_SECTION = 900,
};

static const char records[] = "{\"a\":1}\n{\"b\":2}\n\n{\"c\":3}\n";
static const uint32_t offsets[] = {0, 8, 16, 17, 25};
static const uint32_t original[] = {0, 2, 3, 7};

static mr_batch_t
sample (void)
{
    mr_batch_t batch = {
        .journal = UINT64_C (0x0123456789abcdef),
        .seq = 42,
        .attempt = 2,
        .origin = 3,
        .generation = 4,
        .received = 9,
        .count = 4,
        .filtered = 3,
        .dead = 2,
        .created_ns = INT64_C (1763886097123456789),
        .config_hash = UINT64_C (0xfedcba9876543210),
        .records = records,
        .records_bytes = 25,
        .offsets = offsets,
    };
    ck_assert_int_eq (mr_batch_set_section (&batch, MR_SECTION_INDEX, original, sizeof original),
                      MR_OK);
    ck_assert_int_eq (
        mr_batch_set_section (&batch, (mr_section_type_t)UNKNOWN_SECTION, "unknown", 7), MR_OK);
    return batch;
}

/* Exactly as long as the frame, so that a read behind it is found. */
static uint8_t *
encode (const mr_batch_t *batch, size_t *ret_bytes)
{
    *ret_bytes = mr_batch_encoded_bytes (batch);
    ck_assert_uint_ne (*ret_bytes, 0);
    uint8_t *frame = malloc (*ret_bytes);
    ck_assert_ptr_nonnull (frame);
    mr_batch_encode (batch, frame);
    return frame;
}

static void
assert_refused (const void *frame, size_t bytes, const char *why)
{
    mr_batch_t batch;
    uint8_t before[sizeof batch];
    memset (before, 0x5a, sizeof before);
    memcpy (&batch, before, sizeof batch);
    mr_error_t err;
    mr_error_set (&err, "%s", "");
    ck_assert_int_eq (mr_batch_decode (frame, bytes, &batch, &err), MR_INVALID);
    ck_assert_int_eq (memcmp ((const uint8_t *)&batch, before, sizeof batch), 0);
    ck_assert_msg (strstr (err.text, why) != NULL, "\"%s\" does not say \"%s\"", err.text, why);
}

/* Put a value into a field, make the checksum right again and see the frame refused for it. */
static void
assert_field_refused (size_t at, uint32_t value, const char *why)
{
    mr_batch_t batch = sample ();
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    memcpy (frame + at, &value, sizeof value);
    mr_batch_restamp (frame, bytes, 1, 0);
    assert_refused (frame, bytes, why);
    free (frame);
}

START_TEST (test_a_batch_comes_back_as_it_was)
{
    mr_batch_t batch = sample ();
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    mr_batch_t back;
    mr_error_t err;
    ck_assert_int_eq (mr_batch_decode (frame, bytes, &back, &err), MR_OK);
    ck_assert_uint_eq (back.journal, batch.journal);
    ck_assert_uint_eq (back.seq, 42);
    ck_assert_uint_eq (back.attempt, 2);
    ck_assert_uint_eq (back.origin, 3);
    ck_assert_uint_eq (back.generation, 4);
    ck_assert_uint_eq (back.received, 9);
    ck_assert_uint_eq (back.count, 4);
    ck_assert_uint_eq (back.filtered, 3);
    ck_assert_uint_eq (back.dead, 2);
    ck_assert_int_eq (back.created_ns, batch.created_ns);
    ck_assert_uint_eq (back.config_hash, batch.config_hash);
    ck_assert_uint_eq (back.records_bytes, 25);
    ck_assert_int_eq (memcmp (back.records, records, 25), 0);
    ck_assert_int_eq (memcmp (back.offsets, offsets, sizeof offsets), 0);
    free (frame);
}
END_TEST

START_TEST (test_encoding_what_was_decoded_gives_the_same_bytes)
{
    mr_batch_t batch = sample ();
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    mr_batch_t back;
    ck_assert_int_eq (mr_batch_decode (frame, bytes, &back, NULL), MR_OK);
    size_t again_bytes;
    uint8_t *again = encode (&back, &again_bytes);
    ck_assert_uint_eq (again_bytes, bytes);
    ck_assert_int_eq (memcmp (again, frame, bytes), 0);
    free (again);
    free (frame);
}
END_TEST

START_TEST (test_unknown_sections_pass_through)
{
    mr_batch_t batch = sample ();
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    mr_batch_t back;
    ck_assert_int_eq (mr_batch_decode (frame, bytes, &back, NULL), MR_OK);
    ck_assert_uint_eq (back.section_count, 2);
    const mr_section_t *unknown = mr_batch_section (&back, (mr_section_type_t)UNKNOWN_SECTION);
    ck_assert_ptr_nonnull (unknown);
    ck_assert_uint_eq (unknown->bytes, 7);
    ck_assert_int_eq (memcmp (unknown->data, "unknown", 7), 0);
    ck_assert_uint_eq ((uintptr_t)unknown->data & 7, 0);
    free (frame);
}
END_TEST

START_TEST (test_records_are_followed_by_zeros_that_parsers_may_read)
{
    mr_batch_t batch = sample ();
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    static const char zeros[MR_BATCH_PAD_BYTES];
    ck_assert_int_eq (memcmp (frame + MR_BATCH_HEADER_BYTES + 25, zeros, sizeof zeros), 0);
    free (frame);
}
END_TEST

START_TEST (test_a_batch_emptied_by_filters_still_travels)
{
    mr_batch_t batch = {.journal = 1, .seq = 1, .attempt = 1, .received = 5, .filtered = 5};
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    mr_batch_t back;
    ck_assert_int_eq (mr_batch_decode (frame, bytes, &back, NULL), MR_OK);
    ck_assert_uint_eq (back.count, 0);
    ck_assert_uint_eq (back.filtered, 5);
    ck_assert_uint_eq (back.offsets[0], 0);
    free (frame);
}
END_TEST

START_TEST (test_a_frame_of_any_other_length_is_refused)
{
    mr_batch_t batch = sample ();
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    for (size_t length = 0; length < bytes; length++) {
        void *cut = malloc (length > 0 ? length : 1);
        ck_assert_ptr_nonnull (cut);
        memcpy (cut, frame, length);
        assert_refused (cut, length, length < MR_BATCH_HEADER_BYTES ? "frame size" : "total_bytes");
        free (cut);
    }
    uint8_t *longer = calloc (1, bytes + 16);
    ck_assert_ptr_nonnull (longer);
    memcpy (longer, frame, bytes);
    for (size_t more = 1; more <= 16; more++) {
        assert_refused (longer, bytes + more, "total_bytes");
    }
    free (longer);
    free (frame);
}
END_TEST

START_TEST (test_a_cut_frame_that_claims_its_length_is_refused)
{
    mr_batch_t batch = sample ();
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    for (size_t length = MR_BATCH_HEADER_BYTES; length < bytes; length++) {
        uint8_t *cut = malloc (length);
        ck_assert_ptr_nonnull (cut);
        memcpy (cut, frame, length);
        uint32_t claimed = (uint32_t)length;
        memcpy (cut + AT_TOTAL_BYTES, &claimed, sizeof claimed);
        mr_batch_restamp (cut, length, 1, 0);
        assert_refused (cut, length, "batch frame: bad ");
        free (cut);
    }
    free (frame);
}
END_TEST

START_TEST (test_every_flipped_bit_is_refused)
{
    mr_batch_t batch = sample ();
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        frame[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_refused (frame, bytes, "batch frame: bad ");
        frame[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    for (size_t i = 0; i < bytes; i++) {
        frame[i] ^= 0xff;
        assert_refused (frame, bytes, "batch frame: bad ");
        frame[i] ^= 0xff;
    }
    mr_batch_t back;
    ck_assert_int_eq (mr_batch_decode (frame, bytes, &back, NULL), MR_OK);
    free (frame);
}
END_TEST

START_TEST (test_a_field_out_of_its_range_is_named)
{
    assert_field_refused (AT_MAGIC, 0, "magic");
    assert_field_refused (AT_VERSION, MR_BATCH_VERSION + 1, "version");
    assert_field_refused (AT_TOTAL_BYTES, UINT32_MAX, "total_bytes");
    assert_field_refused (AT_COUNT, MR_BATCH_MAX_RECORDS + 1, "count");
    assert_field_refused (AT_SECTION_COUNT, MR_BATCH_MAX_SECTIONS + 1, "section_count");
    assert_field_refused (AT_RECORDS_BYTES, UINT32_MAX, "records_bytes");
}
END_TEST

START_TEST (test_counts_that_do_not_add_up_are_refused)
{
    assert_field_refused (AT_RECEIVED, 8, "received");
    assert_field_refused (AT_RECEIVED, 10, "received");
    assert_field_refused (AT_COUNT, 3, "received");
    assert_field_refused (AT_RECORDS_BYTES, 24, "offset");
    assert_field_refused (AT_RECORDS_BYTES, 26, "offset");
    assert_field_refused (AT_SECTION_COUNT, 1, "trailing bytes");
    assert_field_refused (AT_SECTION_COUNT, 3, "section");
}
END_TEST

START_TEST (test_sums_that_wrap_around_are_refused)
{
    mr_batch_t batch = sample ();
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    /* 4 + 0xffffffff + 6 is 9 in 32 bits. */
    uint32_t filtered_and_dead[] = {UINT32_MAX, 6};
    memcpy (frame + AT_COUNT + 4, filtered_and_dead, sizeof filtered_and_dead);
    mr_batch_restamp (frame, bytes, 1, 0);
    assert_refused (frame, bytes, "received");
    free (frame);
}
END_TEST

START_TEST (test_offsets_must_rise_from_nought_to_the_end)
{
    const size_t at = MR_BATCH_HEADER_BYTES + (25 + MR_BATCH_PAD_BYTES + 7) / 8 * 8;
    assert_field_refused (at, 1, "offset");            /* the first is not 0 */
    assert_field_refused (at + 4, 0, "offset");        /* an empty record without newline */
    assert_field_refused (at + 8, 7, "offset");        /* falls */
    assert_field_refused (at + 12, 25, "offset");      /* the next one does not rise */
    assert_field_refused (at + 16, 24, "offset");      /* does not end at records_bytes */
    assert_field_refused (at + 16, 1 << 30, "offset"); /* far outside */
}
END_TEST

START_TEST (test_a_section_longer_than_the_frame_is_refused)
{
    const size_t at = MR_BATCH_HEADER_BYTES + (25 + MR_BATCH_PAD_BYTES + 7) / 8 * 8 + 24;
    assert_field_refused (at + 4, UINT32_MAX, "section bytes");
    assert_field_refused (at + 4, 1000, "section bytes");
    assert_field_refused (at + 4, 0, "INDEX bytes");
}
END_TEST

START_TEST (test_sections_that_contradict_the_header_are_refused)
{
    const size_t at = MR_BATCH_HEADER_BYTES + (25 + MR_BATCH_PAD_BYTES + 7) / 8 * 8 + 24;
    assert_field_refused (at, UNKNOWN_SECTION, "section type, twice");
    assert_field_refused (at + 4, 12, "INDEX bytes");
    assert_field_refused (at + 4, 15, "INDEX bytes");
}
END_TEST

START_TEST (test_what_passes_a_limit_has_no_encoded_size)
{
    mr_batch_t batch = {.received = MR_BATCH_MAX_RECORDS + 1, .count = MR_BATCH_MAX_RECORDS + 1};
    ck_assert_uint_eq (mr_batch_encoded_bytes (&batch), 0);
    mr_batch_t large = {.records_bytes = MR_BATCH_MAX_BYTES};
    ck_assert_uint_eq (mr_batch_encoded_bytes (&large), 0);
    mr_batch_t fits = {.records_bytes = MR_BATCH_MAX_BYTES - 1024};
    ck_assert_uint_le (mr_batch_encoded_bytes (&fits), MR_BATCH_MAX_BYTES);
    ck_assert_uint_ne (mr_batch_encoded_bytes (&fits), 0);
    ck_assert_int_eq (
        mr_batch_set_section (&fits, (mr_section_type_t)UNKNOWN_SECTION, records, 2048), MR_OK);
    ck_assert_uint_eq (mr_batch_encoded_bytes (&fits), 0);
}
END_TEST

START_TEST (test_the_largest_counts_of_records_and_sections_travel)
{
    static char newlines[MR_BATCH_MAX_RECORDS];
    static uint32_t each[MR_BATCH_MAX_RECORDS + 1];
    memset (newlines, '\n', sizeof newlines);
    for (uint32_t i = 0; i <= MR_BATCH_MAX_RECORDS; i++) {
        each[i] = i;
    }
    mr_batch_t batch = {
        .received = MR_BATCH_MAX_RECORDS,
        .count = MR_BATCH_MAX_RECORDS,
        .records = newlines,
        .records_bytes = MR_BATCH_MAX_RECORDS,
        .offsets = each,
    };
    for (int type = 1; type <= MR_BATCH_MAX_SECTIONS; type++) {
        ck_assert_int_eq (mr_batch_set_section (&batch, (mr_section_type_t)(100 + type), NULL, 0),
                          MR_OK);
    }
    ck_assert_int_eq (mr_batch_set_section (&batch, (mr_section_type_t)UNKNOWN_SECTION, "x", 1),
                      MR_INVALID);
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    mr_batch_t back;
    ck_assert_int_eq (mr_batch_decode (frame, bytes, &back, NULL), MR_OK);
    ck_assert_uint_eq (back.count, MR_BATCH_MAX_RECORDS);
    ck_assert_uint_eq (back.section_count, MR_BATCH_MAX_SECTIONS);
    free (frame);
}
END_TEST

START_TEST (test_a_replay_changes_attempt_and_generation_alone)
{
    mr_batch_t batch = sample ();
    size_t bytes;
    uint8_t *frame = encode (&batch, &bytes);
    mr_batch_restamp (frame, bytes, 7, 9);
    batch.attempt = 7;
    batch.generation = 9;
    uint8_t *expected = encode (&batch, &bytes);
    ck_assert_int_eq (memcmp (frame, expected, bytes), 0);
    free (expected);
    free (frame);
}
END_TEST

START_TEST (test_sections_are_replaced_and_removed_by_type)
{
    mr_batch_t batch = sample ();
    ck_assert_int_eq (mr_batch_set_section (&batch, MR_SECTION_INDEX, "1234", 4), MR_OK);
    ck_assert_uint_eq (batch.section_count, 2);
    ck_assert_uint_eq (mr_batch_section (&batch, MR_SECTION_INDEX)->bytes, 4);
    mr_batch_remove_section (&batch, MR_SECTION_INDEX);
    ck_assert_uint_eq (batch.section_count, 1);
    ck_assert_ptr_null (mr_batch_section (&batch, MR_SECTION_INDEX));
    ck_assert_ptr_nonnull (mr_batch_section (&batch, (mr_section_type_t)UNKNOWN_SECTION));
    mr_batch_remove_section (&batch, MR_SECTION_DEAD);
    ck_assert_uint_eq (batch.section_count, 1);
}
END_TEST

START_TEST (test_records_keep_their_first_index)
{
    mr_batch_t batch = sample ();
    ck_assert_uint_eq (mr_batch_original_index (&batch, 0), 0);
    ck_assert_uint_eq (mr_batch_original_index (&batch, 1), 2);
    ck_assert_uint_eq (mr_batch_original_index (&batch, 3), 7);
    mr_batch_remove_section (&batch, MR_SECTION_INDEX);
    ck_assert_uint_eq (mr_batch_original_index (&batch, 3), 3);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_batch_comes_back_as_it_was,
        test_encoding_what_was_decoded_gives_the_same_bytes,
        test_unknown_sections_pass_through,
        test_records_are_followed_by_zeros_that_parsers_may_read,
        test_a_batch_emptied_by_filters_still_travels,
        test_a_frame_of_any_other_length_is_refused,
        test_a_cut_frame_that_claims_its_length_is_refused,
        test_every_flipped_bit_is_refused,
        test_a_field_out_of_its_range_is_named,
        test_counts_that_do_not_add_up_are_refused,
        test_sums_that_wrap_around_are_refused,
        test_offsets_must_rise_from_nought_to_the_end,
        test_a_section_longer_than_the_frame_is_refused,
        test_sections_that_contradict_the_header_are_refused,
        test_what_passes_a_limit_has_no_encoded_size,
        test_the_largest_counts_of_records_and_sections_travel,
        test_a_replay_changes_attempt_and_generation_alone,
        test_sections_are_replaced_and_removed_by_type,
        test_records_keep_their_first_index,
        NULL,
    };
    return mr_suite_run ("batch", tests);
}
