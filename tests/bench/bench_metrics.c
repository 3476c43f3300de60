/* bench_metrics [SECONDS]: what the reference work's metrics (a counter by service and level, a
 * histogram of latency_ms by service) cost per record, with the fields that the processor noted and
 * without. Prints nanoseconds per record, the best of many short runs (other load only adds). */
#include "common/base/clock.h"
#include "common/runtime/config.h"
#include "common/runtime/metric_rules.h"
#include "stages/metrics/aggregate.h"
#include "stages/processor/steps.h"
#include "tests/bench/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char text[] = "[metric requests]\n"
                           "type = counter\n"
                           "by = service, level\n"
                           "[metric latency]\n"
                           "type = histogram\n"
                           "field = latency_ms\n"
                           "by = service\n";

static void
require (mr_status_t status, const mr_error_t *err)
{
    if (status != MR_OK) {
        fprintf (stderr, "%s\n", err->text);
        exit (EXIT_FAILURE);
    }
}

static int64_t
best_of (mr_aggregate_t *aggregate, const mr_batch_t *batch, bool use_fields, int64_t budget_ns)
{
    int64_t best_ns = INT64_MAX;
    for (int64_t end_ns = mr_clock_mono_ns () + budget_ns; mr_clock_mono_ns () < end_ns;) {
        const mr_buffer_t *section;
        int64_t began_ns = mr_clock_mono_ns ();
        mr_error_t err = {.text = ""};
        require (mr_aggregate_run (aggregate, batch, use_fields), &err);
        require (mr_aggregate_section (aggregate, false, &section), &err);
        int64_t took_ns = mr_clock_mono_ns () - began_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    return best_ns;
}

int
main (int argc, char **argv)
{
    int64_t budget_ns = (argc > 1 ? atoi (argv[1]) : 1) * MR_NS_PER_S;
    static bench_batch_t input;
    bench_fill (&input);
    mr_error_t err = {.text = ""};
    mr_config_t *config;
    mr_metric_rules_t *rules;
    mr_aggregate_t *aggregate;
    mr_steps_t *steps;
    mr_steps_output_t output;
    require (mr_config_load_text (text, strlen (text), "bench.ini", &config, &err), &err);
    require (mr_metric_rules_new (config, &rules, &err), &err);
    require (mr_aggregate_new (rules, &aggregate, &err), &err);
    require (mr_steps_new (MR_PARSE_JSON, &steps, &err), &err);
    for (size_t i = 0; i < rules->fields.count; i++) {
        require (mr_steps_watch (steps, rules->fields.paths[i], &err), &err);
    }
    mr_steps_input_t in = {.records = &input.view};
    require (mr_steps_run (steps, &in, &output), &err);
    mr_batch_t batch = {
        .count = output.records.count,
        .records = output.records.data,
        .records_bytes = output.records.offsets[output.records.count],
        .offsets = output.records.offsets,
    };
    require (mr_batch_set_section (&batch, MR_SECTION_FIELDS, output.watched,
                                   (uint32_t)(8 * batch.count * rules->fields.count)),
             &err);
    printf ("noted  %7.1f ns/record\n",
            (double)best_of (aggregate, &batch, true, budget_ns) / batch.count);
    printf ("parsed %7.1f ns/record\n",
            (double)best_of (aggregate, &batch, false, budget_ns) / batch.count);
    mr_steps_destroy (&steps);
    mr_aggregate_destroy (&aggregate);
    mr_metric_rules_destroy (&rules);
    mr_config_destroy (&config);
    return EXIT_SUCCESS;
}
