#include "common/wire/event.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const mr_event_t success = {
    .kind = MR_EVENT_SUCCESS,
    .domain = "processor",
    .operation = "handle",
    .duration_ms = 1.84,
    .count = 1024,
    .worker = "processor.1",
    .incarnation = UINT64_C (0x9f3a000000000001),
    .event_seq = 4711,
    .ts_ns = INT64_C (1763886097123456000),
};

static const char success_json[] =
    "{\"domain\":\"processor\",\"operation\":\"handle\",\"duration\":1.84,\"count\":1024,"
    "\"worker\":\"processor.1\",\"incarnation\":\"9f3a000000000001\",\"event_seq\":4711,"
    "\"ts\":\"2025-11-23T08:21:37.123456Z\"}";

static const mr_event_t error = {
    .kind = MR_EVENT_ERROR,
    .domain = "processor",
    .operation = "handle",
    .error_type = "json_syntax",
    .message = "byte 5: no value",
    .sample = "{\"a\":}",
    .count = 3,
    .worker = "processor.1",
    .incarnation = 1,
    .event_seq = 1,
    .ts_ns = 0,
};

static const char error_json[] =
    "{\"domain\":\"processor\",\"operation\":\"handle\",\"error_type\":\"json_syntax\","
    "\"message\":\"byte 5: no value\",\"sample\":\"{\\\"a\\\":}\",\"count\":3,"
    "\"worker\":\"processor.1\",\"incarnation\":\"0000000000000001\",\"event_seq\":1,"
    "\"ts\":\"1970-01-01T00:00:00.000000Z\"}";

static void
assert_encodes (const mr_event_t *event, const char *expected)
{
    mr_buffer_t out;
    mr_buffer_init (&out, MR_EVENT_MAX_BYTES);
    ck_assert_int_eq (mr_event_encode (event, &out), MR_OK);
    ck_assert_int_eq (mr_buffer_append (&out, "", 1), MR_OK);
    ck_assert_str_eq (out.data, expected);
    mr_buffer_release (&out);
}

static mr_event_t
round_trip (const mr_event_t *event)
{
    char topic[MR_EVENT_TOPIC_BYTES];
    mr_event_topic (event, topic);
    mr_buffer_t out;
    mr_buffer_init (&out, MR_EVENT_MAX_BYTES);
    ck_assert_int_eq (mr_event_encode (event, &out), MR_OK);
    mr_event_t back;
    mr_error_t err;
    ck_assert_int_eq (mr_event_decode (topic, out.data, out.size, &back, &err), MR_OK);
    mr_buffer_release (&out);
    return back;
}

static void
assert_refused (const char *topic, const char *json, const char *why)
{
    mr_event_t event;
    mr_error_t err;
    mr_error_set (&err, "%s", "");
    ck_assert_int_eq (mr_event_decode (topic, json, strlen (json), &event, &err), MR_INVALID);
    ck_assert_msg (strstr (err.text, why) != NULL, "\"%s\" does not say \"%s\"", err.text, why);
}

/* The sample's JSON with one piece of text replaced. */
static void
assert_replaced_refused (const char *json, const char *from, const char *to, const char *why)
{
    char text[2048];
    char words[64];
    const char *at = strstr (json, from);
    snprintf (words, sizeof words, "event: bad %s", why);
    ck_assert_ptr_nonnull (at);
    snprintf (text, sizeof text, "%.*s%s%s", (int)(at - json), json, to, at + strlen (from));
    assert_refused (json == success_json ? "success.processor.handle" : "error.processor.handle",
                    text, words);
}

START_TEST (test_events_are_written_as_documented)
{
    assert_encodes (&success, success_json);
    assert_encodes (&error, error_json);
    char topic[MR_EVENT_TOPIC_BYTES];
    mr_event_topic (&success, topic);
    ck_assert_str_eq (topic, "success.processor.handle");
    mr_event_topic (&error, topic);
    ck_assert_str_eq (topic, "error.processor.handle");
}
END_TEST

START_TEST (test_events_come_back_as_they_were)
{
    mr_event_t back = round_trip (&success);
    ck_assert_int_eq (back.kind, MR_EVENT_SUCCESS);
    ck_assert_str_eq (back.domain, "processor");
    ck_assert_str_eq (back.operation, "handle");
    ck_assert_double_eq (back.duration_ms, 1.84);
    ck_assert_uint_eq (back.count, 1024);
    ck_assert_str_eq (back.worker, "processor.1");
    ck_assert_uint_eq (back.incarnation, success.incarnation);
    ck_assert_uint_eq (back.event_seq, 4711);
    ck_assert_int_eq (back.ts_ns, success.ts_ns);
    ck_assert_str_eq (back.error_type, "");

    back = round_trip (&error);
    ck_assert_int_eq (back.kind, MR_EVENT_ERROR);
    ck_assert_str_eq (back.error_type, "json_syntax");
    ck_assert_str_eq (back.message, "byte 5: no value");
    ck_assert_str_eq (back.sample, "{\"a\":}");
    ck_assert_uint_eq (back.count, 3);
}
END_TEST

