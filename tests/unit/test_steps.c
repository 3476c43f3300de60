#include "common/record/json.h"
#include "stages/processor/steps.h"
#include "tests/support/records.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof (array) / sizeof (array)[0])

/* Steps as lines, "drop = a\nset = b = 1". */
static mr_steps_t *
make_steps (mr_parse_t parse, const char *lines)
{
    mr_steps_t *steps;
    mr_error_t err;
    ck_assert_int_eq (mr_steps_new (parse, &steps, &err), MR_OK);
    char *copy = strdup (lines);
    char *rest = copy;
    for (char *line; (line = strsep (&rest, "\n")) != NULL;) {
        char *value = strstr (line, " = ");
        if (value != NULL) {
            *value = '\0';
            ck_assert_msg (mr_steps_add (steps, line, value + 3, &err) == MR_OK, "%s: %s", lines,
                           err.text);
        }
    }
    free (copy);
    return steps;
}

static mr_steps_output_t
run (mr_steps_t *steps, const mr_test_records_t *batch)
{
    mr_steps_output_t output;
    mr_steps_input_t input = {.records = &batch->view};
    ck_assert_int_eq (mr_steps_run (steps, &input, &output), MR_OK);
    ck_assert_uint_eq (output.records.count + output.dead_count + output.filtered,
                       batch->view.count);
    return output;
}

/* What becomes of one record (a static text): its new text, "filtered", or "type: message". */
static const char *
process (mr_parse_t parse, const char *lines, const char *record)
{
    static char text[4096];
    mr_steps_t *steps = make_steps (parse, lines);
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    mr_test_records_add (&batch, record, strlen (record));
    mr_steps_output_t output = run (steps, &batch);
    if (output.filtered > 0) {
        snprintf (text, sizeof text, "filtered");
    } else if (output.dead_count > 0) {
        char message[256];
        mr_steps_dead_message (&output.dead[0], message, sizeof message);
        snprintf (text, sizeof text, "%s: %s (%s)", mr_errortype_name (output.dead[0].error_type),
                  message, output.dead[0].rule);
    } else {
        ck_assert_uint_eq (output.records.offsets[0], 0);
        uint32_t bytes = output.records.offsets[1];
        ck_assert_int_eq (output.records.data[bytes - 1], '\n');
        snprintf (text, sizeof text, "%.*s", (int)bytes - 1, output.records.data);
        mr_json_value_t value;
        size_t offset;
        const char *what;
        ck_assert_int_eq (mr_json_check (text, bytes - 1, &value, &offset, &what), MR_JSON_OK);
        ck_assert_ptr_null (memchr (text, '\n', bytes - 1));
    }
    mr_test_records_release (&batch);
    mr_steps_destroy (&steps);
    return text;
}

