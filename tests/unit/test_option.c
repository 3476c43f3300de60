#include "common/base/endpoint.h"
#include "common/base/option.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

typedef struct sample {
    const char *text;
    int64_t number;
    const char *message; /* NULL: accepted */
} sample_t;

static void
try_one (const mr_option_t *option, const sample_t *sample)
{
    mr_option_value_t value = {.number = -99};
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_option_parse (option, sample->text, &value, &err);
    if (sample->message == NULL) {
        ck_assert_msg (status == MR_OK, "%s: %s", sample->text, err.text);
        ck_assert_msg (value.number == sample->number, "%s: %lld", sample->text,
                       (long long)value.number);
        ck_assert_ptr_eq (value.text, sample->text);
    } else {
        ck_assert_msg (status == MR_CONFIG, "accepted: %s", sample->text);
        ck_assert_str_eq (err.text, sample->message);
        ck_assert_int_eq (value.number, -99);
    }
}

#define TRY(option, ...)                                                  \
    do {                                                                  \
        const sample_t samples[] = {__VA_ARGS__};                         \
        for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) { \
            try_one (&(option), &samples[i]);                             \
        }                                                                 \
    } while (0)

START_TEST (test_yes_and_no_have_six_spellings)
{
    const mr_option_t option = {.key = "k", .type = MR_OPTION_BOOL};
    TRY (option, {"yes", 1, NULL}, {"no", 0, NULL}, {"true", 1, NULL}, {"FALSE", 0, NULL},
         {"On", 1, NULL}, {"off", 0, NULL}, {"1", 0, "\"1\" is neither yes nor no"},
         {"", 0, "no value"});
}
END_TEST

START_TEST (test_a_number_is_whole_and_in_range)
{
    const mr_option_t option = {.key = "k", .type = MR_OPTION_INT, .min = 1, .max = 256};
    TRY (option, {"1", 1, NULL}, {"256", 256, NULL}, {"007", 7, NULL},
         {"0", 0, "0 is not in 1 .. 256"}, {"257", 0, "257 is not in 1 .. 256"},
         {"-1", 0, "-1 is not in 1 .. 256"}, {"2.5", 0, "\"2.5\" is not a whole number"},
         {"two", 0, "\"two\" is not a whole number"}, {"-", 0, "\"-\" is not a whole number"},
         {"9223372036854775808", 0, "\"9223372036854775808\" is not a whole number"});
    const mr_option_t free = {.key = "k", .type = MR_OPTION_INT};
    TRY (free, {"-5", -5, NULL}, {"9223372036854775807", INT64_MAX, NULL});
}
END_TEST

START_TEST (test_a_size_has_binary_units)
{
    const mr_option_t option = {.key = "k", .type = MR_OPTION_SIZE, .min = 64, .max = 32 << 20};
    TRY (option, {"4096", 4096, NULL}, {"64B", 64, NULL}, {"1KiB", 1024, NULL},
         {"2 mib", 2 << 20, NULL}, {"32MiB", 32 << 20, NULL},
         {"33MiB", 0, "33MiB is not in 64 .. 32MiB"}, {"1TiB", 0, "1TiB is not in 64 .. 32MiB"},
         {"64KB", 0, "\"64KB\" is not a size; write bytes or 64KiB, 8MiB, 2GiB"},
         {"-1", 0, "\"-1\" is not a size; write bytes or 64KiB, 8MiB, 2GiB"},
         {"9999999999TiB", 0, "\"9999999999TiB\" is not a size; write bytes or 64KiB, 8MiB, 2GiB"});
}
END_TEST

START_TEST (test_a_duration_is_milliseconds_and_plain_numbers_are_seconds)
{
    const mr_option_t option = {.key = "k", .type = MR_OPTION_DURATION, .min = 100, .max = 3600000};
    TRY (option, {"250ms", 250, NULL}, {"10s", 10000, NULL}, {"10", 10000, NULL},
         {"5m", 300000, NULL}, {"1h", 3600000, NULL}, {"99ms", 0, "99ms is not in 100ms .. 1h"},
         {"7d", 0, "7d is not in 100ms .. 1h"},
         {"1.5s", 0, "\"1.5s\" is not a duration; write 250ms, 10s, 5m, 1h or 7d"},
         {"s", 0, "\"s\" is not a duration; write 250ms, 10s, 5m, 1h or 7d"});
}
END_TEST

