#include "launcher/deadfile.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static mr_error_t err;
static char data_dir[PATH_MAX / 2];

static void
put (const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/dead", data_dir);
    (void)mkdir (path, 0700);
    snprintf (path, sizeof path, "%s/dead/%s", data_dir, name);
    FILE *file = fopen (path, "w");
    ck_assert_ptr_nonnull (file);
    ck_assert_int_ge (fputs (text, file), 0);
    ck_assert_int_eq (fclose (file), 0);
}

static void
begin (void)
{
    snprintf (data_dir, sizeof data_dir, "%s", mr_test_dir ());
}

static mr_deadfile_t *
open_file (void)
{
    mr_deadfile_t *file = NULL;
    ck_assert_msg (mr_deadfile_open (data_dir, &file, &err) == MR_OK, "%s", err.text);
    return file;
}

/* The ids that are there: "a b ". */
static void
assert_ids (const char *expected)
{
    char text[256] = "";
    mr_deadfile_t *file = open_file ();
    for (size_t i = 0; mr_deadfile_row (file, i) != NULL; i++) {
        ck_assert_uint_eq (mr_deadfile_find (file, mr_deadfile_id (file, i)), i);
        strcat (strcat (text, mr_deadfile_id (file, i)), " ");
    }
    ck_assert_str_eq (text, expected);
    mr_deadfile_close (&file);
}

START_TEST (test_without_a_directory_there_are_no_letters)
{
    begin ();
    assert_ids ("");
    mr_deadfile_t *file = open_file ();
    ck_assert_ptr_null (mr_deadfile_id (file, 0));
    ck_assert_uint_eq (mr_deadfile_find (file, "a"), (size_t)-1);
    ck_assert_int_eq (mr_deadfile_handled (file, "a", "removed", &err), MR_SYSTEM);
    ck_assert_ptr_nonnull (strstr (err.text, "/dead/handled: No such file or directory"));
    mr_deadfile_close (&file);
}
END_TEST

START_TEST (test_letters_come_in_the_order_of_files_and_lines)
{
    begin ();
    put ("exporter.1.jsonl", "{\"id\":\"c\"}\n");
    put ("exporter.0.jsonl", "{\"id\":\"b\",\"record\":\"x\\u0000y\"}\n{\"id\":\"a\"}\n");
    put ("exporter.0.jsonl.torn", "{\"id\":\"no\"}\n");
    put (".jsonl", "{\"id\":\"no\"}\n");
    assert_ids ("b a c ");
}
END_TEST

START_TEST (test_what_is_no_letter_is_passed_over)
{
    begin ();
    put ("exporter.0.jsonl", "\n{}\nnonsense\n[1]\n{\"id\":7}\n{\"id\":\"a\",\"id\":\"b\"}\n"
                             "{\"id\":\"good\"}\n{\"id\":\"unfinished\"}");
    assert_ids ("good ");
}
END_TEST

START_TEST (test_what_was_dealt_with_is_not_there_the_next_time)
{
    begin ();
    put ("exporter.0.jsonl", "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n");
    mr_deadfile_t *file = open_file ();
    ck_assert_int_eq (mr_deadfile_handled (file, "b", "replayed", &err), MR_OK);
    ck_assert_str_eq (mr_deadfile_id (file, 1), "b"); /* until it is opened again */
    ck_assert_str_eq (mr_deadfile_fate (file, "b"), "replayed");
    mr_deadfile_close (&file);
    assert_ids ("a c ");
    file = open_file ();
    ck_assert_str_eq (mr_deadfile_fate (file, "b"), "replayed");
    ck_assert_ptr_null (mr_deadfile_fate (file, "a"));
    ck_assert_int_eq (mr_deadfile_handled (file, "a", "removed", &err), MR_OK);
    ck_assert_int_eq (mr_deadfile_handled (file, "c", "removed", &err), MR_OK);
    mr_deadfile_close (&file);
    assert_ids ("");
}
END_TEST

START_TEST (test_a_note_behind_one_that_was_torn_counts)
{
    begin ();
    put ("exporter.0.jsonl", "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n");
    put ("handled", "a removed\nb rem"); /* the disk was full */
    assert_ids ("b c ");
    mr_deadfile_t *file = open_file ();
    ck_assert_int_eq (mr_deadfile_handled (file, "c", "replayed", &err), MR_OK);
    mr_deadfile_close (&file);
    file = open_file ();
    ck_assert_uint_eq (mr_deadfile_find (file, "c"), (size_t)-1);
    mr_deadfile_close (&file);
}
END_TEST

START_TEST (test_an_id_that_is_too_long_to_note_is_refused)
{
    char id[400];
    begin ();
    put ("exporter.0.jsonl", "");
    memset (id, 'a', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    mr_deadfile_t *file = open_file ();
    ck_assert_int_ne (mr_deadfile_handled (file, id, "removed", &err), MR_OK);
    ck_assert_ptr_null (strstr (err.text, "Success"));
    mr_deadfile_close (&file);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_without_a_directory_there_are_no_letters,
        test_letters_come_in_the_order_of_files_and_lines,
        test_what_is_no_letter_is_passed_over,
        test_what_was_dealt_with_is_not_there_the_next_time,
        test_a_note_behind_one_that_was_torn_counts,
        test_an_id_that_is_too_long_to_note_is_refused,
        NULL,
    };
    return mr_suite_run ("deadfile", tests);
}
