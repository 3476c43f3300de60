#include "common/record/json.h"
#include "tests/support/records.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof (array) / sizeof (array)[0])

/* One text, read between two good neighbours: what is said of it. */
static mr_json_record_t
read_between_neighbours (const char *text, size_t bytes)
{
    static char first[] = "{\"n\":1}";
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    mr_test_records_add (&batch, first, sizeof first - 1);
    mr_test_records_add (&batch, text, bytes);
    mr_test_records_add (&batch, first, sizeof first - 1);
    mr_json_t *json;
    ck_assert_int_eq (mr_json_new (&json), MR_OK);
    mr_json_open (json, &batch.view);
    mr_json_record_t record;
    mr_json_record_t result = {0};
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_eq (mr_json_next (json, 0, &record), MR_OK);
        if (i == 1) {
            result = record;
            continue;
        }
        ck_assert_int_eq (record.error, MR_JSON_OK);
        ck_assert_uint_eq (record.field_count, 1);
        ck_assert_int_eq (memcmp (record.fields[0].key, "n", 1), 0);
    }
    ck_assert_int_eq (mr_json_next (json, 0, &record), MR_CLOSED);
    mr_json_destroy (&json);
    mr_test_records_release (&batch);
    result.text = NULL;
    result.fields = NULL;
    return result;
}

START_TEST (test_whatever_the_grammar_allows_is_valid)
{
    static const char *const texts[] = {
        "{}",
        " { } ",
        "{\"a\":1}",
        "\t{ \"a\" : 1 ,\r\"b\":2\n}\n",
        "{\"a\":-0}",
        "{\"a\":-0.0e-0}",
        "{\"a\":1e400}",
        "{\"a\":18446744073709551616,\"b\":-9223372036854775809}",
        "{\"a\":123456789012345678901234567890.123456789E+12}",
        "{\"\":\"\"}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"}",
        "{\"\\u0061\":\"\\ud800\",\"b\":\"\\udc00\\ud800\",\"c\":\"\\u0000\"}",
        "{\"a\":\"\x7f h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf\"}",
        "{\"a\":[],\"b\":{},\"c\":[{},[],\"\",0,true,false,null]}",
        "{\"a\":{\"b\":{\"c\":[1,[2,[3]]]}},\"d\":\"{}[]:,\"}",
        "{\"a\":\"\\\\\",\"b\":\"\\\\\\\"\"}",
    };
    for (size_t i = 0; i < COUNT (texts); i++) {
        mr_json_record_t record = read_between_neighbours (texts[i], strlen (texts[i]));
        ck_assert_msg (record.error == MR_JSON_OK, "%s: %s at %u", texts[i], record.error_text,
                       record.error_offset);
    }
}
END_TEST

