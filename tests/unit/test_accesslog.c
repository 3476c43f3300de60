#include "common/record/accesslog.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof (array) / sizeof (array)[0])
#define COMBINED_TAIL "\"http://a.b/\" \"Agent 1\""

/* The object of a line (a static text), or "OFFSET: what" when it is none. Also checks that the
 * object is valid JSON and that the fields are where they are said to be. */
static const char *
convert (mr_line_format_t format, const char *line, size_t bytes)
{
    static char text[4096];
    char *room = malloc (MR_LINE_ROOM (bytes));
    char *exact = malloc (bytes + 1); /* so that reading on is found */
    memcpy (exact, line, bytes);
    mr_json_field_t fields[MR_LINE_MAX_FIELDS];
    mr_json_record_t record = {.fields = fields};
    if (mr_line_read (format, exact, bytes, room, &record)) {
        mr_json_value_t value;
        size_t offset;
        const char *what;
        ck_assert_int_eq (mr_json_check (room, record.bytes, &value, &offset, &what), MR_JSON_OK);
        for (uint32_t i = 0; i < record.field_count; i++) {
            mr_json_value_t again;
            ck_assert_int_eq (
                mr_json_check (fields[i].value.text, fields[i].value.bytes, &again, &offset, &what),
                MR_JSON_OK);
            ck_assert_uint_eq (again.type, fields[i].value.type);
            ck_assert_uint_eq (again.escaped, fields[i].value.escaped);
            ck_assert_int_eq (fields[i].key[-1], '"');
            ck_assert_int_eq (memcmp (fields[i].key + fields[i].key_bytes, "\":", 2), 0);
        }
        snprintf (text, sizeof text, "%.*s", (int)record.bytes, room);
    } else {
        snprintf (text, sizeof text, "%u: %s", record.error_offset, record.error_text);
    }
    free (exact);
    free (room);
    return text;
}

static const char *
combined (const char *line)
{
    return convert (MR_LINE_COMBINED, line, strlen (line));
}

START_TEST (test_a_combined_line_becomes_an_object)
{
    ck_assert_str_eq (
        combined (
            "83.149.9.216 - frank [17/May/2015:10:05:03 +0200] \"GET /a?b=c HTTP/1.1\" 200 203023 "
            "\"http://semicomplete.com/\" \"Mozilla/5.0 (X11)\""),
        "{\"client\":\"83.149.9.216\",\"ident\":null,\"auth\":\"frank\",\"ts\":\"2015-05-17T08:05:"
        "03Z\","
        "\"method\":\"GET\",\"path\":\"/a?b=c\",\"protocol\":\"HTTP/"
        "1.1\",\"status\":200,\"bytes\":203023,"
        "\"referrer\":\"http://semicomplete.com/\",\"agent\":\"Mozilla/5.0 (X11)\"}");
}
END_TEST

START_TEST (test_a_common_line_has_neither_referrer_nor_agent)
{
    static const char line[] =
        "::1 id a user [01/Jan/2000:00:00:00 +0000] \"GET / HTTP/2.0\" 304 - ";
    ck_assert_str_eq (
        convert (MR_LINE_COMMON, line, sizeof line - 1),
        "{\"client\":\"::1\",\"ident\":\"id\",\"auth\":\"a user\",\"ts\":\"2000-01-01T00:00:00Z\","
        "\"method\":\"GET\",\"path\":\"/\",\"protocol\":\"HTTP/"
        "2.0\",\"status\":304,\"bytes\":null}");
    ck_assert_str_eq (combined (line), "65: the line ends too early");
}
END_TEST

START_TEST (test_a_request_that_is_not_three_words_is_kept_whole)
{
    static const struct {
        const char *request;
        const char *expected;
    } cases[] = {
        {"-", "\"request\":null"},
        {"", "\"request\":\"\""},
        {"GET /", "\"request\":\"GET /\""},
        {"GET / HTTP/1.1 x", "\"request\":\"GET / HTTP/1.1 x\""},
        {"GET  /", "\"request\":\"GET  /\""},
        {" GET /", "\"request\":\" GET /\""},
        {"GET / ", "\"request\":\"GET / \""},
        {"\\x16\\x03\\x01", "\"request\":\"\\u0016\\u0003\\u0001\""},
        {"G - -", "\"method\":\"G\",\"path\":null,\"protocol\":null"},
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char line[256];
        char expected[256];
        snprintf (line, sizeof line, "h - - [01/Jan/2000:00:00:00 +0000] \"%s\" 400 0 \"-\" \"-\"",
                  cases[i].request);
        snprintf (
            expected, sizeof expected,
            "{\"client\":\"h\",\"ident\":null,\"auth\":null,\"ts\":\"2000-01-01T00:00:00Z\",%s,"
            "\"status\":400,\"bytes\":0,\"referrer\":null,\"agent\":null}",
            cases[i].expected);
        ck_assert_str_eq (combined (line), expected);
    }
}
END_TEST