static const struct {
    const char *steps;
    const char *record;
    const char *expected;
} cases[] = {
    /* nothing to do, or nothing to find: byte for byte */
    {"", "{\"a\" : 1e400, \"b\":[ 1 ,2 ],\t\"c\":\"\\u0061\\/\" }",
     "{\"a\" : 1e400, \"b\":[ 1 ,2 ],\t\"c\":\"\\u0061\\/\" }"},
    {"remove = x\nrename = y -> z\nremove = a.x\nremove = a[0]", "{ \"a\":{} }", "{ \"a\":{} }"},
    {"", "{\"a\":\n1,\r\n\"b\":[\n]}", "{\"a\": 1,\r \"b\":[ ]}"},
    {"", " \r{\"a\":1}\r\n", "{\"a\":1}"},
    {"set = b = 2", "{\"a\":[\n1]}", "{\"a\":[ 1],\"b\":2}"},
    /* filters */
    {"drop = a == 1", "{\"a\":1}", "filtered"},
    {"drop = a == 2", "{\"a\":1}", "{\"a\":1}"},
    {"keep = a == 1", "{\"a\":1}", "{\"a\":1}"},
    {"keep = a == 2", "{\"a\":1}", "filtered"},
    {"set = a = 2\ndrop = a == 2", "{\"a\":1}", "filtered"},
    {"rename = a -> b\nkeep = b == 1 and a == null", "{\"a\":1}", "{\"b\":1}"},
    {"remove = a\ndrop = exists(a)", "{\"a\":1}", "{}"},
    {"set = o.p = \"x\"\nkeep = o.p == \"x\"", "{}", "{\"o\":{\"p\":\"x\"}}"},
    /* set */
    {"set = env = \"prod\"", "{}", "{\"env\":\"prod\"}"},
    {"set = env = \"prod\"", "{\"a\":1}", "{\"a\":1,\"env\":\"prod\"}"},
    {"set = env = \"prod\"", "{ \"a\" : 1 }", "{ \"a\" : 1,\"env\":\"prod\"}"},
    {"set = a = [1, {\"b\": null}]", "{\"x\":0, \"a\" : 1 , \"y\":2}",
     "{\"x\":0, \"a\" : [1, {\"b\": null}] , \"y\":2}"},
    {"set = a = 1\nset = a = 2\nset = a = 3", "{}", "{\"a\":3}"},
    {"set = a = 9", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":1,\"b\":2,\"a\":9}"},
    {"set = `\\u0061\"` = 1", "{}", "{\"a\\\"\":1}"},
    {"set = abc = 9", "{\"\\u0061bc\":1}", "{\"\\u0061bc\":9}"},
    {"set = n = 1e400", "{\"a\":1}", "{\"a\":1,\"n\":1e400}"},
    /* rename */
    {"rename = user -> user_id", "{\"a\":1, \"user\" : \"x\", \"b\":2}",
     "{\"a\":1, \"user_id\" : \"x\", \"b\":2}"},
    {"rename = a -> b", "{\"a\":1,\"b\":2}", "{\"b\":1}"},
    {"rename = b -> a", "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":2,\"c\":3}"},
    {"rename = a -> b", "{\"b\":2}", "{\"b\":2}"},
    {"rename = a -> c", "{\"a\":1,\"b\":2,\"a\":3}", "{\"c\":1,\"b\":2,\"c\":3}"},
    {"rename = a -> b\nrename = b -> a", "{\"a\":1,\"b\":2}", "{\"a\":1}"},
    {"rename = a -> `q\"`\nrename = `q\"` -> z", "{\"a\":1}", "{\"z\":1}"},
    /* remove */
    {"remove = a", "{\"a\":1, \"b\":2, \"c\":3}", "{\"b\":2, \"c\":3}"},
    {"remove = b", "{\"a\":1, \"b\":2, \"c\":3}", "{\"a\":1,\"c\":3}"},
    {"remove = c", "{\"a\":1, \"b\":2, \"c\":3}", "{\"a\":1, \"b\":2}"},
    {"remove = a, c", "{\"a\":1,\"b\":2,\"c\":3}", "{\"b\":2}"},
    {"remove = a,b,c", "{ \"a\":1,\"b\":2,\"c\":3 }", "{}"},
    {"remove = a", "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2}"},
    {"remove = a\nset = a = 5", "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":5}"},
    {"set = x = 1\nremove = x", "{\"a\":1}", "{\"a\":1}"},
    /* together: the reference work */
    {"drop = level == \"debug\"\nset = env = \"prod\"\nrename = user -> user_id",
     "{\"ts\":1,\"level\":\"info\",\"user\":\"u\",\"n\":2.50}",
     "{\"ts\":1,\"level\":\"info\",\"user_id\":\"u\",\"n\":2.50,\"env\":\"prod\"}"},
    /* nested */
    {"set = a.b = 1", "{}", "{\"a\":{\"b\":1}}"},
    {"set = a.b.c = 1", "{\"x\":0}", "{\"x\":0,\"a\":{\"b\":{\"c\":1}}}"},
    {"set = a.b = 1", "{\"a\":{ }}", "{\"a\":{ \"b\":1}}"},
    {"set = a.b = 1", "{\"a\":{\"x\": 2 } ,\"z\":0}", "{\"a\":{\"x\": 2 ,\"b\":1} ,\"z\":0}"},
    {"set = a.b = 1", "{\"a\":{\"b\" : 2,\"c\":3}}", "{\"a\":{\"b\" : 1,\"c\":3}}"},
    {"set = a.b.c = 1", "{\"a\":{\"b\":null}}", "{\"a\":{\"b\":{\"c\":1}}}"},
    {"set = a.b.c = 1", "{\"a\":null}", "{\"a\":{\"b\":{\"c\":1}}}"},
    {"set = a.b.c.d = 1", "{\"a\":{\"x\":0}}", "{\"a\":{\"x\":0,\"b\":{\"c\":{\"d\":1}}}}"},
    {"set = a[1].b = 1", "{\"a\":[0,{\"b\":5},2]}", "{\"a\":[0,{\"b\":1},2]}"},
    {"set = a[0] = \"x\"", "{\"a\":[0,1]}", "{\"a\":[\"x\",1]}"},
    {"remove = a.b", "{\"a\":{\"b\":1}}", "{\"a\":{}}"},
    {"remove = a.b", "{\"a\":{\"b\":1, \"c\":2}}", "{\"a\":{\"c\":2}}"},
    {"remove = a.c", "{\"a\":{\"b\":1 , \"c\":2 }}", "{\"a\":{\"b\":1  }}"},
    {"remove = a.b", "{\"a\":{\"b\":1,\"c\":2,\"b\":3}}", "{\"a\":{\"c\":2}}"},
    {"remove = a[1]", "{\"a\":[0, 1, 2]}", "{\"a\":[0, 2]}"},
    {"remove = a[0]", "{\"a\":[0]}", "{\"a\":[]}"},
    {"remove = a.b.c, a.b.d", "{\"a\":{\"b\":{\"c\":1,\"d\":2,\"e\":3}}}",
     "{\"a\":{\"b\":{\"e\":3}}}"},
    {"rename = a.b -> a.c", "{\"a\":{\"b\":1,\"d\":2}}", "{\"a\":{\"d\":2,\"c\":1}}"},
    {"rename = a.b -> b", "{\"a\":{\"b\":1},\"b\":0,\"c\":2}", "{\"a\":{},\"c\":2,\"b\":1}"},
    {"rename = a -> b.a", "{\"a\":1,\"c\":2}", "{\"c\":2,\"b\":{\"a\":1}}"},
    {"rename = a -> a.a", "{\"a\":{\"x\":1}}", "{\"a\":{\"a\":{\"x\":1}}}"},
    {"rename = a.a -> a", "{\"a\":{\"a\":{\"x\":1}}}", "{\"a\":{\"x\":1}}"},
    {"rename = a.x -> b.x", "{\"b\":{\"x\":0}}", "{\"b\":{\"x\":0}}"},
    /* dead letters */
    {"set = a.b = 1", "{\"a\":5}",
     "set_failed: byte 0: the path leads through a value that is no object, or to an index that is "
     "not "
     "there (set = a.b = 1)"},
    {"set = a[5] = 1", "{\"a\":[1]}",
     "set_failed: byte 0: the path leads through a value that is no object, or to an index that "
     "is "
     "not "
     "there (set = a[5] = 1)"},
    {"rename = x -> a.b", "{\"a\":[],\"x\":1}",
     "rename_failed: byte 0: the path leads through a value that is no object, or to an index that "
     "is "
     "not "
     "there (rename = x -> a.b)"},
    {"", "{\"a\":}", "json_syntax: byte 5: a value is expected (parse = json)"},
    {"", "{\"a\":\"\xff\"}", "json_utf8: byte 6: not UTF-8 (parse = json)"},
    {"", "[1]", "json_not_object: byte 0: an object is expected (parse = json)"},
};