static const struct {
    const char *text;
    mr_json_error_t error;
    uint32_t offset;
} bad[] = {
    {"", MR_JSON_SYNTAX, 0},
    {"   ", MR_JSON_SYNTAX, 3},
    {"{", MR_JSON_SYNTAX, 1},
    {"}", MR_JSON_SYNTAX, 0},
    {"{\"a\"", MR_JSON_SYNTAX, 4},
    {"{\"a\":", MR_JSON_SYNTAX, 5},
    {"{\"a\":1", MR_JSON_SYNTAX, 6},
    {"{\"a\":1,", MR_JSON_SYNTAX, 7},
    {"{\"a\":1,}", MR_JSON_SYNTAX, 7},
    {"{,}", MR_JSON_SYNTAX, 1},
    {"{\"a\":1]", MR_JSON_SYNTAX, 6},
    {"{\"a\":[1}}", MR_JSON_SYNTAX, 7},
    {"{\"a\":[1,]}", MR_JSON_SYNTAX, 8},
    {"{\"a\":[,1]}", MR_JSON_SYNTAX, 6},
    {"{\"a\":[1 2]}", MR_JSON_SYNTAX, 8},
    {"{\"a\":{\"b\"}}", MR_JSON_SYNTAX, 9},
    {"{\"a\":{1:2}}", MR_JSON_SYNTAX, 6},
    {"{\"a\" 1}", MR_JSON_SYNTAX, 5},
    {"{\"a\"::1}", MR_JSON_SYNTAX, 5},
    {"{\"a\":1 \"b\":2}", MR_JSON_SYNTAX, 7},
    {"{\"a\":1\"b\":2}", MR_JSON_SYNTAX, 6},
    {"{\"a\":\"x\"y}", MR_JSON_SYNTAX, 8},
    {"{\"a\":\"x\"\"y\"}", MR_JSON_SYNTAX, 8},
    {"{a:1}", MR_JSON_SYNTAX, 1},
    {"{'a':1}", MR_JSON_SYNTAX, 1},
    {"{\"a\":01}", MR_JSON_SYNTAX, 6},
    {"{\"a\":+1}", MR_JSON_SYNTAX, 5},
    {"{\"a\":.5}", MR_JSON_SYNTAX, 5},
    {"{\"a\":1.}", MR_JSON_SYNTAX, 7},
    {"{\"a\":1e}", MR_JSON_SYNTAX, 7},
    {"{\"a\":-}", MR_JSON_SYNTAX, 6},
    {"{\"a\":--1}", MR_JSON_SYNTAX, 6},
    {"{\"a\":1.2.3}", MR_JSON_SYNTAX, 8},
    {"{\"a\":0x10}", MR_JSON_SYNTAX, 6},
    {"{\"a\":NaN}", MR_JSON_SYNTAX, 5},
    {"{\"a\":Infinity}", MR_JSON_SYNTAX, 5},
    {"{\"a\":tru}", MR_JSON_SYNTAX, 5},
    {"{\"a\":truex}", MR_JSON_SYNTAX, 9},
    {"{\"a\":True}", MR_JSON_SYNTAX, 5},
    {"{\"a\":nul", MR_JSON_SYNTAX, 5},
    {"{\"a\":\"\\x41\"}", MR_JSON_SYNTAX, 6},
    {"{\"a\":\"\\u12g4\"}", MR_JSON_SYNTAX, 6},
    {"{\"a\":\"\\u12\"}", MR_JSON_SYNTAX, 6},
    {"{\"\\q\":1}", MR_JSON_SYNTAX, 2},
    {"{\"a\":[\"\\q\"]}", MR_JSON_SYNTAX, 7},
    {"{\"a\":{\"\\q\":1}}", MR_JSON_SYNTAX, 7},
    {"{\"a\":\"tab\there\"}", MR_JSON_SYNTAX, 9},
    {"{\"a\":\"line\nhere\"}", MR_JSON_SYNTAX, 10},
    {"{\"a\":\"escaped\\\nhere\"}", MR_JSON_SYNTAX, 13},
    {"{\"a\":\"open}", MR_JSON_SYNTAX, 11},
    {"{\"a\":\"open\\\"}", MR_JSON_SYNTAX, 13},
    {"{\"a\":1}\"", MR_JSON_SYNTAX, 7},
    {"{\"a\":1}\\", MR_JSON_SYNTAX, 7},
    {"{\"a\":1} x", MR_JSON_SYNTAX, 8},
    {"{\"a\":1}{\"b\":2}", MR_JSON_SYNTAX, 7},
    {"{\"a\":1} {\"b\":2}", MR_JSON_SYNTAX, 8},
    {"{\"a\":1},", MR_JSON_SYNTAX, 7},
    {"{\"a\":1}}", MR_JSON_SYNTAX, 7},
    {"\xef\xbb\xbf{}", MR_JSON_SYNTAX, 0},
    {"{\"a\":1}/* no */", MR_JSON_SYNTAX, 7},
    {"{\"a\":\f1}", MR_JSON_SYNTAX, 5},
    {"{\"a\":\v1}", MR_JSON_SYNTAX, 5},
    {"{\"a\":\x1a"
     "1}",
     MR_JSON_SYNTAX, 5},
    {"{\"a\":\"\xff\"}", MR_JSON_UTF8, 6},
    {"{\"a\":\"\xc3\"}", MR_JSON_UTF8, 6},
    {"{\"a\":\"\xc0\x80\"}", MR_JSON_UTF8, 6},
    {"{\"a\":\"\xed\xa0\x80\"}", MR_JSON_UTF8, 6},
    {"{\"a\":\"\xf4\x90\x80\x80\"}", MR_JSON_UTF8, 6},
    {"{\"a\":1}\xe2\x82", MR_JSON_UTF8, 7},
    {"\x80", MR_JSON_UTF8, 0},
    {"[{\"a\":1}]", MR_JSON_NOT_OBJECT, 0},
    {" 12 ", MR_JSON_NOT_OBJECT, 1},
    {"\"text\"", MR_JSON_NOT_OBJECT, 0},
    {"null", MR_JSON_NOT_OBJECT, 0},
    {"[1,2", MR_JSON_SYNTAX, 4},
    {"plain text", MR_JSON_SYNTAX, 0},
};

