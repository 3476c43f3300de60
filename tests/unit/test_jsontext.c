#include "common/wire/jsontext.h"
#include "common/wire/jsonwriter.h"
#include "tests/support/suite.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void
assert_string (const char *text, size_t bytes, const char *expected)
{
    mr_buffer_t out;
    mr_buffer_init (&out, 1 << 20);
    ck_assert_int_eq (mr_jsontext_string (&out, text, bytes), MR_OK);
    ck_assert_uint_eq (out.size, strlen (expected));
    ck_assert_int_eq (memcmp (out.data, expected, out.size), 0);
    mr_buffer_release (&out);
}

static void
assert_number (double value, const char *expected)
{
    mr_buffer_t out;
    mr_buffer_init (&out, 100);
    ck_assert_int_eq (mr_jsontext_number (&out, value), MR_OK);
    char text[100] = "";
    memcpy (text, out.data, out.size);
    ck_assert_str_eq (text, expected);
    if (isfinite (value)) {
        ck_assert_double_eq (strtod (text, NULL), value);
        json_t *back = json_loads (text, JSON_DECODE_ANY, NULL);
        ck_assert_double_eq (json_number_value (back), value);
        json_decref (back);
    }
    mr_buffer_release (&out);
}

START_TEST (test_a_string_is_escaped_where_json_wants_it)
{
    assert_string ("", 0, "\"\"");
    assert_string ("plain", 5, "\"plain\"");
    assert_string ("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    assert_string ("\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\"");
    assert_string ("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"");
    assert_string ("caf\xc3\xa9 \xf0\x9f\x8e\x89", 10, "\"caf\xc3\xa9 \xf0\x9f\x8e\x89\"");
}
END_TEST

START_TEST (test_each_byte_that_is_not_utf8_is_replaced)
{
    assert_string ("a\xff", 2, "\"a\xef\xbf\xbd\"");
    assert_string ("\xc3", 1, "\"\xef\xbf\xbd\"");
    assert_string ("\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    assert_string ("\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}
END_TEST

START_TEST (test_a_long_string_is_never_split_inside_a_character)
{
    enum { PAIRS = 3000 };
    for (size_t shift = 0; shift < 8; shift++) {
        char text[8 + PAIRS * 4];
        char expected[sizeof text + 2];
        memset (text, 'x', shift);
        for (size_t i = 0; i < PAIRS; i++) {
            memcpy (text + shift + i * 4, "\xf0\x9f\x8e\x89", 4);
        }
        size_t bytes = shift + PAIRS * 4;
        expected[0] = '"';
        memcpy (expected + 1, text, bytes);
        memcpy (expected + 1 + bytes, "\"", 2);
        assert_string (text, bytes, expected);
    }
}
END_TEST

START_TEST (test_a_long_run_of_stray_bytes_is_replaced_one_by_one)
{
    enum { BYTES = 5000 };
    static char text[BYTES];
    memset (text, 0x80, sizeof text);
    mr_buffer_t out;
    mr_buffer_init (&out, 1 << 20);
    ck_assert_int_eq (mr_jsontext_string (&out, text, sizeof text), MR_OK);
    ck_assert_uint_eq (out.size, 2 + 3 * BYTES);
    mr_buffer_release (&out);
}
END_TEST

START_TEST (test_numbers_are_short_and_read_back_the_same)
{
    assert_number (0, "0");
    assert_number (-0.0, "-0");
    assert_number (1, "1");
    assert_number (-17, "-17");
    assert_number (2747282505.0, "2747282505");
    assert_number (999999999999999.0, "999999999999999");
    assert_number (1e15, "1e+15");
    assert_number (9007199254740993.0, "9007199254740992");
    assert_number (1.84, "1.84");
    assert_number (0.1, "0.1");
    assert_number (0.1 + 0.2, "0.30000000000000004");
    assert_number (1.0 / 3, "0.3333333333333333");
    assert_number (1e-7, "1e-07");
    assert_number (1e300, "1e+300");
    assert_number (DBL_MAX, "1.7976931348623157e+308");
    assert_number (DBL_MIN, "2.2250738585072014e-308");
    assert_number (DBL_TRUE_MIN, "5e-324");
}
END_TEST

START_TEST (test_what_is_not_finite_is_null)
{
    assert_number (INFINITY, "null");
    assert_number (-INFINITY, "null");
    assert_number (NAN, "null");
}
END_TEST

START_TEST (test_valid_utf8_follows_rfc_3629)
{
    ck_assert (mr_utf8_valid ("", 0));
    ck_assert (mr_utf8_valid ("a\x7f", 2));
    ck_assert (mr_utf8_valid ("\xc2\x80\xdf\xbf", 4));
    ck_assert (mr_utf8_valid ("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", 12));
    ck_assert (mr_utf8_valid ("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8));
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x9f\x8e",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg (!mr_utf8_valid (bad[i], strlen (bad[i])), "case %zu", i);
    }
}
END_TEST

START_TEST (test_a_full_buffer_is_left_as_it_was)
{
    mr_buffer_t out;
    mr_buffer_init (&out, 8);
    ck_assert_int_eq (mr_buffer_append (&out, "abc", 3), MR_OK);
    ck_assert_int_eq (mr_jsontext_string (&out, "defg", 4), MR_INVALID);
    ck_assert_uint_eq (out.size, 3);
    ck_assert_int_eq (mr_jsontext_string (&out, "def", 3), MR_OK);
    ck_assert_int_eq (memcmp (out.data, "abc\"def\"", 8), 0);
    mr_buffer_release (&out);
}
END_TEST

static void
write_everything (mr_jsonwriter_t *json)
{
    mr_jsonwriter_open (json, NULL, '{');
    mr_jsonwriter_text (json, "text", "a\"b");
    mr_jsonwriter_string (json, "string", "x\0y", 3);
    mr_jsonwriter_hex (json, "hex", UINT64_C (0xabc));
    mr_jsonwriter_time (json, "time", INT64_C (1763886097123456789));
    mr_jsonwriter_u64 (json, "u64", UINT64_MAX);
    mr_jsonwriter_i64 (json, "i64", INT64_MIN);
    mr_jsonwriter_double (json, "double", 0.5);
    mr_jsonwriter_bool (json, "yes", true);
    mr_jsonwriter_bool (json, "no", false);
    mr_jsonwriter_null (json, "null");
    mr_jsonwriter_open (json, "list", '[');
    mr_jsonwriter_u64 (json, NULL, 1);
    mr_jsonwriter_open (json, NULL, '{');
    mr_jsonwriter_close (json, '}');
    mr_jsonwriter_raw (json, NULL, "[2]", 3);
    mr_jsonwriter_close (json, ']');
    mr_jsonwriter_open (json, "empty", '[');
    mr_jsonwriter_close (json, ']');
    mr_jsonwriter_base64 (json, "base64", "\xff\xfe", 2);
    mr_jsonwriter_close (json, '}');
}

static const char everything[] =
    "{\"text\":\"a\\\"b\",\"string\":\"x\\u0000y\",\"hex\":\"0000000000000abc\","
    "\"time\":\"2025-11-23T08:21:37.123456Z\",\"u64\":18446744073709551615,"
    "\"i64\":-9223372036854775808,\"double\":0.5,\"yes\":true,\"no\":false,\"null\":null,"
    "\"list\":[1,{},[2]],\"empty\":[],\"base64\":\"//4=\"}";

START_TEST (test_figures_have_no_more_digits_than_they_are_worth)
{
    static const struct {
        double value;
        const char *text;
    } figures[] = {
        {0.1 + 0.2, "0.3"},
        {0.10000000000000001, "0.1"},
        {1.0 / 3, "0.333333"},
        {2e-7, "0"},
        {-1.0000005, "-1.000001"},
        {123456.789, "123456.789"},
        {1e12 + 0.5, "1000000000000.5"},
        {0, "0"},
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        mr_buffer_t out;
        mr_jsonwriter_t json;
        mr_buffer_init (&out, 256);
        mr_jsonwriter_init (&json, &out);
        mr_jsonwriter_figure (&json, NULL, figures[i].value);
        ck_assert_int_eq (mr_jsonwriter_finish (&json), MR_OK);
        ck_assert_msg (out.size == strlen (figures[i].text) &&
                           memcmp (out.data, figures[i].text, out.size) == 0,
                       "%s: %.*s", figures[i].text, (int)out.size, out.data);
        mr_buffer_release (&out);
    }
}
END_TEST

START_TEST (test_a_writer_puts_commas_where_they_belong)
{
    mr_buffer_t out;
    mr_buffer_init (&out, 4096);
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, &out);
    write_everything (&json);
    ck_assert_int_eq (mr_jsonwriter_finish (&json), MR_OK);
    ck_assert_uint_eq (out.size, strlen (everything));
    ck_assert_int_eq (memcmp (out.data, everything, out.size), 0);
    mr_buffer_release (&out);
}
END_TEST

START_TEST (test_a_writer_without_room_takes_everything_back)
{
    size_t needed = strlen (everything);
    for (size_t limit = 4; limit < needed + 4; limit++) {
        mr_buffer_t out;
        mr_buffer_init (&out, limit);
        ck_assert_int_eq (mr_buffer_append (&out, "old,", 4), MR_OK);
        mr_jsonwriter_t json;
        mr_jsonwriter_init (&json, &out);
        write_everything (&json);
        ck_assert_int_eq (mr_jsonwriter_finish (&json), MR_INVALID);
        ck_assert_uint_eq (out.size, 4);
        mr_buffer_release (&out);
    }
}
END_TEST

START_TEST (test_base64_is_that_of_rfc_4648)
{
    static const char *const pairs[][2] = {
        {"", "\"\""},
        {"f", "\"Zg==\""},
        {"fo", "\"Zm8=\""},
        {"foo", "\"Zm9v\""},
        {"foob", "\"Zm9vYg==\""},
        {"fooba", "\"Zm9vYmE=\""},
        {"foobar", "\"Zm9vYmFy\""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        mr_buffer_t out;
        mr_buffer_init (&out, 64);
        mr_jsonwriter_t json;
        mr_jsonwriter_init (&json, &out);
        mr_jsonwriter_base64 (&json, NULL, pairs[i][0], strlen (pairs[i][0]));
        ck_assert_int_eq (mr_jsonwriter_finish (&json), MR_OK);
        ck_assert_uint_eq (out.size, strlen (pairs[i][1]));
        ck_assert_int_eq (memcmp (out.data, pairs[i][1], out.size), 0);
        mr_buffer_release (&out);
    }
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_string_is_escaped_where_json_wants_it,
        test_each_byte_that_is_not_utf8_is_replaced,
        test_a_long_string_is_never_split_inside_a_character,
        test_a_long_run_of_stray_bytes_is_replaced_one_by_one,
        test_numbers_are_short_and_read_back_the_same,
        test_what_is_not_finite_is_null,
        test_valid_utf8_follows_rfc_3629,
        test_a_full_buffer_is_left_as_it_was,
        test_figures_have_no_more_digits_than_they_are_worth,
        test_a_writer_puts_commas_where_they_belong,
        test_a_writer_without_room_takes_everything_back,
        test_base64_is_that_of_rfc_4648,
        NULL,
    };
    return mr_suite_run ("jsontext", tests);
}
