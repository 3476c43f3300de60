#include "common/wire/errortype.h"
#include "tests/support/suite.h"

#include <string.h>

/* The first row of this name. */
static const mr_errortype_t *
find (const char *name)
{
    const mr_errortype_t *row = mr_errortypes ();
    while (row->name != NULL && strcmp (row->name, name) != 0) {
        row++;
    }
    return row;
}

START_TEST (test_names_are_snake_case_and_stand_once)
{
    for (const mr_errortype_t *row = mr_errortypes (); row->name != NULL; row++) {
        size_t bytes = strspn (row->name, "abcdefghijklmnopqrstuvwxyz0123456789_");
        ck_assert_msg (row->name[bytes] == '\0', "%s", row->name);
        ck_assert_msg (find (row->name) == row, "%s stands twice", row->name);
        ck_assert_msg (row->meaning[strlen (row->meaning) - 1] != '.', "%s", row->name);
        ck_assert_msg (strlen (row->name) < 48, "%s", row->name);
    }
}
END_TEST

START_TEST (test_rows_of_a_stage_stand_together_in_the_order_of_the_chain)
{
    static const char *const stages[] = {"ingest", "processor", "metrics", "exporter", "any"};
    size_t at = 0;
    for (const mr_errortype_t *row = mr_errortypes (); row->name != NULL; row++) {
        while (at < 5 && strcmp (stages[at], row->stage) != 0) {
            at++;
        }
        ck_assert_msg (at < 5, "%s: %s", row->name, row->stage);
    }
}
END_TEST

START_TEST (test_every_constant_has_its_row)
{
    for (int id = MR_ERR_NONE + 1; id < MR_ERR_COUNT; id++) {
        const char *name = mr_errortype_name ((mr_errortype_id_t)id);
        ck_assert_ptr_eq (find (name), mr_errortypes () + id - 1);
    }
    ck_assert_str_eq (mr_errortype_name (MR_ERR_JSON_UTF8), "json_utf8");
    ck_assert_str_eq (mr_errortype_name (MR_ERR_NONE), "");
    ck_assert_str_eq (mr_errortype_name (MR_ERR_COUNT), "");
}
END_TEST

START_TEST (test_a_row_says_whether_the_record_becomes_a_dead_letter)
{
    ck_assert (find ("json_utf8")->dead);
    ck_assert (!find ("metric_series_full")->dead);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_names_are_snake_case_and_stand_once,
        test_rows_of_a_stage_stand_together_in_the_order_of_the_chain,
        test_every_constant_has_its_row,
        test_a_row_says_whether_the_record_becomes_a_dead_letter,
        NULL,
    };
    return mr_suite_run ("errortype", tests);
}