START_TEST (test_an_invalid_record_is_named_with_its_offset_and_its_neighbours_are_whole)
{
    for (size_t i = 0; i < COUNT (bad); i++) {
        mr_json_record_t record = read_between_neighbours (bad[i].text, strlen (bad[i].text));
        ck_assert_msg (record.error == bad[i].error && record.error_offset == bad[i].offset,
                       "%s: %s at %u: %s", bad[i].text, mr_json_error_name (record.error),
                       record.error_offset, record.error_text);
    }
}
END_TEST

START_TEST (test_an_invalid_record_is_told_what_is_wrong)
{
    static const struct {
        const char *text;
        const char *what;
    } cases[] = {
        {"{\"a\":\"tab\there\"}", "a control character in a string must be escaped"},
        {"{\"a\":\"\\x41\"}", "no such escape"},
        {"{\"a\":1.}", "a digit is expected"},
        {"{\"a\":-}", "a digit is expected"},
        {"{\"a\":-", "the text ends too early"},
        {"{a:1}", "a key in quotes is expected"},
        {"{\"a\" 1}", "':' is expected after the key"},
        {"{\"a\":1;", "',' or '}' is expected"},
        {"[1;", "',' or ']' is expected"},
        {"{\"a\":}", "a value is expected"},
        {"{\"a\":", "the text ends too early"},
        {"{} {}", "nothing more is expected here"},
        {"\xef\xbb\xbf{}", "a byte order mark is not JSON"},
        {"[{\"a\":1}]", "an object is expected"},
        {"12", "an object is expected"},
        {"{\"a\":\"\xff\"}", "not UTF-8"},
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        mr_json_record_t record = read_between_neighbours (cases[i].text, strlen (cases[i].text));
        ck_assert_msg (strstr (record.error_text, cases[i].what) != NULL, "%s: %s", cases[i].text,
                       record.error_text);
    }
}
END_TEST

START_TEST (test_a_nul_byte_is_an_error_inside_and_outside_a_string)
{
    mr_json_record_t record = read_between_neighbours ("{\"a\":\"x\0y\"}", 11);
    ck_assert_int_eq (record.error, MR_JSON_SYNTAX);
    ck_assert_uint_eq (record.error_offset, 7);
    record = read_between_neighbours ("{\"a\":1\0}", 8);
    ck_assert_int_eq (record.error, MR_JSON_SYNTAX);
    ck_assert_uint_eq (record.error_offset, 6);
    record = read_between_neighbours ("{\"a\":1}\0", 8);
    ck_assert_int_eq (record.error, MR_JSON_SYNTAX);
    ck_assert_uint_eq (record.error_offset, 7);
}
END_TEST

START_TEST (test_an_object_over_two_records_is_two_errors)
{
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    mr_test_records_add (&batch, "{\"a\":1", 6);
    mr_test_records_add (&batch, ",\"b\":2}", 7);
    mr_test_records_add (&batch, "{\"c\":3}", 7);
    mr_json_t *json;
    ck_assert_int_eq (mr_json_new (&json), MR_OK);
    mr_json_open (json, &batch.view);
    static const mr_json_error_t expected[] = {MR_JSON_SYNTAX, MR_JSON_SYNTAX, MR_JSON_OK};
    static const uint32_t offsets[] = {6, 0, 0};
    for (size_t i = 0; i < COUNT (expected); i++) {
        mr_json_record_t record;
        ck_assert_int_eq (mr_json_next (json, 0, &record), MR_OK);
        ck_assert_int_eq (record.error, expected[i]);
        if (expected[i] != MR_JSON_OK) {
            ck_assert_uint_eq (record.error_offset, offsets[i]);
        }
    }
    mr_json_destroy (&json);
    mr_test_records_release (&batch);
}
END_TEST