START_TEST (test_steps_do_what_they_say_and_touch_nothing_else)
{
    for (size_t i = 0; i < COUNT (cases); i++) {
        const char *result = process (MR_PARSE_JSON, cases[i].steps, cases[i].record);
        ck_assert_msg (strcmp (result, cases[i].expected) == 0, "%s | %s: %s", cases[i].steps,
                       cases[i].record, result);
    }
}
END_TEST

START_TEST (test_lines_are_parsed_and_then_changed_like_objects)
{
    static const char line[] =
        "1.2.3.4 - - [17/May/2015:10:05:03 +0000] \"GET /a HTTP/1.1\" 404 5 \"-\" \"x \\\"y\\\"\"";
    ck_assert_str_eq (
        process (MR_PARSE_COMBINED,
                 "keep = status >= 400\nremove = ident, auth, ts, referrer\nset = env = true",
                 line),
        "{\"client\":\"1.2.3.4\",\"method\":\"GET\",\"path\":\"/a\",\"protocol\":\"HTTP/1.1\","
        "\"status\":404,\"bytes\":5,\"agent\":\"x \\\"y\\\"\",\"env\":true}");
    ck_assert_str_eq (process (MR_PARSE_COMBINED, "drop = status == 404", line), "filtered");
    ck_assert_str_eq (process (MR_PARSE_COMMON, "", line),
                      "parse_common: byte 64: the end of the line is expected (parse = common)");
    ck_assert_str_eq (process (MR_PARSE_COMBINED, "", "1.2.3.4 - -"),
                      "parse_combined: byte 11: the line ends too early (parse = combined)");
    ck_assert_str_eq (process (MR_PARSE_RAW, "rename = message -> text", "say \"\xff\""),
                      "{\"text\":\"say \\\"\xef\xbf\xbd\\\"\"}");
    ck_assert_str_eq (process (MR_PARSE_RAW, "", ""), "{\"message\":\"\"}");
}
END_TEST

