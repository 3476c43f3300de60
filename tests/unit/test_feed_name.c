#include "launcher/feed_name.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static mr_error_t err;

/* A file with this text, open. */
static mr_lines_t *
open_file (const char *text, bool follow)
{
    mr_lines_t *lines = NULL;
    const char *path = mr_test_ini (text, strlen (text));
    ck_assert_msg (mr_lines_open (path, follow, &lines, &err) == MR_OK, "%s", err.text);
    return lines;
}

static void
take (mr_feed_name_t *name, mr_lines_t *lines, const char *producer)
{
    ck_assert_msg (mr_feed_name_take (name, lines, producer, &err) == MR_OK, "%s", err.text);
}

START_TEST (test_a_file_that_ingest_does_not_know_keeps_its_own_name)
{
    mr_feed_name_t name = {0};
    char own[MR_LINES_NAME_BYTES];
    uint64_t last = 0;
    mr_lines_t *lines = open_file ("one\n", false);
    take (&name, lines, NULL);
    ck_assert_int_eq (mr_lines_name (lines, own), MR_OK);
    ck_assert_str_eq (name.text, own);
    ck_assert (!mr_feed_name_ask_on (&name, &last));
    ck_assert_uint_eq (last, 0);
    ck_assert_str_eq (name.text, own);
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_the_newest_generation_that_ingest_knows_goes_on)
{
    mr_feed_name_t name = {0};
    char own[MR_LINES_NAME_BYTES];
    char third[MR_LINES_NAME_BYTES + 8];
    static const uint64_t known[] = {9, 5, 7, 0}; /* last numbers of generations 0, 1, 2, 3 */
    mr_lines_t *lines = open_file ("one\n", false);
    take (&name, lines, NULL);
    snprintf (own, sizeof own, "%s", name.text);
    uint64_t last;
    for (int asked = 0; asked < 3; asked++) {
        last = known[asked];
        ck_assert (mr_feed_name_ask_on (&name, &last));
    }
    snprintf (third, sizeof third, "%s.3", own);
    ck_assert_str_eq (name.text, third);
    last = known[3];
    ck_assert (!mr_feed_name_ask_on (&name, &last));
    ck_assert_uint_eq (last, 7);
    snprintf (third, sizeof third, "%s.2", own);
    ck_assert_str_eq (name.text, third);
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_a_file_that_begins_anew_with_the_same_line_is_another_generation)
{
    mr_feed_name_t name = {0};
    char second[MR_LINES_NAME_BYTES + 8];
    mr_lines_t *lines = open_file ("one\n", true);
    take (&name, lines, NULL);
    snprintf (second, sizeof second, "%s.1", name.text);
    take (&name, lines, NULL);
    ck_assert_str_eq (name.text, second);
    uint64_t last = 4; /* of an earlier run, under the same name: this one is not asked about */
    ck_assert (!mr_feed_name_ask_on (&name, &last));
    ck_assert_str_eq (name.text, second);
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_another_file_begins_with_its_own_name)
{
    mr_feed_name_t name = {0};
    char own[MR_LINES_NAME_BYTES];
    uint64_t last = 3;
    mr_lines_t *one = open_file ("one\n", false);
    mr_lines_t *two = open_file ("two\n", false);
    take (&name, one, NULL);
    ck_assert (mr_feed_name_ask_on (&name, &last));
    take (&name, two, NULL);
    ck_assert_int_eq (mr_lines_name (two, own), MR_OK);
    ck_assert_str_eq (name.text, own);
    last = 0;
    ck_assert (!mr_feed_name_ask_on (&name, &last));
    mr_lines_close (&one);
    mr_lines_close (&two);
}
END_TEST

START_TEST (test_a_name_that_was_given_numbers_all_files_together)
{
    mr_feed_name_t name = {0};
    uint64_t last = 12;
    mr_lines_t *lines = open_file ("one\n", false);
    take (&name, lines, "shop");
    ck_assert (!mr_feed_name_ask_on (&name, &last));
    ck_assert_uint_eq (last, 12);
    take (&name, lines, "shop");
    ck_assert_str_eq (name.text, "shop");
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_a_followed_file_without_a_line_has_no_name_yet)
{
    mr_feed_name_t name = {0};
    mr_lines_t *lines = open_file ("on", true);
    ck_assert_int_eq (mr_feed_name_take (&name, lines, NULL, &err), MR_AGAIN);
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_a_name_that_ids_cannot_carry_is_refused)
{
    mr_feed_name_t name = {0};
    mr_lines_t *lines = open_file ("one\n", false);
    ck_assert_int_eq (mr_feed_name_take (&name, lines, "", &err), MR_INVALID);
    ck_assert_int_eq (mr_feed_name_take (&name, lines, "a\nb", &err), MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, "a name is UTF-8 without control characters"));
    mr_lines_close (&lines);
}
END_TEST

START_TEST (test_what_ingest_has_forgotten_goes_on_under_a_new_name_each_time)
{
    mr_feed_name_t name = {0};
    mr_lines_t *lines = open_file ("one\n", false);
    take (&name, lines, "shop");
    mr_feed_name_renew (&name);
    ck_assert_str_eq (name.text, "shop~1");
    mr_feed_name_renew (&name);
    ck_assert_str_eq (name.text, "shop~2");
    mr_lines_close (&lines);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_file_that_ingest_does_not_know_keeps_its_own_name,
        test_the_newest_generation_that_ingest_knows_goes_on,
        test_a_file_that_begins_anew_with_the_same_line_is_another_generation,
        test_another_file_begins_with_its_own_name,
        test_a_name_that_was_given_numbers_all_files_together,
        test_a_followed_file_without_a_line_has_no_name_yet,
        test_a_name_that_ids_cannot_carry_is_refused,
        test_what_ingest_has_forgotten_goes_on_under_a_new_name_each_time,
        NULL,
    };
    return mr_suite_run ("feed_name", tests);
}
