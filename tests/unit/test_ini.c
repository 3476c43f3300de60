#include "common/runtime/ini.h"
#include "tests/support/heard.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

/* What the handler is told, a line each: "1 [kind|name]", "2 key=value", "3 ! fault". */
static void
hear_section (void *arg, const char *kind, const char *name, int line)
{
    mr_heard (arg, "%d [%s|%s]\n", line, kind, name);
}

static void
hear_value (void *arg, const char *key, const char *value, int line)
{
    mr_heard (arg, "%d %s=%s\n", line, key, value);
}

static void
hear_fault (void *arg, int line, const char *text)
{
    mr_heard (arg, "%d ! %s\n", line, text);
}

static void
hear_broken (void *arg, const char *key, int line, const char *what)
{
    mr_heard (arg, "%d %s is broken%s%s\n", line, key, what != NULL ? ": " : "",
              what != NULL ? what : "");
}

static const char *
hear (const char *text, size_t bytes)
{
    static mr_heard_t heard;
    heard.text[0] = '\0';
    const mr_ini_handler_t handler = {hear_section, hear_value, hear_fault, hear_broken, &heard};
    mr_ini_read (text, bytes, &handler);
    return heard.text;
}

#define HEARS(text, expected) ck_assert_str_eq (hear (text, sizeof (text) - 1), expected)

START_TEST (test_sections_and_values_come_with_their_lines)
{
    HEARS ("# comment\n\n[ingest]\nworkers = 2\n; comment\n[sink  events ]\ntype=file\n",
           "3 [ingest|]\n4 workers=2\n6 [sink|events]\n7 type=file\n");
}
END_TEST

START_TEST (test_an_empty_section_is_heard)
{
    HEARS ("[a]\n[b]", "1 [a|]\n2 [b|]\n");
}
END_TEST

START_TEST (test_the_last_line_needs_no_newline_and_an_empty_file_is_nothing)
{
    HEARS ("[a]\nk = v", "1 [a|]\n2 k=v\n");
    HEARS ("", "");
    HEARS ("\n", "");
}
END_TEST

START_TEST (test_a_comment_behind_a_value_is_cut_but_not_inside_quotes)
{
    HEARS ("[a]\nk = v ; no\nl = v;w\nm = \"x ; y\" ; no\nn = a == \"q\\\" ; r\" ; no\no =;x\n"
           "p = ; no\n",
           "1 [a|]\n2 k=v\n3 l=v;w\n4 m=\"x ; y\"\n5 n=a == \"q\\\" ; r\"\n6 o=;x\n7 p=\n");
    HEARS ("[a] ; comment\n", "1 [a|]\n");
}
END_TEST

START_TEST (test_all_after_the_first_equals_sign_is_the_value)
{
    HEARS ("[a]\nset = env = \"prod\"\nk: v = w\n",
           "1 [a|]\n2 set=env = \"prod\"\n"
           "3 ! \"k: v\" is not a key; letters, digits, _ - and . are allowed\n");
}
END_TEST

START_TEST (test_deeper_indented_lines_go_on_with_the_value)
{
    HEARS ("[a]\nk = one\n    two ; comment\n  ; comment\n\tthree\nl = x\n",
           "1 [a|]\n2 k=one two three\n6 l=x\n");
    HEARS ("[a]\nk =\n  one\n\n  l = x\n", "1 [a|]\n2 k=one\n5 l=x\n");
    HEARS ("[a]\nk = \"one ;\n  two\" ; comment\n", "1 [a|]\n2 k=\"one ; two\"\n");
}
END_TEST

START_TEST (test_keys_indented_alike_are_keys)
{
    HEARS ("[a]\n  k = v\n  l = w\n    x\n m = y\n", "1 [a|]\n2 k=v\n3 l=w x\n5 m=y\n");
}
END_TEST

START_TEST (test_a_byte_order_mark_and_crlf_are_accepted)
{
    HEARS ("\xef\xbb\xbf[a]\r\nk = v\r\n  w\r\n\r\nl = x", "1 [a|]\n2 k=v w\n5 l=x\n");
}
END_TEST

START_TEST (test_lines_far_over_what_inih_can_hold_are_whole)
{
    char text[2 * MR_INI_VALUE_MAX_BYTES];
    char expected[2 * MR_INI_VALUE_MAX_BYTES];
    memset (text, 'x', sizeof text);
    memcpy (text, "[a]\nk = ", 8);
    size_t end = 8 + MR_INI_VALUE_MAX_BYTES;
    memcpy (text + end, "\nl = y\n", 7);
    snprintf (expected, sizeof expected, "1 [a|]\n2 k=%.*s\n3 l=y\n", MR_INI_VALUE_MAX_BYTES,
              text + 8);
    ck_assert_str_eq (hear (text, end + 7), expected);
}
END_TEST

START_TEST (test_a_value_over_the_limit_is_a_fault_on_the_line_of_its_key)
{
    char text[2 * MR_INI_VALUE_MAX_BYTES];
    memset (text, 'x', sizeof text);
    memcpy (text, "[a]\nk = x\n  ", 12);
    memcpy (text + sizeof text - 5, "\nl=y\n", 5);
    ck_assert_str_eq (
        hear (text, sizeof text),
        "1 [a|]\n2 k is broken: the value is too long; 8192 bytes are the limit\n4 l=y\n");
}
END_TEST

