#include "common/record/json.h"
#include "common/wire/fields.h"
#include "tests/support/suite.h"

#include <string.h>

static const uint32_t offsets[] = {0, 8, 17};

static mr_batch_t
sample (const uint32_t *words, uint32_t bytes)
{
    mr_batch_t batch = {.records = "{\"a\":1}\n{\"a\":22}\n",
                        .records_bytes = 17,
                        .offsets = offsets,
                        .count = 2,
                        .received = 2};
    ck_assert_int_eq (mr_batch_set_section (&batch, MR_SECTION_FIELDS, words, bytes), MR_OK);
    return batch;
}

START_TEST (test_fields_point_into_their_records)
{
    const uint32_t words[] = {5, 1 << 3 | MR_JSON_NUMBER, 0, MR_FIELDS_ABSENT,
                              5, 2 << 3 | MR_JSON_NUMBER, 0, 8 << 3 | MR_JSON_OBJECT};
    mr_batch_t batch = sample (words, sizeof words);
    mr_fields_view_t view;
    ck_assert (mr_fields_open (&batch, 2, &view));
    mr_field_t field = mr_fields_get (&view, 0, 0);
    ck_assert_uint_eq (field.type, MR_JSON_NUMBER);
    ck_assert_uint_eq (field.bytes, 1);
    ck_assert_int_eq (field.data[0], '1');
    ck_assert_uint_eq (mr_fields_get (&view, 0, 1).type, MR_FIELDS_ABSENT);
    field = mr_fields_get (&view, 1, 0);
    ck_assert_uint_eq (field.bytes, 2);
    ck_assert_int_eq (memcmp (field.data, "22", 2), 0);
    field = mr_fields_get (&view, 1, 1); /* the whole record */
    ck_assert_uint_eq (field.type, MR_JSON_OBJECT);
    ck_assert_ptr_eq (field.data, batch.records + 8);
}
END_TEST

START_TEST (test_words_that_point_outside_read_as_absent)
{
    static const uint32_t bad[][2] = {
        {7, 1 << 3 | MR_JSON_NUMBER}, {0, 8 << 3 | MR_JSON_NUMBER},          {5, MR_JSON_NUMBER},
        {UINT32_MAX, UINT32_MAX - 4}, {UINT32_MAX, 1 << 3 | MR_JSON_NUMBER},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const uint32_t words[] = {bad[i][0], bad[i][1], 5, 2 << 3 | MR_JSON_NUMBER};
        mr_batch_t batch = sample (words, sizeof words);
        mr_fields_view_t view;
        ck_assert (mr_fields_open (&batch, 1, &view));
        ck_assert_uint_eq (mr_fields_get (&view, 0, 0).type, MR_FIELDS_ABSENT);
        ck_assert_uint_eq (mr_fields_get (&view, 1, 0).type, MR_JSON_NUMBER);
    }
}
END_TEST

START_TEST (test_a_section_of_another_size_is_not_used)
{
    static const uint32_t words[8];
    mr_fields_view_t view;
    mr_batch_t batch = sample (words, 16);
    ck_assert (mr_fields_open (&batch, 1, &view));
    ck_assert (!mr_fields_open (&batch, 2, &view));
    ck_assert (!mr_fields_open (&batch, 0, &view));
    ck_assert (!mr_fields_open (&batch, UINT32_MAX, &view));
    mr_batch_remove_section (&batch, MR_SECTION_FIELDS);
    ck_assert (!mr_fields_open (&batch, 1, &view));
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_fields_point_into_their_records,
        test_words_that_point_outside_read_as_absent,
        test_a_section_of_another_size_is_not_used,
        NULL,
    };
    return mr_suite_run ("fields", tests);
}
