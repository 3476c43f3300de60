#include "common/record/expr.h"
#include "common/record/number.h"
#include "common/record/path.h"
#include "common/record/text.h"
#include "common/record/walk.h"
#include "tests/support/records.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof (array) / sizeof (array)[0])

/* A record that is open for reading; close it after use. */
typedef struct {
    mr_test_records_t batch;
    mr_json_t *json;
    mr_json_record_t record;
} opened_t;

static void
open_record (opened_t *self, const char *text)
{
    mr_test_records_init (&self->batch);
    mr_test_records_add (&self->batch, text, strlen (text));
    ck_assert_int_eq (mr_json_new (&self->json), MR_OK);
    mr_json_open (self->json, &self->batch.view);
    ck_assert_int_eq (mr_json_next (self->json, 0, &self->record), MR_OK);
    ck_assert_int_eq (self->record.error, MR_JSON_OK);
}

static void
close_record (opened_t *self)
{
    mr_json_destroy (&self->json);
    mr_test_records_release (&self->batch);
}

static const char subject[] =
    "{\"s\":\"abc\",\"e\":\"a\\u0062\\n\",\"\\u006bey\":\"k\",\"i\":5,\"neg\":-7,\"f\":1.5,"
    "\"big\":9223372036854775807,\"ubig\":18446744073709551615,\"over\":18446744073709551616,"
    "\"huge\":1e400,\"zero\":-0,\"t\":true,\"no\":false,\"nil\":null,\"o\":{\"p\":{\"q\":[10,{"
    "\"r\":\"x\"}]},"
    "\"p2\":1,\"dup\":1,\"dup\":2},\"arr\":[1,2,3],\"empty\":\"\",\"dup\":1,\"dup\":\"last\",\"x-"
    "y\":1,"
    "\"and\":true,\"emoji\":\"\\ud83d\\ude00\",\"lone\":\"\\ud800\",\"\xc3\xa9t\xc3\xa9\":1}";

static const struct {
    const char *text;
    bool expected;
} facts[] = {
    {"s == \"abc\"", true},
    {"\"abc\" == s", true},
    {"s != \"abc\"", false},
    {"s == \"abd\"", false},
    {"e == \"ab\\n\"", true},
    {"e == \"\\u0061b\\u000a\"", true},
    {"key == \"k\"", true},
    {"emoji == \"\xf0\x9f\x98\x80\"", true},
    {"emoji > \"\xef\xbf\xbf\"", true},
    {"lone == \"\\ufffd\"", true},
    {"empty == \"\"", true},
    {"s < \"abd\"", true},
    {"s < \"ab\"", false},
    {"s >= \"abc\"", true},
    {"e > s", false},
    {"e < s", true},
    {"i == 5", true},
    {"i == 5.0", true},
    {"i == 50e-1", true},
    {"i == \"5\"", false},
    {"i != \"5\"", true},
    {"i < \"6\"", false},
    {"i >= \"6\"", false},
    {"i > 4.999 and i < 5.001", true},
    {"neg < 0", true},
    {"neg >= -7", true},
    {"f == 1.50", true},
    {"f == 15e-1", true},
    {"zero == 0", true},
    {"big == 9223372036854775807", true},
    {"big == 9223372036854775806", false},
    {"big < 9223372036854775808", true},
    {"big > 9223372036854775806.5", true},
    {"ubig == 18446744073709551615", true},
    {"ubig == 18446744073709551614", false},
    {"ubig < over", true},
    {"over == 18446744073709551616", true},
    {"huge > over", true},
    {"huge == 1e400", true},
    {"t", true},
    {"t == true", true},
    {"no", false},
    {"not no", true},
    {"s", false},
    {"i", false},
    {"nosuch", false},
    {"true", true},
    {"false or t", true},
    {"t < true", false},
    {"t >= true", false},
    {"nil == null", true},
    {"nosuch == null", true},
    {"nosuch != null", false},
    {"nosuch == nil", true},
    {"nosuch != \"x\"", true},
    {"nosuch < 1", false},
    {"nosuch >= 1", false},
    {"nil <= null", false},
    {"exists(nil)", true},
    {"exists(nosuch)", false},
    {"exists ( o.p.q[1].r )", true},
    {"exists(o.p.q[2])", false},
    {"exists(s.x)", false},
    {"exists(o[0])", false},
    {"exists(arr.x)", false},
    {"o.p.q[0] == 10", true},
    {"o.p.q[1].r == \"x\"", true},
    {"o.p2 == 1", true},
    {"o.dup == 2", true},
    {"arr[2] == 3", true},
    {"arr[3] == null", true},
    {"o == o", false},
    {"arr != arr", true},
    {"dup == \"last\"", true},
    {"dup == 1", false},
    {"`x-y` == 1", true},
    {"`\\u0078-y` == 1", true},
    {"`and`", true},
    {"o.`p2` == 1", true},
    {"\xc3\xa9t\xc3\xa9 == 1", true},
    {"s in (\"x\", \"abc\")", true},
    {"s in (\"x\")", false},
    {"s not in (\"x\", 1, null)", true},
    {"i in (1, 5.0)", true},
    {"nosuch in (null)", true},
    {"nosuch not in (1)", true},
    {"not s in (\"abc\")", false},
    {"t and i == 5 and s == \"abc\"", true},
    {"t and no and t", false},
    {"no or no or i == 5", true},
    {"t or no and no", true},
    {"(t or no) and no", false},
    {"not t or t", true},
    {"not (t or t)", false},
    {"not not t", true},
    {"no and nosuch or t", true},
    {"\tt\n and\r t ", true},
    {"exists == null", true},
};