/* Records 0 .. 99: valid, to drop, invalid or with a field that is changed, in turn. */
static void
fill (mr_test_records_t *batch)
{
    mr_test_records_init (batch);
    for (unsigned i = 0; i < 100; i++) {
        static const char *const heads[] = {"{", "{", "{", "{\"user\":1,", "{"};
        static const char *const tails[] = {"}", ",\"drop\":true}", "", "}", " }"};
        char text[64];
        int bytes = snprintf (text, sizeof text, "%s\"n\":%u%s", heads[i % 5], i, tails[i % 5]);
        mr_test_records_add (batch, text, (size_t)bytes);
    }
}

START_TEST (test_a_batch_keeps_order_and_tells_where_each_record_came_from)
{
    mr_steps_t *steps = make_steps (MR_PARSE_JSON, "drop = drop\nrename = user -> user_id");
    mr_error_t err;
    ck_assert_int_eq (mr_steps_watch (steps, "n", &err), MR_OK);
    ck_assert_int_eq (mr_steps_watch (steps, "user_id", &err), MR_OK);
    mr_test_records_t batch;
    fill (&batch);
    for (unsigned round = 0; round < 2; round++) { /* again, with what the first has left */
        mr_steps_output_t output = run (steps, &batch);
        ck_assert_uint_eq (output.filtered, 20);
        ck_assert_uint_eq (output.dead_count, 20);
        ck_assert_uint_eq (output.records.count, 60);
        for (uint32_t i = 0; i < output.records.count; i++) {
            uint32_t index = i / 3 * 5 + (i % 3 == 0 ? 0 : i % 3 + 2);
            ck_assert_uint_eq (output.origins[i], index);
            const char *record = output.records.data + output.records.offsets[i];
            const uint32_t *places = output.watched + (size_t)4 * i;
            ck_assert_uint_eq (places[1] & 7, MR_JSON_NUMBER);
            ck_assert_uint_eq (strtoul (record + places[0], NULL, 10), index);
            ck_assert_uint_eq (places[1] >> 3, index < 10 ? 1 : 2);
            bool renamed = index % 5 == 3;
            ck_assert_uint_eq (places[3] & 7, renamed ? MR_JSON_NUMBER : MR_STEPS_ABSENT);
            if (renamed) {
                ck_assert_int_eq (record[places[2]], '1');
            }
        }
        for (uint32_t i = 0; i < output.dead_count; i++) {
            ck_assert_uint_eq (output.dead[i].index, 5 * i + 2);
        }
    }
    mr_test_records_release (&batch);
    mr_steps_destroy (&steps);
}
END_TEST