/* {"a": then `depth` - 1 arrays, closed again; returns its length. */
static size_t
nested (char *text, unsigned depth, char open, char close)
{
    size_t at = (size_t)sprintf (text, "{\"a\":");
    for (unsigned i = 1; i < depth; i++) {
        if (open == '{') {
            at += (size_t)sprintf (text + at, i + 1 < depth ? "{\"k\":" : "{");
        } else {
            text[at++] = open;
        }
    }
    memset (text + at, close, depth - 1);
    at += depth - 1;
    text[at++] = '}';
    return at;
}

START_TEST (test_128_levels_are_read_and_129_are_json_depth)
{
    char text[4096];
    size_t bytes = nested (text, 128, '[', ']');
    ck_assert_int_eq (read_between_neighbours (text, bytes).error, MR_JSON_OK);
    bytes = nested (text, 128, '{', '}');
    ck_assert_int_eq (read_between_neighbours (text, bytes).error, MR_JSON_OK);
    bytes = nested (text, 129, '[', ']');
    mr_json_record_t record = read_between_neighbours (text, bytes);
    ck_assert_int_eq (record.error, MR_JSON_DEPTH);
    ck_assert_uint_eq (record.error_offset, 5 + 127);
    bytes = nested (text, 129, '{', '}');
    ck_assert_int_eq (read_between_neighbours (text, bytes).error, MR_JSON_DEPTH);
}
END_TEST

START_TEST (test_fields_are_spans_of_the_text)
{
    static const char text[] =
        " {\"a\" : 1e400 , \"b\\u0041\":\"x\\ny\",\"c\":[1, 2],\"d\":{\"e\":null} ,"
        "\"a\":true,\"f\":false,\"g\":null}";
    static const struct {
        const char *key;
        const char *value;
        mr_json_type_t type;
        bool key_escaped;
        bool escaped;
    } expected[] = {
        {"a", "1e400", MR_JSON_NUMBER, false, false},
        {"b\\u0041", "\"x\\ny\"", MR_JSON_STRING, true, true},
        {"c", "[1, 2]", MR_JSON_ARRAY, false, false},
        {"d", "{\"e\":null}", MR_JSON_OBJECT, false, false},
        {"a", "true", MR_JSON_TRUE, false, false},
        {"f", "false", MR_JSON_FALSE, false, false},
        {"g", "null", MR_JSON_NULL, false, false},
    };
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    mr_test_records_add (&batch, text, sizeof text - 1);
    mr_json_t *json;
    ck_assert_int_eq (mr_json_new (&json), MR_OK);
    mr_json_open (json, &batch.view);
    mr_json_record_t record;
    ck_assert_int_eq (mr_json_next (json, 0, &record), MR_OK);
    ck_assert_int_eq (record.error, MR_JSON_OK);
    ck_assert_uint_eq (record.start, 1);
    ck_assert_uint_eq (record.end, sizeof text - 1);
    ck_assert_uint_eq (record.field_count, COUNT (expected));
    for (size_t i = 0; i < COUNT (expected); i++) {
        const mr_json_field_t *field = &record.fields[i];
        ck_assert_uint_eq (field->key_bytes, strlen (expected[i].key));
        ck_assert_int_eq (memcmp (field->key, expected[i].key, field->key_bytes), 0);
        ck_assert_uint_eq (field->value.bytes, strlen (expected[i].value));
        ck_assert_int_eq (memcmp (field->value.text, expected[i].value, field->value.bytes), 0);
        ck_assert_uint_eq (field->value.type, expected[i].type);
        ck_assert_uint_eq (field->key_escaped, expected[i].key_escaped);
        ck_assert_uint_eq (field->value.escaped, expected[i].escaped);
    }
    mr_json_destroy (&json);
    mr_test_records_release (&batch);
}
END_TEST

START_TEST (test_a_record_with_very_many_fields_is_read_whole)
{
    enum { FIELDS = 20000 };
    char *text = malloc (FIELDS * 16);
    size_t at = 0;
    for (unsigned i = 0; i < FIELDS; i++) {
        at += (size_t)sprintf (text + at, "%c\"k%u\":%u", i == 0 ? '{' : ',', i, i);
    }
    text[at++] = '}';
    ck_assert_uint_eq (read_between_neighbours (text, at).field_count, FIELDS);
    free (text);
}
END_TEST

