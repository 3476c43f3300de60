/* bench_steps [SECONDS]: what the processor's steps cost a record, adding one after the other up to
 * the reference work. Prints nanoseconds per record, the best of many short runs. */
#include "common/base/clock.h"
#include "stages/processor/steps.h"
#include "tests/bench/records.h"

#include <stdio.h>
#include <stdlib.h>

/* Key, value; a key of NULL watches a field. */
static const struct {
    const char *key;
    const char *value;
} lines[] = {
    {"drop", "level == \"debug\""},
    {"set", "env = \"prod\""},
    {"rename", "user -> user_id"},
    {NULL, "service"},
    {NULL, "level"},
    {NULL, "latency_ms"},
};

static int64_t
measure (mr_steps_t *steps, const bench_batch_t *batch, int64_t budget_ns)
{
    int64_t best = INT64_MAX;
    _Atomic uint64_t crumb;
    mr_steps_input_t input = {.records = &batch->view, .crumb = &crumb};
    for (int64_t end = mr_clock_mono_ns () + budget_ns; mr_clock_mono_ns () < end;) {
        mr_steps_output_t output;
        int64_t start = mr_clock_mono_ns ();
        if (mr_steps_run (steps, &input, &output) != MR_OK) {
            exit (EXIT_FAILURE);
        }
        int64_t took = mr_clock_mono_ns () - start;
        best = took < best ? took : best;
    }
    return best;
}

int
main (int argc, char **argv)
{
    int64_t budget_ns = (argc > 1 ? atoi (argv[1]) : 1) * MR_NS_PER_S;
    enum { COUNT = sizeof lines / sizeof lines[0] };
    static bench_batch_t batch;
    bench_fill (&batch);
    mr_steps_t *steps;
    mr_error_t err;
    if (mr_steps_new (MR_PARSE_JSON, &steps, &err) != MR_OK) {
        return EXIT_FAILURE;
    }
    printf ("%-32s %7.1f ns/record\n", "parse = json",
            (double)measure (steps, &batch, budget_ns) / BENCH_RECORDS);
    for (size_t i = 0; i < COUNT; i++) {
        mr_status_t status = lines[i].key != NULL
                                 ? mr_steps_add (steps, lines[i].key, lines[i].value, &err)
                                 : mr_steps_watch (steps, lines[i].value, &err);
        if (status != MR_OK) {
            fprintf (stderr, "%s\n", err.text);
            return EXIT_FAILURE;
        }
        printf ("+ %s = %-20s %7.1f ns/record\n", lines[i].key != NULL ? lines[i].key : "watch",
                lines[i].value, (double)measure (steps, &batch, budget_ns) / BENCH_RECORDS);
    }
    mr_steps_destroy (&steps);
    return EXIT_SUCCESS;
}