START_TEST (test_watched_fields_are_found_in_the_output_however_it_was_changed)
{
    mr_steps_t *steps =
        make_steps (MR_PARSE_JSON, "set = a = \"longer than before\"\nremove = gone\n"
                                   "set = new = [7]\nset = o.q = 8\nrename = r -> renamed");
    static const char *const watched[] = {"a",       "o.p",  "new[0]", "o.q",
                                          "renamed", "last", "gone",   "d"};
    static const char *const values[] = {
        "\"longer than before\"", "5", "7", "8", "1", "{}", NULL, "2"};
    mr_error_t err;
    for (size_t i = 0; i < COUNT (watched); i++) {
        ck_assert_int_eq (mr_steps_watch (steps, watched[i], &err), MR_OK);
    }
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    static const char text[] =
        " {\"d\":1,\"gone\":3, \"a\":1, \"o\" : {\"p\":5}, \"r\":1,\"d\":2,\"last\":{} }";
    mr_test_records_add (&batch, text, sizeof text - 1);
    mr_steps_output_t output = run (steps, &batch);
    ck_assert_uint_eq (output.records.count, 1);
    for (size_t i = 0; i < COUNT (watched); i++) {
        uint32_t bytes = output.watched[2 * i + 1] >> 3;
        if (values[i] == NULL) {
            ck_assert_uint_eq (output.watched[2 * i + 1] & 7, MR_STEPS_ABSENT);
            continue;
        }
        ck_assert_uint_eq (bytes, strlen (values[i]));
        ck_assert_int_eq (memcmp (output.records.data + output.watched[2 * i], values[i], bytes),
                          0);
    }
    mr_test_records_release (&batch);
    mr_steps_destroy (&steps);
}
END_TEST

START_TEST (test_watched_fields_of_an_untouched_record_are_its_own)
{
    mr_steps_t *steps = make_steps (MR_PARSE_JSON, "");
    mr_error_t err;
    ck_assert_int_eq (mr_steps_watch (steps, "b", &err), MR_OK);
    ck_assert_int_eq (mr_steps_watch (steps, "b-c", &err), MR_CONFIG);
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    mr_test_records_add (&batch, "{\"a\":1,\"b\":\"x\"}", 15);
    mr_test_records_add (&batch, "  {\"a\":1,\"b\":\"x\"}", 17);
    mr_steps_output_t output = run (steps, &batch);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_uint_eq (output.watched[2 * i], 11);
        ck_assert_uint_eq (output.watched[2 * i + 1], 3U << 3 | MR_JSON_STRING);
    }
    mr_test_records_release (&batch);
    mr_steps_destroy (&steps);
}
END_TEST

START_TEST (test_skipped_records_are_not_looked_at)
{
    mr_steps_t *steps = make_steps (MR_PARSE_JSON, "drop = drop");
    mr_test_records_t batch;
    fill (&batch);
    static const uint32_t skip[] = {0, 2, 3, 50, 99};
    _Atomic uint64_t crumb = 0;
    mr_steps_input_t input = {
        .records = &batch.view,
        .skip = skip,
        .skip_count = COUNT (skip),
        .crumb = &crumb,
        .crumb_base = 1000,
    };
    mr_steps_output_t output;
    ck_assert_int_eq (mr_steps_run (steps, &input, &output), MR_OK);
    ck_assert_uint_eq (output.records.count, 56);
    ck_assert_uint_eq (output.dead_count, 19);
    ck_assert_uint_eq (output.filtered, 20);
    ck_assert_uint_eq (output.origins[0], 4);
    ck_assert_uint_eq (crumb, 1098);
    mr_test_records_release (&batch);
    mr_steps_destroy (&steps);
}
END_TEST

static const struct {
    const char *key;
    const char *value;
    const char *error;
} wrong[] = {
    {"keep", "a = 1", "column 3: '=' compares nothing here; write '=='"},
    {"kepp", "a", "kepp is no step; known are keep, drop, set, rename and remove"},
    {"set", "env", "column 4: '=' and a value are expected, as in: env = \"prod\""},
    {"set", "env = prod", "column 7: text stands in double quotes, as in: env = \"prod\""},
    {"set", "env = 'prod'", "column 7: text stands in double quotes, as in: env = \"prod\""},
    {"set", "env = \"prod", "column 12: the value is not JSON: the text ends too early"},
    {"set", "env = 1 2", "column 9: the value is not JSON: nothing more is expected here"},
    {"set", "env = ", "column 7: a JSON value is expected, as in: env = \"prod\""},
    {"set", "= 1", "column 1: the name of a field is expected"},
    {"set", "x-y = 1", "column 2: a name with '-' in it is written in backticks: `user-agent`"},
    {"rename", "a", "column 2: '->' and a new name are expected, as in: user -> user_id"},
    {"rename", "a = b", "column 3: '->' and a new name are expected, as in: user -> user_id"},
    {"rename", "a -> ", "column 6: the name of a field is expected"},
    {"rename", "a -> b c", "column 8: the end of the new name is expected"},
    {"rename", "a -> a", "column 5: the new name is the old one"},
    {"remove", "", "column 1: the name of a field is expected"},
    {"remove", "a b", "column 3: ',' or the end is expected"},
    {"remove", "a,", "column 3: the name of a field is expected"},
};