/* A small generator with a fixed seed: the same texts in every run. */
static uint32_t
draw (uint64_t *state, uint32_t below)
{
    *state = *state * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
    return (uint32_t)(*state >> 33) % below;
}

static size_t
mutate (uint64_t *state, char *text, size_t bytes)
{
    static const char pieces[] = "{}[]:,\"\\ \n\t0123456789eE+-.truefalsnl\xc3\xa9\xff\x01/u";
    for (uint32_t n = draw (state, 3); n > 0 && bytes > 1; n--) {
        uint32_t at = draw (state, (uint32_t)bytes);
        switch (draw (state, 3)) {
        case 0:
            text[at] = pieces[draw (state, sizeof pieces - 1)];
            break;
        case 1:
            memmove (text + at, text + at + 1, bytes - at - 1);
            bytes--;
            break;
        default:
            memmove (text + at + 1, text + at, bytes - at);
            text[at] = pieces[draw (state, sizeof pieces - 1)];
            bytes++;
        }
    }
    return bytes;
}

START_TEST (test_the_fast_reader_and_the_precise_one_agree_on_mutated_batches)
{
    static const char seed[] =
        "{\"a\":\"x\\u00e9\\\"\",\"b\":[1,-2.5e+3,{\"c\":null}],\"d\":{\"e\":true}, "
        "\"f\" : \"\xc3\xa9\" }";
    uint64_t state = 20261123;
    mr_json_t *json;
    ck_assert_int_eq (mr_json_new (&json), MR_OK);
    unsigned valid = 0;
    for (unsigned round = 0; round < 400; round++) {
        mr_test_records_t batch;
        mr_test_records_init (&batch);
        bool gentle = round % 2 == 0; /* few bad records, else many */
        for (unsigned i = 0; i < 50; i++) {
            char text[256];
            size_t bytes = sizeof seed - 1;
            memcpy (text, seed, bytes);
            if (!gentle || i == 7) {
                bytes = mutate (&state, text, bytes);
            }
            mr_test_records_add (&batch, text, bytes);
        }
        mr_json_open (json, &batch.view);
        mr_json_record_t record;
        while (mr_json_next (json, 0, &record) == MR_OK) {
            mr_json_value_t value = {0};
            size_t offset;
            const char *what;
            mr_json_error_t error =
                mr_json_check (record.text, record.bytes, &value, &offset, &what);
            if (error == MR_JSON_OK && value.type != MR_JSON_OBJECT) {
                error = MR_JSON_NOT_OBJECT;
            }
            ck_assert_msg (record.error == error, "%s, not %s: %.*s",
                           mr_json_error_name (record.error), mr_json_error_name (error),
                           (int)record.bytes, record.text);
            valid += error == MR_JSON_OK;
        }
        mr_test_records_release (&batch);
    }
    ck_assert_uint_gt (valid, 10000);
    ck_assert_uint_lt (valid, 20000);
    mr_json_destroy (&json);
}
END_TEST

START_TEST (test_every_truncation_of_a_valid_record_is_an_error)
{
    static const char text[] = "{\"a\":[1,{\"b\":\"\\u00e9\xc3\xa9\"},true],\"c\":-1.5e3}";
    for (size_t bytes = 0; bytes < sizeof text - 1; bytes++) {
        mr_json_record_t record = read_between_neighbours (text, bytes);
        ck_assert_int_ne (record.error, MR_JSON_OK);
        ck_assert_uint_le (record.error_offset, bytes);
    }
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_whatever_the_grammar_allows_is_valid,
        test_an_invalid_record_is_named_with_its_offset_and_its_neighbours_are_whole,
        test_an_invalid_record_is_told_what_is_wrong,
        test_a_nul_byte_is_an_error_inside_and_outside_a_string,
        test_an_object_over_two_records_is_two_errors,
        test_128_levels_are_read_and_129_are_json_depth,
        test_fields_are_spans_of_the_text,
        test_a_record_with_very_many_fields_is_read_whole,
        test_the_fast_reader_and_the_precise_one_agree_on_mutated_batches,
        test_every_truncation_of_a_valid_record_is_an_error,
        NULL,
    };
    return mr_suite_run ("json", tests);
}