START_TEST (test_names_over_49_bytes_are_whole_and_over_64_refused)
{
#define NAME_64 "a123456789b123456789c123456789d123456789e123456789f1234567891234"
    HEARS ("[" NAME_64 " " NAME_64 "]\n" NAME_64 " = v\n",
           "1 [" NAME_64 "|" NAME_64 "]\n2 " NAME_64 "=v\n");
    HEARS ("[a]\nx" NAME_64 " = v\n",
           "1 [a|]\n"
           "2 ! the key \"xa123456789b123456789c123456789d12345678...\" is longer than 64 bytes\n");
    HEARS ("[x" NAME_64 "]\n",
           "1 ! the section \"xa123456789b123456789c123456789d12345678...\" is longer than 64 "
           "bytes\n");
    HEARS ("[a x" NAME_64 "]\n",
           "1 ! the section name \"xa123456789b123456789c123456789d12345678...\" is longer than "
           "64 bytes\n");
}
END_TEST

START_TEST (test_what_is_no_line_of_an_ini_file_is_a_fault_and_reading_goes_on)
{
    HEARS ("k = v\n[a]\nnonsense\n= v\n[b\nx = 1\n[]\n[c] d\n[e f g]\n[h]\ny = 2\n",
           "1 ! k stands before the first [section]\n"
           "2 [a|]\n"
           "3 ! \"nonsense\" is neither [section] nor key = value\n"
           "4 ! \"\" is not a key; letters, digits, _ - and . are allowed\n"
           "5 ! a section is written [NAME] or [KIND NAME], alone on its line\n"
           "7 ! \"\" is not a section; letters, digits, _ - and . are allowed\n"
           "8 ! a section is written [NAME] or [KIND NAME], alone on its line\n"
           "9 ! \"f g\" is not a section name; letters, digits, _ - and . are allowed\n"
           "10 [h|]\n"
           "11 y=2\n");
}
END_TEST

START_TEST (test_bytes_that_are_no_text_are_faults)
{
    HEARS ("[a]\nk = \x01\n  v\nl = w\n",
           "1 [a|]\n2 ! a control character (0x01)\n2 k is broken\n4 l=w\n");
    HEARS ("[a]\nk = x\n  \x7f\nl = \xff\n",
           "1 [a|]\n3 ! a control character (0x7f)\n2 k is broken\n4 ! not UTF-8: byte 0xff\n"
           "4 l is broken\n");
    HEARS ("[a]\nk = caf\xc3\xa9\n", "1 [a|]\n2 k=caf\xc3\xa9\n");
    HEARS ("[a]\nk = \0v\nl = w\n",
           "1 [a|]\n2 ! a NUL byte; this is not a text file\n2 k is broken\n");
}
END_TEST

typedef struct tally {
    int sections;
    int values;
    char fault[128];
} tally_t;

static void
count_section (void *arg, const char *kind, const char *name, int line)
{
    tally_t *tally = arg;
    (void)kind;
    (void)name;
    (void)line;
    tally->sections++;
}

static void
count_value (void *arg, const char *key, const char *value, int line)
{
    tally_t *tally = arg;
    (void)key;
    (void)value;
    (void)line;
    tally->values++;
}

static void
keep_fault (void *arg, int line, const char *text)
{
    tally_t *tally = arg;
    snprintf (tally->fault, sizeof tally->fault, "%d %s", line, text);
}

static void
ignore_broken (void *arg, const char *key, int line, const char *what)
{
    (void)arg;
    (void)what;
    (void)key;
    (void)line;
}

START_TEST (test_sections_and_values_without_end_are_refused)
{
    enum { LINES = MR_INI_VALUES_MAX + 10 };
    static char text[LINES * 4];
    for (size_t i = 0; i < LINES; i++) {
        memcpy (text + i * 4, i == 0 ? "[a]\n" : "k=v\n", 4);
    }
    tally_t tally = {0};
    const mr_ini_handler_t handler = {count_section, count_value, keep_fault, ignore_broken,
                                      &tally};
    mr_ini_read (text, sizeof text, &handler);
    ck_assert_int_eq (tally.values, MR_INI_VALUES_MAX);
    ck_assert_str_eq (tally.fault, "10002 more than 10000 values");
    for (size_t i = 0; i < LINES; i++) {
        memcpy (text + i * 4, "[a]\n", 4);
    }
    tally.sections = 0;
    mr_ini_read (text, sizeof text, &handler);
    ck_assert_int_eq (tally.sections, MR_INI_SECTIONS_MAX);
    ck_assert_str_eq (tally.fault, "1001 more than 1000 sections");
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_sections_and_values_come_with_their_lines,
        test_an_empty_section_is_heard,
        test_the_last_line_needs_no_newline_and_an_empty_file_is_nothing,
        test_a_comment_behind_a_value_is_cut_but_not_inside_quotes,
        test_all_after_the_first_equals_sign_is_the_value,
        test_deeper_indented_lines_go_on_with_the_value,
        test_keys_indented_alike_are_keys,
        test_a_byte_order_mark_and_crlf_are_accepted,
        test_lines_far_over_what_inih_can_hold_are_whole,
        test_a_value_over_the_limit_is_a_fault_on_the_line_of_its_key,
        test_names_over_49_bytes_are_whole_and_over_64_refused,
        test_what_is_no_line_of_an_ini_file_is_a_fault_and_reading_goes_on,
        test_bytes_that_are_no_text_are_faults,
        test_sections_and_values_without_end_are_refused,
        NULL,
    };
    return mr_suite_run ("ini", tests);
}