START_TEST (test_escapes_are_undone_and_what_is_no_utf8_is_replaced)
{
    static const struct {
        const char *agent;
        const char *expected;
    } cases[] = {
        {"say \\\"hi\\\"", "say \\\"hi\\\""},
        {"back\\\\slash", "back\\\\slash"},
        {"\\x22\\x5C", "\\\"\\\\"},
        {"\\t\\n\\r\\b\\f\\v", "\\t\\n\\r\\b\\f\\u000b"},
        {"\\xc3\\xa9", "\xc3\xa9"},
        {"\\xe4\\xf6", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xff", "\xef\xbf\xbd"},
        {"\xc3\xa9", "\xc3\xa9"},
        {"\\q\\x4\\xzz", "\\\\q\\\\x4\\\\xzz"},
        {"\x01\x7f", "\\u0001\x7f"},
        {"\\x00", "\\u0000"},
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char line[256];
        char expected[256];
        snprintf (line, sizeof line, "h - - [01/Jan/2000:00:00:00 +0000] \"-\" 400 0 \"-\" \"%s\"",
                  cases[i].agent);
        snprintf (expected, sizeof expected, "\"agent\":\"%s\"}", cases[i].expected);
        const char *object = combined (line);
        const char *agent = strstr (object, "\"agent\"");
        ck_assert_ptr_nonnull (agent);
        ck_assert_str_eq (agent, expected);
    }
}
END_TEST

START_TEST (test_the_time_keeps_its_instant)
{
    static const struct {
        const char *time;
        const char *expected; /* NULL: refused */
    } cases[] = {
        {"01/Jan/2016:00:30:00 +0100", "2015-12-31T23:30:00Z"},
        {"31/Dec/2015:23:30:00 -0100", "2016-01-01T00:30:00Z"},
        {"28/Feb/2016:23:59:59 -0530", "2016-02-29T05:29:59Z"},
        {"29/Feb/2016:12:00:60 +0000", "2016-02-29T12:00:60Z"},
        {"01/Mar/2015:00:00:00 +0001", "2015-02-28T23:59:00Z"},
        {"29/Feb/2015:12:00:00 +0000", NULL},
        {"00/Jan/2015:12:00:00 +0000", NULL},
        {"32/Jan/2015:12:00:00 +0000", NULL},
        {"01/jan/2015:12:00:00 +0000", NULL},
        {"01/Jan/2015:24:00:00 +0000", NULL},
        {"01/Jan/2015:12:60:00 +0000", NULL},
        {"01/Jan/2015:12:00:00 00000", NULL},
        {"31/Dec/9999:23:59:00 -0100", NULL},
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char line[256];
        char expected[64];
        snprintf (line, sizeof line, "h - - [%s] \"-\" 400 0 \"-\" \"-\"", cases[i].time);
        const char *object = combined (line);
        if (cases[i].expected == NULL) {
            ck_assert_str_eq (object, "7: a time such as [17/May/2015:10:05:03 +0000] is expected");
            continue;
        }
        snprintf (expected, sizeof expected, "\"ts\":\"%s\"", cases[i].expected);
        ck_assert_msg (strstr (object, expected) != NULL, "%s: %s", cases[i].time, object);
    }
}
END_TEST

START_TEST (test_numbers_are_whole_and_have_no_leading_zeros)
{
    static const struct {
        const char *numbers;
        const char *expected;
    } cases[] = {
        {"000 007", "\"status\":0,\"bytes\":7"},
        {"- -", "\"status\":null,\"bytes\":null"},
        {"200 9223372036854775807", "\"status\":200,\"bytes\":9223372036854775807"},
        {"2000 1", "39: a status of three digits is expected"},
        {"x 1", "39: a status of three digits is expected"},
        {"200 12345678901234567890", "43: a number of bytes is expected"},
        {"200 1.5", "44: a space is expected after the bytes"},
        {"2x0 1", "40: a space is expected after the status"},
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        char line[256];
        snprintf (line, sizeof line, "h - - [01/Jan/2000:00:00:00 +0000] \"-\" %s \"-\" \"-\"",
                  cases[i].numbers);
        const char *object = combined (line);
        ck_assert_msg (strstr (object, cases[i].expected) != NULL, "%s: %s", line, object);
    }
}
END_TEST

START_TEST (test_every_incomplete_line_is_refused_within_its_length)
{
    static const char line[] =
        "h - - [01/Jan/2000:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5 " COMBINED_TAIL;
    ck_assert_int_eq (combined (line)[0], '{');
    for (size_t bytes = 0; bytes < sizeof line - 1; bytes++) {
        const char *text = convert (MR_LINE_COMBINED, line, bytes);
        char *end;
        unsigned long offset = strtoul (text, &end, 10);
        ck_assert_int_eq (*end, ':');
        ck_assert_uint_le (offset, bytes);
    }
    ck_assert_str_eq (convert (MR_LINE_COMBINED, line, sizeof line - 2),
                      "80: the line ends too early");
    ck_assert_str_eq (
        combined ("h - - [01/Jan/2000:00:00:00 +0000] \"-\" 200 5 \"-\" \"-\" \"more\""),
        "52: the end of the line is expected");
    ck_assert_int_eq (combined ("h - - [01/Jan/2000:00:00:00 +0000] \"-\" 200 5 \"-\" \"-\" \r")[0],
                      '{');
}
END_TEST

START_TEST (test_a_line_that_is_none_is_told_what_is_expected_and_where)
{
    static const struct {
        const char *line;
        const char *expected;
    } cases[] = {
        {" - -", "0: a client is expected"},
        {"h", "1: the line ends too early"},
        {"h  -", "2: an identity is expected"},
        {"h - -", "5: the line ends too early"},
        {"h -  [", "4: a user and a time in brackets are expected"},
        {"h - - [17 May 2015, 10:05:03 +0000] \"-\" 200 5 \"-\" \"-\"",
         "7: a time such as [17/May/2015:10:05:03 +0000] is expected"},
        {"h - - [01/Jan/2000:00:00:00 +0000] GET", "35: a request in quotes is expected"},
        {"h - - [01/Jan/2000:00:00:00 +0000] \"-\"200",
         "38: a space is expected after the request"},
        {"h - - [01/Jan/2000:00:00:00 +0000] \"-\" 200 5 -",
         "45: a referrer in quotes is expected"},
        {"h - - [01/Jan/2000:00:00:00 +0000] \"-\" 200 5 \"-\"\"-\"",
         "48: a space is expected after the referrer"},
        {"h - - [01/Jan/2000:00:00:00 +0000] \"-\" 200 5 \"-\" -",
         "49: a user agent in quotes is expected"},
    };
    for (size_t i = 0; i < COUNT (cases); i++) {
        ck_assert_str_eq (combined (cases[i].line), cases[i].expected);
    }
}
END_TEST

START_TEST (test_a_raw_line_is_a_message_whatever_its_bytes_are)
{
    ck_assert_str_eq (convert (MR_LINE_RAW, "say \"hi\"\\\t\xff\xc3\xa9", 13),
                      "{\"message\":\"say \\\"hi\\\"\\\\\\t\xef\xbf\xbd\xc3\xa9\"}");
    ck_assert_str_eq (convert (MR_LINE_RAW, "", 0), "{\"message\":\"\"}");
    ck_assert_str_eq (convert (MR_LINE_RAW, "a\0b", 3), "{\"message\":\"a\\u0000b\"}");
    char control[64];
    memset (control, 1, sizeof control); /* the worst case for the room */
    ck_assert_int_eq (convert (MR_LINE_RAW, control, sizeof control)[0], '{');
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_combined_line_becomes_an_object,
        test_a_common_line_has_neither_referrer_nor_agent,
        test_a_request_that_is_not_three_words_is_kept_whole,
        test_escapes_are_undone_and_what_is_no_utf8_is_replaced,
        test_the_time_keeps_its_instant,
        test_numbers_are_whole_and_have_no_leading_zeros,
        test_every_incomplete_line_is_refused_within_its_length,
        test_a_line_that_is_none_is_told_what_is_expected_and_where,
        test_a_raw_line_is_a_message_whatever_its_bytes_are,
        NULL,
    };
    return mr_suite_run ("accesslog", tests);
}
