#include "common/wire/control.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const mr_control_t done = {
    .type = MR_CONTROL_DONE,
    .journal = UINT64_C (0x0123456789abcdef),
    .seq = 42,
    .exported = 700,
    .filtered = 200,
    .dead = 3,
    .slot = 1,
};

static void
assert_refused (const void *frame, size_t bytes, const char *why)
{
    mr_control_t control;
    mr_error_t err;
    mr_error_set (&err, "%s", "");
    ck_assert_int_eq (mr_control_decode (frame, bytes, &control, &err), MR_INVALID);
    ck_assert_msg (strstr (err.text, why) != NULL, "\"%s\" does not say \"%s\"", err.text, why);
}

/* As a peer would that makes its checksum right. */
static void
assert_u16_refused (size_t at, uint16_t value, const char *why)
{
    uint8_t frame[MR_CONTROL_BYTES];
    mr_control_encode (&done, frame);
    memcpy (frame + at, &value, sizeof value);
    uint64_t checksum = XXH3_64bits (frame, MR_CONTROL_BYTES - 8);
    memcpy (frame + MR_CONTROL_BYTES - 8, &checksum, sizeof checksum);
    assert_refused (frame, sizeof frame, why);
}

START_TEST (test_done_and_loss_come_back_as_they_were)
{
    uint8_t frame[MR_CONTROL_BYTES];
    mr_control_t back;
    mr_error_t err;
    mr_control_encode (&done, frame);
    ck_assert_int_eq (mr_control_decode (frame, sizeof frame, &back, &err), MR_OK);
    ck_assert_int_eq (back.type, MR_CONTROL_DONE);
    ck_assert_uint_eq (back.journal, done.journal);
    ck_assert_uint_eq (back.seq, 42);
    ck_assert_uint_eq (back.exported, 700);
    ck_assert_uint_eq (back.filtered, 200);
    ck_assert_uint_eq (back.dead, 3);
    ck_assert_uint_eq (back.slot, 1);

    const mr_control_t loss = {.type = MR_CONTROL_LOSS, .slot = 2};
    mr_control_encode (&loss, frame);
    ck_assert_int_eq (mr_control_decode (frame, sizeof frame, &back, &err), MR_OK);
    ck_assert_int_eq (back.type, MR_CONTROL_LOSS);
    ck_assert_uint_eq (back.journal, 0);
    ck_assert_uint_eq (back.slot, 2);
}
END_TEST

START_TEST (test_a_control_frame_of_any_other_length_is_refused)
{
    uint8_t frame[MR_CONTROL_BYTES + 8] = {0};
    mr_control_encode (&done, frame);
    for (size_t length = 0; length <= sizeof frame; length++) {
        if (length == MR_CONTROL_BYTES) {
            continue;
        }
        void *other = malloc (length > 0 ? length : 1);
        ck_assert_ptr_nonnull (other);
        memcpy (other, frame, length);
        assert_refused (other, length, "size");
        free (other);
    }
}
END_TEST

START_TEST (test_every_flipped_bit_of_a_control_frame_is_refused)
{
    uint8_t frame[MR_CONTROL_BYTES];
    mr_control_encode (&done, frame);
    for (size_t bit = 0; bit < sizeof frame * 8; bit++) {
        frame[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_refused (frame, sizeof frame, "control frame: bad ");
        frame[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}
END_TEST

START_TEST (test_other_magics_versions_and_types_are_named)
{
    assert_u16_refused (0, 0, "magic");
    assert_u16_refused (4, 0, "version");
    assert_u16_refused (4, 2, "version");
    assert_u16_refused (6, 0, "type");
    assert_u16_refused (6, 4, "type");
}
END_TEST

START_TEST (test_the_farewell_is_known_by_size_and_first_bytes)
{
    uint8_t *frame = malloc (MR_BYE_BYTES);
    ck_assert_ptr_nonnull (frame);
    mr_bye_encode (frame);
    ck_assert (mr_bye_is (frame, MR_BYE_BYTES));
    ck_assert (!mr_bye_is (frame, MR_BYE_BYTES - 1));
    ck_assert (!mr_bye_is (frame, 8));
    ck_assert (!mr_bye_is (frame, 0));
    for (size_t i = 0; i < 8; i++) {
        frame[i] ^= 1;
        ck_assert (!mr_bye_is (frame, MR_BYE_BYTES));
        frame[i] ^= 1;
    }
    free (frame);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_done_and_loss_come_back_as_they_were,
        test_a_control_frame_of_any_other_length_is_refused,
        test_every_flipped_bit_of_a_control_frame_is_refused,
        test_other_magics_versions_and_types_are_named,
        test_the_farewell_is_known_by_size_and_first_bytes,
        NULL,
    };
    return mr_suite_run ("control", tests);
}