START_TEST (test_a_file_mode_is_octal)
{
    const mr_option_t option = {.key = "k", .type = MR_OPTION_MODE};
    TRY (option, {"0600", 0600, NULL}, {"660", 0660, NULL}, {"0777", 0777, NULL},
         {"0800", 0, "\"0800\" is not a file mode; write three octal digits, 0600 or 0660"},
         {"1777", 0, "\"1777\" is not a file mode; write three octal digits, 0600 or 0660"},
         {"6", 0, "\"6\" is not a file mode; write three octal digits, 0600 or 0660"},
         {"00600", 0, "\"00600\" is not a file mode; write three octal digits, 0600 or 0660"});
}
END_TEST

START_TEST (test_a_choice_names_the_nearest_word_and_all_others)
{
    const mr_option_t option = {
        .key = "k", .type = MR_OPTION_CHOICE, .choices = "json|combined|common|raw"};
    TRY (option, {"json", 0, NULL}, {"raw", 3, NULL},
         {"jsn", 0, "unknown word \"jsn\"; nearest: json; one of: json|combined|common|raw"},
         {"xml", 0, "unknown word \"xml\"; one of: json|combined|common|raw"},
         {"json|combined", 0, "unknown word \"json|combined\"; one of: json|combined|common|raw"});
}
END_TEST

START_TEST (test_an_endpoint_is_ipc_or_tcp)
{
    const mr_option_t option = {.key = "k", .type = MR_OPTION_ENDPOINT};
    TRY (option, {"ipc://run/in", 0, NULL}, {"tcp://127.0.0.1:5550", 0, NULL},
         {"tcp://*:5550", 0, NULL}, {"tcp://[::1]:55{slot}", 0, NULL},
         {"ipc://", 0, "no path after ipc://"},
         {"ipc://@in", 0, "\"ipc://@in\" is not a path in the file system; write ipc://PATH"},
         {"ipc://run/", 0, "\"ipc://run/\" ends in a slash; write the name of the socket file"},
         {"tcp://localhost", 0, "\"localhost\" has no port; write HOST:PORT"},
         {"tcp://a b:1", 0, "\"a b\" is not a host; write HOST:PORT or [V6]:PORT"},
         {"tcp://h:70000", 0, "\"70000\" is not a port (0 .. 65535)"},
         {"udp://h:1", 0, "\"udp://h:1\" is not an endpoint; write ipc://PATH or tcp://HOST:PORT"},
         {"run/in", 0, "\"run/in\" is not an endpoint; write ipc://PATH or tcp://HOST:PORT"});
}
END_TEST

START_TEST (test_an_endpoint_of_endless_length_is_refused)
{
    const mr_option_t option = {.key = "k", .type = MR_OPTION_ENDPOINT};
    char text[MR_ENDPOINT_BYTES + 10];
    memset (text, 'x', sizeof text);
    memcpy (text, "ipc://", 6);
    text[sizeof text - 1] = '\0';
    mr_option_value_t value;
    mr_error_t err;
    ck_assert_int_eq (mr_option_parse (&option, text, &value, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "is too long for an endpoint (limit 511 bytes)"));
}
END_TEST

START_TEST (test_host_and_port_may_be_a_word_where_the_row_says_so)
{
    const mr_option_t option = {
        .key = "k", .type = MR_OPTION_HOSTPORT, .min = 1, .max = 65535, .choices = "off"};
    TRY (option, {"127.0.0.1:8090", 8090, NULL}, {"[::1]:8090", 8090, NULL},
         {"example.org:1", 1, NULL}, {"off", -1, NULL},
         {"on", 0, "\"on\" has no port; write HOST:PORT, or off"},
         {"h:0", 0, "h:0 is not in 1 .. 65535"},
         {"h:", 0, "\"\" is not a port (0 .. 65535), or off"},
         {":80", 0, "\"\" is not a host; write HOST:PORT or [V6]:PORT, or off"},
         {"::1:80", 0, "\"::1\" is not a host; write HOST:PORT or [V6]:PORT, or off"});
}
END_TEST

START_TEST (test_a_list_has_no_empty_words)
{
    const mr_option_t option = {.key = "k", .type = MR_OPTION_LIST};
    TRY (option, {"a", 0, NULL}, {"a, b ,c", 0, NULL},
         {"a,,b", 0, "an empty word in the list \"a,,b\""},
         {"a,", 0, "an empty word in the list \"a,\""},
         {", a", 0, "an empty word in the list \", a\""});
}
END_TEST