START_TEST (test_the_longest_names_and_texts_travel)
{
    mr_event_t event = error;
    memset (event.domain, 'd', MR_EVENT_NAME_BYTES - 1);
    memset (event.operation, 'o', MR_EVENT_NAME_BYTES - 1);
    memset (event.worker, 'w', MR_EVENT_NAME_BYTES - 1);
    memset (event.error_type, 'e', MR_EVENT_NAME_BYTES - 1);
    memset (event.message, 'm', MR_EVENT_TEXT_BYTES - 1);
    memset (event.sample, '"', MR_EVENT_TEXT_BYTES - 1);
    mr_event_t back = round_trip (&event);
    ck_assert_str_eq (back.domain, event.domain);
    ck_assert_str_eq (back.operation, event.operation);
    ck_assert_str_eq (back.worker, event.worker);
    ck_assert_str_eq (back.error_type, event.error_type);
    ck_assert_str_eq (back.message, event.message);
    ck_assert_str_eq (back.sample, event.sample);
}
END_TEST

START_TEST (test_a_sample_that_is_not_utf8_is_replaced_and_cut_between_characters)
{
    mr_event_t event = error;
    memset (event.sample, 0xff, MR_EVENT_TEXT_BYTES - 1);
    mr_event_t back = round_trip (&event);
    ck_assert_uint_eq (strlen (back.sample), 510); /* 170 times U+FFFD */
    for (size_t i = 0; i < 510; i += 3) {
        ck_assert_int_eq (memcmp (back.sample + i, "\xef\xbf\xbd", 3), 0);
    }
}
END_TEST

START_TEST (test_topics_of_other_kinds_are_left_to_others)
{
    static const char *const topics[] = {
        "counters.processor.1", "totals.exporter.0", "state.ingest.0", "launcher.started",
        "tap.processor",        "successes.a.b",     "error",          "",
    };
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        mr_event_t event;
        ck_assert_int_eq (mr_event_decode (topics[i], "{}", 2, &event, NULL), MR_CLOSED);
    }
}
END_TEST

START_TEST (test_unknown_members_are_ignored_and_texts_may_be_missing)
{
    mr_event_t event;
    mr_error_t err;
    const char json[] = "{\"new\":[{}],\"domain\":\"ingest\",\"operation\":\"receive\","
                        "\"error_type\":\"oversize\",\"count\":0,\"worker\":\"ingest.0\","
                        "\"incarnation\":\"00000000000000ff\",\"event_seq\":1,"
                        "\"ts\":\"2025-11-23T10:21:37+02:00\"}";
    ck_assert_int_eq (mr_event_decode ("error.ingest.receive", json, sizeof json - 1, &event, &err),
                      MR_OK);
    ck_assert_str_eq (event.message, "");
    ck_assert_str_eq (event.sample, "");
    ck_assert_int_eq (event.ts_ns, INT64_C (1763886097000000000));
}
END_TEST

START_TEST (test_json_need_not_be_terminated_and_any_cut_is_refused)
{
    for (size_t length = 0; length < sizeof success_json - 1; length++) {
        char *cut = malloc (length > 0 ? length : 1);
        ck_assert_ptr_nonnull (cut);
        memcpy (cut, success_json, length);
        mr_event_t event;
        mr_error_t err;
        ck_assert_int_eq (mr_event_decode ("success.processor.handle", cut, length, &event, &err),
                          MR_INVALID);
        free (cut);
    }
}
END_TEST

START_TEST (test_what_is_not_one_json_object_is_refused)
{
    const char *topic = "success.processor.handle";
    assert_refused (topic, "", "event: bad JSON at byte 0: ");
    assert_refused (topic, "[]", "not an object");
    assert_refused (topic, "7", "JSON");
    assert_refused (topic, "{\"a\":1,\"a\":2}", "JSON");
    assert_refused (topic, "{} {}", "event: bad JSON at byte 4: ");
    assert_refused (topic, "{\"domain\":\"\xff\"}", "JSON");
    assert_refused (topic, "{\"domain\":\"a\\u0000b\"}", "domain");
    assert_refused (topic, "{}", "event: bad domain");
}
END_TEST