START_TEST (test_expressions_mean_what_the_grammar_says)
{
    opened_t opened;
    open_record (&opened, subject);
    for (size_t i = 0; i < COUNT (facts); i++) {
        mr_expr_t *expr;
        mr_error_t err;
        ck_assert_msg (mr_expr_new (facts[i].text, &expr, &err) == MR_OK, "%s: %s", facts[i].text,
                       err.text);
        bool result = mr_expr_eval (expr, opened.record.fields, opened.record.field_count);
        ck_assert_msg (result == facts[i].expected, "%s is %d", facts[i].text, result);
        mr_expr_destroy (&expr);
    }
    close_record (&opened);
}
END_TEST

static const struct {
    const char *text;
    const char *error;
} wrong[] = {
    {"", "column 1: a field or a value is expected; the expression ends here"},
    {"a ==", "column 5: a field or a value is expected; the expression ends here"},
    {"a = 1", "column 3: '=' compares nothing here; write '=='"},
    {"a == 1 b", "column 8: an operator or the end is expected, not b"},
    {"a == 1 == 2", "column 8: an operator or the end is expected, not =="},
    {"a && b", "column 3: '&' is not known; write 'and'"},
    {"a || b", "column 3: '|' is not known; write 'or'"},
    {"!a", "column 1: '!' is not known; write 'not', or '!='"},
    {"a == 'x'", "column 6: strings stand in double quotes"},
    {"a == \"x", "column 6: the string is not closed"},
    {"a == \"\\x\"", "column 7: no such escape in a string (JSON's are known)"},
    {"a == 01", "column 6: a number as in JSON is expected, not 01"},
    {"a == 1.", "column 6: a number as in JSON is expected, not 1."},
    {"a == 5ms", "column 6: a number as in JSON is expected, not 5ms"},
    {"(a", "column 3: an operator or ')' is expected; the expression ends here"},
    {"a)", "column 2: an operator or the end is expected, not )"},
    {"a in b", "column 6: '(' and a list are expected after 'in', not b"},
    {"a in ()", "column 7: a value is expected in the list, not )"},
    {"a in (b)", "column 7: a value is expected in the list, not b"},
    {"a in (1 2)", "column 9: ',' or ')' is expected in the list, not 2"},
    {"a in (1,", "column 9: a value is expected in the list; the expression ends here"},
    {"a not b", "column 7: 'in' is expected after 'not', not b"},
    {"exist(a)", "column 1: the only function is exists (field), not exist"},
    {"exists(1)", "column 8: a field is expected in exists (), not 1"},
    {"exists(a", "column 9: ')' is expected; the expression ends here"},
    {"exists()", "column 8: a field is expected in exists (), not )"},
    {"\"x\"", "column 4: a comparison is expected after the value; the expression ends here"},
    {"5 and a", "column 3: a comparison is expected after the value, not and"},
    {"user-agent == 1", "column 5: a name with '-' in it is written in backticks: `user-agent`"},
    {"a.", "column 3: the name of a field is expected"},
    {"a[x]", "column 3: an index such as [0] is expected"},
    {"a[1", "column 4: ']' is expected after the index"},
    {"a[9999999999]", "column 3: the index is too large"},
    {"`a", "column 1: the backtick is not closed"},
    {"\xc3\xa9 = 1", "column 3: '=' compares nothing here; write '=='"},
    {"a == # 1", "column 6: a field, a value or an operator is expected, not #"},
};

