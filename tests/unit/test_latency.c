#include "stages/exporter/latency.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static void
assert_shows (const mr_latency_t *latency, const char *text)
{
    mr_buffer_t json;
    mr_buffer_init (&json, 4096);
    ck_assert_int_eq (mr_latency_append (latency, &json), MR_OK);
    ck_assert_int_eq (mr_buffer_append (&json, "", 1), MR_OK);
    ck_assert_str_eq (json.data, text);
    mr_buffer_release (&json);
}

START_TEST (test_the_full_shape_is_there_before_the_first_batch)
{
    static const mr_latency_t latency;
    assert_shows (&latency, ",\"latency\":{\"count\":0,\"sum_ms\":0.000,\"p50_ms\":0.000,"
                            "\"p95_ms\":0.000,\"p99_ms\":0.000,\"max_ms\":0.000}");
}
END_TEST

START_TEST (test_quantiles_are_of_the_nearest_rank)
{
    static mr_latency_t latency;
    mr_latency_add (&latency, 7);
    assert_shows (&latency, ",\"latency\":{\"count\":1,\"sum_ms\":7.000,\"p50_ms\":7.000,"
                            "\"p95_ms\":7.000,\"p99_ms\":7.000,\"max_ms\":7.000}");
    memset (&latency, 0, sizeof latency);
    for (int i = 100; i >= 1; i--) {
        mr_latency_add (&latency, i);
    }
    assert_shows (&latency, ",\"latency\":{\"count\":100,\"sum_ms\":5050.000,\"p50_ms\":50.000,"
                            "\"p95_ms\":95.000,\"p99_ms\":99.000,\"max_ms\":100.000}");
}
END_TEST

START_TEST (test_quantiles_forget_and_sums_do_not)
{
    static mr_latency_t latency;
    mr_latency_add (&latency, 1e6);
    for (int i = 0; i < MR_LATENCY_KEPT; i++) {
        mr_latency_add (&latency, 2);
    }
    assert_shows (&latency, ",\"latency\":{\"count\":1001,\"sum_ms\":1002000.000,\"p50_ms\":2.000,"
                            "\"p95_ms\":2.000,\"p99_ms\":2.000,\"max_ms\":2.000}");
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_the_full_shape_is_there_before_the_first_batch,
        test_quantiles_are_of_the_nearest_rank,
        test_quantiles_forget_and_sums_do_not,
        NULL,
    };
    return mr_suite_run ("latency", tests);
}