START_TEST (test_each_bad_member_is_named)
{
    const char *json = success_json;
    assert_replaced_refused (json, "\"processor\"", "\"\"", "domain");
    assert_replaced_refused (json, "\"processor\"", "7", "domain");
    assert_replaced_refused (json, "\"processor\"", "\"pro cessor\"", "domain");
    assert_replaced_refused (json, "\"handle\"", "\"han\\ndle\"", "operation");
    assert_replaced_refused (json, "1.84", "-0.1", "duration");
    assert_replaced_refused (json, "1.84", "\"1.84\"", "duration");
    assert_replaced_refused (json, "1.84", "null", "duration");
    assert_replaced_refused (json, "1.84", "1e400", "JSON");
    assert_replaced_refused (json, "1024", "-1", "count");
    assert_replaced_refused (json, "1024", "1.5", "count");
    assert_replaced_refused (json, "1024", "99999999999999999999", "JSON");
    assert_replaced_refused (json, "\"processor.1\"", "\"processor/1\"", "worker");
    assert_replaced_refused (json, "9f3a000000000001", "9F3A000000000001", "incarnation");
    assert_replaced_refused (json, "9f3a000000000001", "9f3a", "incarnation");
    assert_replaced_refused (json, "\"9f3a000000000001\"", "1", "incarnation");
    assert_replaced_refused (json, "4711", "0", "event_seq");
    assert_replaced_refused (json, "4711", "-1", "event_seq");
    assert_replaced_refused (json, "2025-11-23", "2025-13-23", "ts");
    assert_replaced_refused (json, "\"2025-11-23T08:21:37.123456Z\"", "0", "ts");
    assert_replaced_refused (error_json, "\"json_syntax\"", "\"\"", "error_type");
    assert_replaced_refused (error_json, "\"byte 5: no value\"", "{}", "message");
    assert_replaced_refused (error_json, "\"{\\\"a\\\":}\"", "[]", "sample");
}
END_TEST

START_TEST (test_a_name_that_is_too_long_is_refused)
{
    char longer[MR_EVENT_NAME_BYTES + 3] = "\"";
    memset (longer + 1, 'x', MR_EVENT_NAME_BYTES);
    longer[MR_EVENT_NAME_BYTES + 1] = '"';
    assert_replaced_refused (success_json, "\"processor\"", longer, "domain");
}
END_TEST

START_TEST (test_the_topic_must_be_that_of_the_json)
{
    assert_refused ("success.processor.other", success_json, "topic");
    assert_refused ("success.metrics.handle", success_json, "topic");
    assert_refused ("success.", success_json, "topic");
    assert_refused ("error.processor.handle", success_json, "error_type");
    assert_refused ("success.processor.handle", error_json, "duration");
}
END_TEST

START_TEST (test_an_oversize_event_is_refused_before_it_is_parsed)
{
    size_t bytes = (size_t)MR_EVENT_MAX_BYTES + 1;
    char *spaces = malloc (bytes);
    ck_assert_ptr_nonnull (spaces);
    memset (spaces, ' ', bytes);
    mr_event_t event;
    mr_error_t err;
    ck_assert_int_eq (mr_event_decode ("success.a.b", spaces, bytes, &event, &err), MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, "size"));
    free (spaces);
}
END_TEST

START_TEST (test_a_buffer_without_room_is_left_as_it_was)
{
    for (size_t limit = 1; limit < sizeof error_json - 1; limit++) {
        mr_buffer_t out;
        mr_buffer_init (&out, limit);
        ck_assert_int_eq (mr_event_encode (&error, &out), MR_INVALID);
        ck_assert_uint_eq (out.size, 0);
        mr_buffer_release (&out);
    }
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_events_are_written_as_documented,
        test_events_come_back_as_they_were,
        test_the_longest_names_and_texts_travel,
        test_a_sample_that_is_not_utf8_is_replaced_and_cut_between_characters,
        test_topics_of_other_kinds_are_left_to_others,
        test_unknown_members_are_ignored_and_texts_may_be_missing,
        test_json_need_not_be_terminated_and_any_cut_is_refused,
        test_what_is_not_one_json_object_is_refused,
        test_each_bad_member_is_named,
        test_a_name_that_is_too_long_is_refused,
        test_the_topic_must_be_that_of_the_json,
        test_an_oversize_event_is_refused_before_it_is_parsed,
        test_a_buffer_without_room_is_left_as_it_was,
        NULL,
    };
    return mr_suite_run ("event", tests);
}
