#include "common/wire/dead.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Where the fields lie in a row, as PROTOCOL.md has them. */
    AT_ROW_BYTES = 0,
    AT_ATTEMPTS = 8,
    AT_STAGE_BYTES = 10,
    AT_RECORD_BYTES = 20,
    AT_ORIGINAL_BYTES = 24,
};

static mr_dead_t
sample (void)
{
    return (mr_dead_t){
        .index = 3,
        .attempts = 1,
        .ts_ns = INT64_C (1763886097123456789),
        .stage = mr_dead_text ("processor"),
        .worker = mr_dead_text ("processor.1"),
        .error_type = mr_dead_text ("json_syntax"),
        .rule = mr_dead_text ("parse = json"),
        .message = mr_dead_text ("byte 5: no value"),
        .record = "{\"a\":}",
        .record_bytes = 6,
        .original_bytes = 6,
    };
}

static void
assert_text (mr_dead_text_t text, const char *expected)
{
    ck_assert_uint_eq (text.bytes, strlen (expected));
    ck_assert_int_eq (memcmp (text.data, expected, text.bytes), 0);
}

static void
assert_row (const void *section, size_t bytes, mr_status_t expected, const char *why)
{
    size_t position = 0;
    mr_dead_t dead;
    mr_error_t err;
    mr_error_set (&err, "%s", "");
    ck_assert_int_eq (mr_dead_next (section, bytes, &position, &dead, &err), expected);
    ck_assert_uint_eq (position, 0);
    ck_assert_msg (strstr (err.text, why) != NULL, "\"%s\" does not say \"%s\"", err.text, why);
}

static void
assert_format (const mr_dead_t *dead, const char *expected)
{
    mr_buffer_t out;
    mr_buffer_init (&out, 4096);
    ck_assert_int_eq (mr_dead_format (dead, UINT64_C (0xabc), 17, &out), MR_OK);
    ck_assert_int_eq (mr_buffer_append (&out, "", 1), MR_OK);
    ck_assert_str_eq (out.data, expected);
    mr_buffer_release (&out);
}

START_TEST (test_rows_come_back_in_order)
{
    mr_buffer_t section;
    mr_buffer_init (&section, 4096);
    mr_dead_t first = sample ();
    ck_assert_int_eq (mr_dead_append (&section, &first), MR_OK);
    ck_assert_uint_eq (section.size % 8, 0);
    mr_dead_t second = {.index = 9, .attempts = 2, .record = "\xff", .record_bytes = 1};
    second.original_bytes = 5;
    ck_assert_int_eq (mr_dead_append (&section, &second), MR_OK);

    size_t position = 0;
    mr_dead_t dead;
    mr_error_t err;
    ck_assert_int_eq (mr_dead_next (section.data, section.size, &position, &dead, &err), MR_OK);
    ck_assert_uint_eq (dead.index, 3);
    ck_assert_uint_eq (dead.attempts, 1);
    ck_assert_int_eq (dead.ts_ns, first.ts_ns);
    assert_text (dead.stage, "processor");
    assert_text (dead.worker, "processor.1");
    assert_text (dead.error_type, "json_syntax");
    assert_text (dead.rule, "parse = json");
    assert_text (dead.message, "byte 5: no value");
    ck_assert_uint_eq (dead.record_bytes, 6);
    ck_assert_int_eq (memcmp (dead.record, "{\"a\":}", 6), 0);
    ck_assert_uint_eq (dead.original_bytes, 6);

    ck_assert_int_eq (mr_dead_next (section.data, section.size, &position, &dead, &err), MR_OK);
    ck_assert_uint_eq (dead.index, 9);
    assert_text (dead.stage, "");
    ck_assert_uint_eq (dead.record_bytes, 1);
    ck_assert_uint_eq (dead.original_bytes, 5);
    ck_assert_int_eq (mr_dead_next (section.data, section.size, &position, &dead, &err), MR_CLOSED);
    ck_assert_uint_eq (position, section.size);
    mr_buffer_release (&section);
}
END_TEST

START_TEST (test_a_row_cut_anywhere_is_refused)
{
    mr_buffer_t section;
    mr_buffer_init (&section, 4096);
    mr_dead_t dead = sample ();
    ck_assert_int_eq (mr_dead_append (&section, &dead), MR_OK);
    assert_row (section.data, 0, MR_CLOSED, "");
    for (size_t length = 1; length < section.size; length++) {
        void *cut = malloc (length);
        ck_assert_ptr_nonnull (cut);
        memcpy (cut, section.data, length);
        assert_row (cut, length, MR_INVALID, length < 40 ? "size" : "row_bytes");
        free (cut);
    }
    mr_buffer_release (&section);
}
END_TEST

static void
assert_field_refused (size_t at, const void *value, size_t bytes, const char *why)
{
    mr_buffer_t section;
    mr_buffer_init (&section, 4096);
    mr_dead_t dead = sample ();
    ck_assert_int_eq (mr_dead_append (&section, &dead), MR_OK);
    memcpy (section.data + at, value, bytes);
    assert_row (section.data, section.size, MR_INVALID, why);
    mr_buffer_release (&section);
}

