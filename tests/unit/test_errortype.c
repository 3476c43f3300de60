#include "common/wire/errortype.h"
#include "tests/support/suite.h"

#include <string.h>

START_TEST (test_names_are_snake_case_and_stand_once)
{
    for (const mr_errortype_t *row = mr_errortypes (); row->name != NULL; row++) {
        size_t bytes = strspn (row->name, "abcdefghijklmnopqrstuvwxyz0123456789_");
        ck_assert_msg (row->name[bytes] == '\0', "%s", row->name);
        ck_assert_msg (mr_errortype_find (row->name) == row, "%s stands twice", row->name);
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
        ck_assert_ptr_eq (mr_errortype_find (name), mr_errortypes () + id - 1);
    }
    ck_assert_str_eq (mr_errortype_name (MR_ERR_JSON_UTF8), "json_utf8");
    ck_assert_str_eq (mr_errortype_name (MR_ERR_NONE), "");
    ck_assert_str_eq (mr_errortype_name (MR_ERR_COUNT), "");
}
END_TEST

START_TEST (test_an_unknown_name_is_not_found)
{
    ck_assert_ptr_null (mr_errortype_find ("json"));
    ck_assert_ptr_null (mr_errortype_find (""));
    ck_assert (mr_errortype_find ("json_utf8")->dead);
    ck_assert (!mr_errortype_find ("metric_series_full")->dead);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_names_are_snake_case_and_stand_once,
        test_rows_of_a_stage_stand_together_in_the_order_of_the_chain,
        test_every_constant_has_its_row,
        test_an_unknown_name_is_not_found,
        NULL,
    };
    return mr_suite_run ("errortype", tests);
}