START_TEST (test_a_wrong_step_is_told_by_column_and_expectation)
{
    mr_steps_t *steps = make_steps (MR_PARSE_JSON, "");
    for (size_t i = 0; i < COUNT (wrong); i++) {
        mr_error_t err = {0};
        ck_assert_int_eq (mr_steps_add (steps, wrong[i].key, wrong[i].value, &err), MR_CONFIG);
        ck_assert_str_eq (err.text, wrong[i].error);
    }
    mr_steps_destroy (&steps);
}
END_TEST

START_TEST (test_a_long_record_passes_many_nested_steps)
{
    char lines[8192];
    size_t at = 0;
    for (unsigned i = 0; i < 60; i++) {
        at += (size_t)sprintf (lines + at, "set = o.k%u = %u\nremove = o.x%u\n", i, i, i);
    }
    mr_steps_t *steps = make_steps (MR_PARSE_JSON, lines);
    enum { BYTES = 100000 };
    char *text = malloc (BYTES + 64);
    int head = sprintf (text, "{\"o\":{\"long\":\"");
    memset (text + head, 'x', BYTES);
    memcpy (text + head + BYTES, "\"}}", 4);
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    mr_test_records_add (&batch, text, strlen (text));
    mr_test_records_add (&batch, "{}", 2);
    mr_steps_output_t output = run (steps, &batch);
    ck_assert_uint_eq (output.records.count, 2);
    const char *second = output.records.data + output.records.offsets[1];
    ck_assert_int_eq (memcmp (second, "{\"o\":{\"k0\":0,\"k1\":1,", 20), 0);
    ck_assert_int_eq (memcmp (second - 13, "8,\"k59\":59}}\n", 13), 0);
    mr_test_records_release (&batch);
    mr_steps_destroy (&steps);
    free (text);
}
END_TEST

#ifdef MR_CRASH_POINTS
START_TEST (test_a_debug_crash_kills_the_process_at_its_record)
{
    void *page =
        mmap (NULL, sizeof (uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne (page, MAP_FAILED);
    _Atomic uint64_t *crumb = page;
    pid_t child = fork ();
    ck_assert_int_ge (child, 0);
    if (child == 0) {
        mr_steps_t *steps = make_steps (MR_PARSE_JSON, "debug_crash = n == 35");
        mr_test_records_t batch;
        fill (&batch);
        mr_steps_output_t output;
        mr_steps_input_t input = {.records = &batch.view, .crumb = crumb};
        _exit (mr_steps_run (steps, &input, &output) == MR_OK ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq (waitpid (child, &status, 0), child);
    ck_assert (WIFSIGNALED (status) && WTERMSIG (status) == SIGABRT);
    ck_assert_uint_eq (*crumb, 35);
    munmap (page, sizeof (uint64_t));
}
END_TEST
#endif

START_TEST (test_an_empty_batch_gives_an_empty_output)
{
    mr_steps_t *steps = make_steps (MR_PARSE_JSON, "set = a = 1");
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    mr_steps_output_t output = run (steps, &batch);
    ck_assert_uint_eq (output.records.count, 0);
    ck_assert_uint_eq (output.records.offsets[0], 0);
    mr_test_records_release (&batch);
    mr_steps_destroy (&steps);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_steps_do_what_they_say_and_touch_nothing_else,
        test_lines_are_parsed_and_then_changed_like_objects,
        test_a_batch_keeps_order_and_tells_where_each_record_came_from,
        test_watched_fields_are_found_in_the_output_however_it_was_changed,
        test_watched_fields_of_an_untouched_record_are_its_own,
        test_skipped_records_are_not_looked_at,
        test_a_wrong_step_is_told_by_column_and_expectation,
        test_a_long_record_passes_many_nested_steps,
        test_an_empty_batch_gives_an_empty_output,
#ifdef MR_CRASH_POINTS
        test_a_debug_crash_kills_the_process_at_its_record,
#endif
        NULL,
    };
    return mr_suite_run ("steps", tests);
}