START_TEST (test_lengths_that_do_not_fit_are_named)
{
    const uint32_t zero = 0;
    const uint32_t most = UINT32_MAX;
    const uint32_t five = 5;
    const uint16_t long_text = UINT16_MAX;
    assert_field_refused (AT_ROW_BYTES, &zero, 4, "row_bytes");
    assert_field_refused (AT_ROW_BYTES, &most, 4, "row_bytes");
    assert_field_refused (AT_STAGE_BYTES, &long_text, 2, "row_bytes");
    assert_field_refused (AT_RECORD_BYTES, &most, 4, "row_bytes");
    assert_field_refused (AT_ATTEMPTS, &zero, 2, "attempts");
    assert_field_refused (AT_ORIGINAL_BYTES, &five, 4, "original_bytes");
}
END_TEST

START_TEST (test_any_flipped_byte_is_read_without_harm)
{
    mr_buffer_t section;
    mr_buffer_init (&section, 4096);
    mr_dead_t row = sample ();
    ck_assert_int_eq (mr_dead_append (&section, &row), MR_OK);
    void *exact = malloc (section.size);
    ck_assert_ptr_nonnull (exact);
    for (size_t i = 0; i < section.size; i++) {
        memcpy (exact, section.data, section.size);
        ((uint8_t *)exact)[i] ^= 0xff;
        size_t position = 0;
        mr_dead_t dead;
        mr_status_t status = mr_dead_next (exact, section.size, &position, &dead, NULL);
        ck_assert (status == MR_OK || status == MR_INVALID);
        ck_assert_uint_eq (position, status == MR_OK ? section.size : 0);
    }
    free (exact);
    mr_buffer_release (&section);
}
END_TEST

START_TEST (test_a_section_without_room_stays_as_it_was)
{
    mr_buffer_t section;
    mr_buffer_init (&section, 200);
    mr_dead_t dead = sample ();
    ck_assert_int_eq (mr_dead_append (&section, &dead), MR_OK);
    size_t size = section.size;
    ck_assert_int_eq (mr_dead_append (&section, &dead), MR_INVALID);
    ck_assert_uint_eq (section.size, size);
    dead.record_bytes = UINT32_MAX;
    dead.original_bytes = UINT32_MAX;
    ck_assert_int_eq (mr_dead_append (&section, &dead), MR_INVALID);
    ck_assert_uint_eq (section.size, size);
    mr_buffer_release (&section);
}
END_TEST

START_TEST (test_a_long_text_is_cut_at_what_a_row_can_hold)
{
    char *text = malloc (70000);
    ck_assert_ptr_nonnull (text);
    memset (text, 'x', 69999);
    text[69999] = '\0';
    ck_assert_uint_eq (mr_dead_text (text).bytes, UINT16_MAX);
    free (text);
}
END_TEST

START_TEST (test_users_see_one_json_object_a_line)
{
    mr_dead_t dead = sample ();
    assert_format (&dead, "{\"id\":\"0000000000000abc-17-3\",\"stage\":\"processor\","
                          "\"worker\":\"processor.1\",\"error_type\":\"json_syntax\","
                          "\"message\":\"byte 5: no value\",\"rule\":\"parse = json\","
                          "\"attempts\":1,\"ts\":\"2025-11-23T08:21:37.123456Z\","
                          "\"record\":\"{\\\"a\\\":}\"}\n");
}
END_TEST

START_TEST (test_bytes_that_are_not_utf8_are_base64_and_a_cut_record_says_so)
{
    mr_dead_t dead = {
        .index = 0,
        .attempts = 3,
        .message = {"\xff!", 2},
        .record = "\xff\xfe",
        .record_bytes = 2,
        .original_bytes = 2000000,
    };
    assert_format (&dead, "{\"id\":\"0000000000000abc-17-0\",\"stage\":\"\",\"worker\":\"\","
                          "\"error_type\":\"\",\"message\":\"\xef\xbf\xbd!\",\"rule\":\"\","
                          "\"attempts\":3,\"ts\":\"1970-01-01T00:00:00.000000Z\","
                          "\"record_base64\":\"//4=\",\"original_bytes\":2000000}\n");
}
END_TEST

START_TEST (test_a_formatted_row_without_room_leaves_nothing)
{
    mr_dead_t dead = sample ();
    mr_buffer_t whole;
    mr_buffer_init (&whole, 4096);
    ck_assert_int_eq (mr_dead_format (&dead, 1, 2, &whole), MR_OK);
    for (size_t limit = 1; limit < whole.size; limit++) {
        mr_buffer_t out;
        mr_buffer_init (&out, limit);
        ck_assert_int_eq (mr_dead_format (&dead, 1, 2, &out), MR_INVALID);
        ck_assert_uint_eq (out.size, 0);
        mr_buffer_release (&out);
    }
    mr_buffer_release (&whole);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_rows_come_back_in_order,
        test_a_row_cut_anywhere_is_refused,
        test_lengths_that_do_not_fit_are_named,
        test_any_flipped_byte_is_read_without_harm,
        test_a_section_without_room_stays_as_it_was,
        test_a_long_text_is_cut_at_what_a_row_can_hold,
        test_users_see_one_json_object_a_line,
        test_bytes_that_are_not_utf8_are_base64_and_a_cut_record_says_so,
        test_a_formatted_row_without_room_leaves_nothing,
        NULL,
    };
    return mr_suite_run ("dead", tests);
}