START_TEST (test_a_wrong_expression_is_told_by_column_and_expectation)
{
    for (size_t i = 0; i < COUNT (wrong); i++) {
        mr_expr_t *expr = NULL;
        mr_error_t err = {0};
        ck_assert_int_eq (mr_expr_new (wrong[i].text, &expr, &err), MR_CONFIG);
        ck_assert_ptr_null (expr);
        ck_assert_str_eq (err.text, wrong[i].error);
    }
}
END_TEST

START_TEST (test_nesting_and_length_are_limited_but_chains_may_be_long)
{
    char text[MR_EXPR_MAX_BYTES + 64];
    mr_expr_t *expr;
    mr_error_t err;
    memset (text, '(', 63);
    memcpy (text + 63, "t", 1);
    memset (text + 64, ')', 63);
    text[127] = '\0';
    ck_assert_int_eq (mr_expr_new (text, &expr, &err), MR_OK);
    mr_expr_destroy (&expr);
    memset (text, '(', 64);
    text[64] = '\0';
    ck_assert_int_eq (mr_expr_new (text, &expr, &err), MR_CONFIG);
    ck_assert_str_eq (err.text, "column 65: nested more than 64 deep");
    text[0] = 'n';
    size_t bytes = 1;
    for (; bytes + 5 < MR_EXPR_MAX_BYTES; bytes += 5) {
        memcpy (text + bytes, " or n", 5);
    }
    text[bytes] = '\0';
    ck_assert_int_eq (mr_expr_new (text, &expr, &err), MR_OK);
    ck_assert (!mr_expr_eval (expr, NULL, 0));
    mr_expr_destroy (&expr);
    memset (text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ck_assert_int_eq (mr_expr_new (text, &expr, &err), MR_CONFIG);
    ck_assert_str_eq (err.text, "the expression is longer than 8192 bytes");
}
END_TEST

START_TEST (test_an_expression_keeps_its_text)
{
    mr_expr_t *expr;
    mr_error_t err;
    ck_assert_int_eq (mr_expr_new ("a.b[0] == `c d` or exists(e) and 1 < 2", &expr, &err), MR_OK);
    ck_assert_str_eq (mr_expr_text (expr), "a.b[0] == `c d` or exists(e) and 1 < 2");
    mr_expr_destroy (&expr);
}
END_TEST

START_TEST (test_a_path_stands_alone_or_is_told_by_column)
{
    mr_path_t *path;
    mr_error_t err;
    ck_assert_int_eq (mr_path_new (" a.b ", 5, &path, &err), MR_OK);
    ck_assert_str_eq (path->text, "a.b");
    mr_path_destroy (&path);
    ck_assert_int_eq (mr_path_new ("a b", 3, &path, &err), MR_CONFIG);
    ck_assert_str_eq (err.text, "column 2: '.', '[' or the end of the path is expected");
    ck_assert_int_eq (mr_path_new (" x-y", 4, &path, &err), MR_CONFIG);
    ck_assert_str_eq (err.text,
                      "column 3: a name with '-' in it is written in backticks: `user-agent`");
    char deep[MR_PATH_MAX_BYTES + 8];
    for (size_t i = 0; i < 33; i++) {
        memcpy (deep + 2 * i, "a.", 2);
    }
    ck_assert_int_eq (mr_path_new (deep, 65, &path, &err), MR_CONFIG);
    ck_assert_str_eq (err.text, "column 66: the path has more than 32 steps");
    memset (deep, 'a', sizeof deep);
    ck_assert_int_eq (mr_path_new (deep, MR_PATH_MAX_BYTES, &path, &err), MR_OK);
    mr_path_destroy (&path);
    ck_assert_int_eq (mr_path_new (deep, sizeof deep, &path, &err), MR_CONFIG);
    ck_assert_str_eq (err.text, "column 1025: the path is longer than 1024 bytes");
}
END_TEST

START_TEST (test_a_walk_gives_every_member_of_a_container)
{
    opened_t opened;
    open_record (
        &opened,
        "{\"o\":{ \"a\\\"\" : \"x\\\\\" ,\"b\":[ ], \"c\" : -1e5 , \"d\":true},\"n\":[1 ,\"]\"],"
        "\"e\":{ }}");
    mr_walk_t walk;
    mr_json_field_t member;
    mr_walk_open (&walk, &opened.record.fields[0].value);
    static const char *const values[] = {"\"x\\\\\"", "[ ]", "-1e5", "true"};
    for (size_t i = 0; i < COUNT (values); i++) {
        ck_assert (mr_walk_next (&walk, &member));
        ck_assert_uint_eq (member.value.bytes, strlen (values[i]));
        ck_assert_int_eq (memcmp (member.value.text, values[i], member.value.bytes), 0);
        ck_assert_uint_eq (member.key_escaped, i == 0);
    }
    ck_assert (!mr_walk_next (&walk, &member));
    mr_walk_open (&walk, &opened.record.fields[1].value);
    ck_assert (mr_walk_next (&walk, &member));
    ck_assert_ptr_null (member.key);
    ck_assert (mr_walk_next (&walk, &member));
    ck_assert_uint_eq (member.value.type, MR_JSON_STRING);
    ck_assert (!mr_walk_next (&walk, &member));
    mr_walk_open (&walk, &opened.record.fields[2].value);
    ck_assert (!mr_walk_next (&walk, &member));
    close_record (&opened);
}
END_TEST

START_TEST (test_both_ways_of_reading_a_decimal_give_the_same_number)
{
    static const char *const pairs[][2] = {
        {"0.1", "1e-1"},
        {"-123.456", "-123456e-3"},
        {"0.000000000000001", "1E-15"},
        {"12345678901234.567", "12345678901234567e-3"},
        {"100", "1e2"},
        {"9007199254740993", "9007199254740993.0"},
    };
    for (size_t i = 0; i < COUNT (pairs); i++) {
        mr_number_t a = mr_number_read (pairs[i][0], strlen (pairs[i][0]));
        mr_number_t b = mr_number_read (pairs[i][1], strlen (pairs[i][1]));
        ck_assert_msg (mr_number_compare (a, b) == 0, "%s %s", pairs[i][0], pairs[i][1]);
    }
    ck_assert_double_eq (mr_number_to_double (mr_number_read ("12.5", 4)), 12.5);
    ck_assert_double_eq (mr_number_to_double (mr_number_read ("-3", 2)), -3);
}
END_TEST

START_TEST (test_a_text_decodes_to_its_characters)
{
    static const char raw[] =
        "a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00\\udc00\\u0000z";
    static const char expected[] =
        "a\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbd\0z";
    char out[sizeof raw];
    size_t bytes = mr_text_decode ((mr_text_t){raw, sizeof raw - 1, true}, out);
    ck_assert_uint_eq (bytes, sizeof expected - 1);
    ck_assert_int_eq (memcmp (out, expected, bytes), 0);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_expressions_mean_what_the_grammar_says,
        test_a_wrong_expression_is_told_by_column_and_expectation,
        test_nesting_and_length_are_limited_but_chains_may_be_long,
        test_an_expression_keeps_its_text,
        test_a_path_stands_alone_or_is_told_by_column,
        test_a_walk_gives_every_member_of_a_container,
        test_both_ways_of_reading_a_decimal_give_the_same_number,
        test_a_text_decodes_to_its_characters,
        NULL,
    };
    return mr_suite_run ("expr", tests);
}