START_TEST (test_text_has_a_length)
{
    const mr_option_t option = {.key = "k", .type = MR_OPTION_STRING, .min = 1, .max = 4};
    TRY (option, {"abcd", 0, NULL}, {"", 0, "0 bytes long; 1 .. 4 are allowed"},
         {"abcde", 0, "5 bytes long; 1 .. 4 are allowed"});
    const mr_option_t expr = {.key = "k", .type = MR_OPTION_EXPR};
    TRY (expr, {"env = \"prod\"", 0, NULL}, {"", 0, "no value"});
}
END_TEST

START_TEST (test_one_pair_of_quotes_is_taken_off)
{
    static const char *const pairs[][2] = {
        {"\"a b\"", "a b"},
        {"\"\"", ""},
        {"\"a\\\"b\\\\c\\n\"", "a\"b\\c\\n"},
        {"\"a\" or \"b\"", "\"a\" or \"b\""},
        {"\"a\\\"", "\"a\\\""},
        {"\"", "\""},
        {"a\"b\"", "a\"b\""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char text[64];
        snprintf (text, sizeof text, "%s", pairs[i][0]);
        mr_option_unquote (text);
        ck_assert_str_eq (text, pairs[i][1]);
    }
}
END_TEST

START_TEST (test_the_nearest_word_is_found_unless_a_third_differs)
{
    static const char *const words[] = {"window", "workers", "tcp", "pull", NULL};
    static const char *const pairs[][2] = {
        {"windwo", "window"}, {"worker", "workers"}, {"tpc", "tcp"}, {"tc", NULL},
        {"push", NULL},       {"wnidwo", "window"},  {"", NULL},     {"window", "window"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        ck_assert_pstr_eq (mr_option_nearest (pairs[i][0], words), pairs[i][1]);
    }
    char longest[100];
    memset (longest, 'w', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    ck_assert_ptr_null (mr_option_nearest (longest, words));
}
END_TEST

START_TEST (test_numbers_are_written_as_a_user_would)
{
    static const struct {
        mr_option_type_t type;
        int64_t number;
        const char *text;
    } rows[] = {
        {MR_OPTION_INT, 12, "12"},        {MR_OPTION_SIZE, 262144, "256KiB"},
        {MR_OPTION_SIZE, 1000, "1000"},   {MR_OPTION_SIZE, 0, "0"},
        {MR_OPTION_DURATION, 5000, "5s"}, {MR_OPTION_DURATION, 1500, "1500ms"},
        {MR_OPTION_DURATION, 0, "0s"},    {MR_OPTION_DURATION, 86400000, "1d"},
        {MR_OPTION_MODE, 0600, "0600"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const mr_option_t option = {.key = "k", .type = rows[i].type};
        char text[32];
        mr_option_format (&option, rows[i].number, text, sizeof text);
        ck_assert_str_eq (text, rows[i].text);
    }
}
END_TEST

START_TEST (test_slot_in_an_endpoint_is_replaced_each_time)
{
    char text[32];
    mr_error_t err;
    ck_assert_int_eq (mr_endpoint_for_slot ("ipc://in.{slot}/{slot}", 12, text, sizeof text, &err),
                      MR_OK);
    ck_assert_str_eq (text, "ipc://in.12/12");
    ck_assert (mr_endpoint_has_slot ("tcp://h:555{slot}"));
    ck_assert (!mr_endpoint_has_slot ("tcp://h:555{slo}"));
    ck_assert_int_eq (mr_endpoint_for_slot ("ipc://abc", 0, text, 9, &err), MR_CONFIG);
    ck_assert_str_eq (text, "");
    ck_assert_int_eq (mr_endpoint_for_slot ("ipc://abc", 0, text, 10, &err), MR_OK);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_yes_and_no_have_six_spellings,
        test_a_number_is_whole_and_in_range,
        test_a_size_has_binary_units,
        test_a_duration_is_milliseconds_and_plain_numbers_are_seconds,
        test_a_file_mode_is_octal,
        test_a_choice_names_the_nearest_word_and_all_others,
        test_an_endpoint_is_ipc_or_tcp,
        test_an_endpoint_of_endless_length_is_refused,
        test_host_and_port_may_be_a_word_where_the_row_says_so,
        test_a_list_has_no_empty_words,
        test_text_has_a_length,
        test_one_pair_of_quotes_is_taken_off,
        test_the_nearest_word_is_found_unless_a_third_differs,
        test_numbers_are_written_as_a_user_would,
        test_slot_in_an_endpoint_is_replaced_each_time,
        NULL,
    };
    return mr_suite_run ("option", tests);
}
