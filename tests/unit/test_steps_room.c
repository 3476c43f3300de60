/* What comes out of the steps always fits the room that the frame has. */
#include "stages/processor/steps.h"
#include "tests/support/records.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

/* Records that grow twentyfold, in a room for some of them. Returns how many came out. */
static uint32_t
run_in_room (const char *set, uint32_t count, size_t room, const mr_steps_input_t *skips)
{
    mr_steps_t *steps = NULL;
    mr_error_t err;
    ck_assert_int_eq (mr_steps_new (MR_PARSE_JSON, &steps, &err), MR_OK);
    ck_assert_int_eq (mr_steps_add (steps, "set", set, &err), MR_OK);
    mr_test_records_t batch;
    mr_test_records_init (&batch);
    for (uint32_t i = 0; i < count; i++) {
        mr_test_records_add (&batch, "{\"a\":1}", 7);
    }
    mr_steps_input_t input = *skips;
    input.records = &batch.view;
    input.room = room;
    mr_steps_output_t output;
    ck_assert_int_eq (mr_steps_run (steps, &input, &output), MR_OK);
    ck_assert_uint_eq (output.records.count + output.dead_count + input.skip_count, count);
    size_t rows = (size_t)(MR_STEPS_ROW_BYTES + 8) * (output.dead_count + input.skip_count);
    ck_assert_uint_le (output.records.offsets[output.records.count] + rows, room);
    for (uint32_t i = 0; i < output.dead_count; i++) {
        ck_assert_int_eq (output.dead[i].error_type, MR_ERR_RECORD_TOO_LARGE);
    }
    uint32_t passed = output.records.count;
    mr_test_records_release (&batch);
    mr_steps_destroy (&steps);
    return passed;
}

START_TEST (test_records_that_the_steps_make_too_large_fail_and_the_rest_passes)
{
    char set[4096];
    const mr_steps_input_t none = {.skip_count = 0};
    int bytes = snprintf (set, sizeof set, "b = \"");
    memset (set + bytes, 'x', 2000);
    memcpy (set + bytes + 2000, "\"", 2);
    ck_assert_uint_eq (run_in_room (set, 1000, 4 << 20, &none), 1000);
    uint32_t passed = run_in_room (set, 1000, 1 << 20, &none);
    ck_assert_uint_gt (passed, 250); /* a failed one takes 520 bytes at most, a good one 2016 */
    ck_assert_uint_lt (passed, 520);
    ck_assert_uint_eq (run_in_room (set, 1000, 520 * 1000, &none), 0);
    uint32_t indices[] = {0, 500, 999};
    const mr_steps_input_t skips = {.skip = indices, .skip_count = 3};
    ck_assert_uint_le (run_in_room (set, 1000, 1 << 20, &skips), passed);
    ck_assert_uint_eq (run_in_room ("a = 2", 1000, 520 * 1000, &none), 1000);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_records_that_the_steps_make_too_large_fail_and_the_rest_passes,
        NULL,
    };
    return mr_suite_run ("steps_room", tests);
}
