#include "stages/metrics/aggregate.h"
#include "stages/processor/steps.h"
#include "tests/support/records.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An aggregate of a configuration, and the text of what it made of one batch. */
typedef struct fixture {
    mr_config_t *config;
    mr_metric_rules_t *rules;
    mr_aggregate_t *aggregate;
    char text[1 << 16];
} fixture_t;

static void
open_fixture (fixture_t *self, const char *text)
{
    mr_error_t err = {.text = ""};
    ck_assert_msg (
        mr_config_load_text (text, strlen (text), "/tmp/test.ini", &self->config, &err) == MR_OK,
        "%s", err.text);
    ck_assert_int_eq (mr_metric_rules_new (self->config, &self->rules, &err), MR_OK);
    ck_assert_msg (mr_aggregate_new (self->rules, &self->aggregate, &err) == MR_OK, "%s", err.text);
}

static void
close_fixture (fixture_t *self)
{
    mr_aggregate_destroy (&self->aggregate);
    mr_metric_rules_destroy (&self->rules);
    mr_config_destroy (&self->config);
}

static int
compare_lines (const void *a, const void *b)
{
    return strcmp (*(char *const *)a, *(char *const *)b);
}

/* "requests{cart,info} 3; latency{cart} 2 sum 5 min 1 max 4 [0 2 0]", sorted. */
static void
describe (fixture_t *self, bool folded)
{
    const mr_buffer_t *section;
    ck_assert_int_eq (mr_aggregate_section (self->aggregate, folded, &section), MR_OK);
    static char lines[512][512];
    char *order[512] = {NULL};
    size_t count = 0;
    size_t position = 0;
    mr_partial_metric_t metric;
    mr_status_t status;
    while ((status = mr_partial_next (section->data, section->size, &position, &metric, NULL)) ==
           MR_OK) {
        size_t at = 0;
        mr_partial_series_t series;
        while (mr_partial_series_next (&metric, &at, &series)) {
            ck_assert_uint_lt (count, 512);
            char *to = lines[count];
            order[count++] = to;
            to += sprintf (to, "%.*s{", (int)metric.name.bytes, metric.name.data);
            uint32_t key = 0;
            for (uint32_t i = 0; i < metric.label_count; i++) {
                mr_partial_text_t value = mr_partial_key_next (series.key, series.key_bytes, &key);
                to += sprintf (to, "%s%.*s", i > 0 ? "," : "", (int)value.bytes, value.data);
            }
            to += sprintf (to, "} %llu", (unsigned long long)series.count);
            if (metric.kind == MR_PARTIAL_HISTOGRAM) {
                to += sprintf (to, " sum %g min %g max %g [", series.sum, series.min, series.max);
                for (uint32_t i = 0; i <= metric.bound_count; i++) {
                    to += sprintf (to, "%s%llu", i > 0 ? " " : "",
                                   (unsigned long long)series.buckets[i]);
                }
                sprintf (to, "]");
            }
        }
    }
    ck_assert_int_eq (status, MR_CLOSED);
    qsort (order, count, sizeof (*order), compare_lines);
    self->text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        strcat (strcat (self->text, i > 0 ? "; " : ""), order[i]);
    }
}

/* Run the records, separated by newlines, once with the places of the fields that the processor
 * notes and once without: both must say the same. */
static void
run (fixture_t *self, const char *records, const char *expected)
{
    mr_test_records_t batch_records;
    mr_test_records_init (&batch_records);
    for (const char *at = records; *at != '\0';) {
        size_t bytes = strcspn (at, "\n");
        mr_test_records_add (&batch_records, at, bytes);
        at += bytes + (at[bytes] == '\n');
    }
    mr_error_t err;
    mr_steps_t *steps;
    mr_steps_output_t output;
    ck_assert_int_eq (mr_steps_new (MR_PARSE_JSON, &steps, &err), MR_OK);
    for (size_t i = 0; i < self->rules->fields.count; i++) {
        ck_assert_int_eq (mr_steps_watch (steps, self->rules->fields.paths[i], &err), MR_OK);
    }
    mr_steps_input_t input = {.records = &batch_records.view};
    ck_assert_int_eq (mr_steps_run (steps, &input, &output), MR_OK);
    mr_batch_t batch = {
        .count = output.records.count,
        .records = output.records.data,
        .records_bytes = output.records.offsets[output.records.count],
        .offsets = output.records.offsets,
    };
    ck_assert_int_eq (mr_aggregate_run (self->aggregate, &batch, true), MR_OK);
    describe (self, false);
    ck_assert_str_eq (self->text, expected);
    ck_assert_int_eq (
        mr_batch_set_section (&batch, MR_SECTION_FIELDS, output.watched,
                              (uint32_t)(8 * batch.count * self->rules->fields.count)),
        MR_OK);
    ck_assert_int_eq (mr_aggregate_run (self->aggregate, &batch, true), MR_OK);
    describe (self, false);
    ck_assert_str_eq (self->text, expected);
    mr_steps_destroy (&steps);
    mr_test_records_release (&batch_records);
}

START_TEST (test_a_counter_counts_records_by_its_labels)
{
    fixture_t fixture;
    open_fixture (&fixture, "[metric requests]\ntype = counter\nby = service, level\n");
    run (&fixture,
         "{\"service\":\"cart\",\"level\":\"info\"}\n"
         "{\"level\":\"info\",\"service\":\"cart\"}\n"
         "{\"service\":\"cart\",\"level\":\"warn\"}\n",
         "requests{cart,info} 2; requests{cart,warn} 1");
    run (&fixture, "{\"service\":\"cart\",\"level\":\"info\"}\n", "requests{cart,info} 1");
    run (&fixture, "", "");
    close_fixture (&fixture);
}
END_TEST

START_TEST (test_a_counter_without_labels_counts_all)
{
    fixture_t fixture;
    open_fixture (&fixture, "[metric all]\ntype = counter\n");
    run (&fixture, "{}\n{\"a\":1}\n{}\n", "all{} 3");
    close_fixture (&fixture);
}
END_TEST

START_TEST (test_labels_are_texts_of_values)
{
    fixture_t fixture;
    open_fixture (&fixture, "[metric n]\ntype = counter\nby = a\n");
    run (&fixture,
         "{\"a\":\"x y\"}\n{\"a\":1.50}\n{\"a\":true}\n{\"a\":null}\n{}\n{\"a\":\"\"}\n"
         "{\"a\":[1,{}]}\n{\"a\":\"\\u00e9\\n\"}\n",
         "n{1.50} 1; n{[1,{}]} 1; n{true} 1; n{x y} 1; n{} 1; n{} 2; n{\xc3\xa9\n} 1");
    close_fixture (&fixture);
}
END_TEST

START_TEST (test_nested_fields_are_found)
{
    fixture_t fixture;
    open_fixture (&fixture, "[metric n]\ntype = histogram\nfield = a.b[1]\nby = c.d\n"
                            "buckets = 1, 10\n");
    run (&fixture, "{\"a\":{\"b\":[0,7]},\"c\":{\"d\":\"x\"}}\n",
         "n{x} 1 sum 7 min 7 max 7 [0 1 0]");
    close_fixture (&fixture);
}
END_TEST

START_TEST (test_a_histogram_has_buckets_up_to_and_with_their_bounds)
{
    fixture_t fixture;
    open_fixture (&fixture, "[metric t]\ntype = histogram\nfield = ms\nbuckets = -1, 0, 2.5, 10\n");
    run (&fixture,
         "{\"ms\":-2}\n{\"ms\":-1}\n{\"ms\":-0.5}\n{\"ms\":0}\n{\"ms\":2.5}\n{\"ms\":2.500001}\n"
         "{\"ms\":1e1}\n{\"ms\":10.5}\n{\"ms\":1e300}\n",
         "t{} 9 sum 1e+300 min -2 max 1e+300 [2 2 1 2 2]");
    close_fixture (&fixture);
}
END_TEST

START_TEST (test_many_bounds_are_searched_as_few_are)
{
    char text[8192] = "[metric t]\ntype = histogram\nfield = v\nbuckets = 1";
    for (int i = 2; i <= 200; i++) {
        sprintf (text + strlen (text), ", %d", i);
    }
    fixture_t fixture;
    open_fixture (&fixture, strcat (text, "\n"));
    for (int i = 0; i <= 201; i++) {
        char record[64];
        char expected[2048];
        sprintf (record, "{\"v\":%d}\n", i);
        sprintf (expected, "t{} 1 sum %d min %d max %d [", i, i, i);
        for (int j = 1; j <= 201; j++) {
            int bucket = i < 1 ? 1 : i;
            sprintf (expected + strlen (expected), "%s%d", j > 1 ? " " : "", j == bucket);
        }
        run (&fixture, record, strcat (expected, "]"));
    }
    close_fixture (&fixture);
}
END_TEST

START_TEST (test_what_cannot_be_observed_is_counted_and_left_out)
{
    fixture_t fixture;
    open_fixture (&fixture, "[metric all]\ntype = counter\n"
                            "[metric t]\ntype = histogram\nfield = ms\nbuckets = 10\n");
    run (&fixture, "{\"ms\":1}\n{}\n{\"ms\":null}\n{\"ms\":\"5\"}\n{\"ms\":true}\n{\"ms\":1e400}\n",
         "all{} 6; t{} 1 sum 1 min 1 max 1 [1 0]");
    const mr_aggregate_faults_t *faults = mr_aggregate_faults (fixture.aggregate, 1);
    ck_assert_uint_eq (faults->missing, 2);
    ck_assert_uint_eq (faults->missing_at, 1);
    ck_assert_uint_eq (faults->not_number, 3);
    ck_assert_uint_eq (faults->not_number_at, 3);
    ck_assert_uint_eq (mr_aggregate_faults (fixture.aggregate, 0)->missing, 0);
    ck_assert_uint_eq (mr_aggregate_records (fixture.aggregate, 0), 6);
    ck_assert_uint_eq (mr_aggregate_records (fixture.aggregate, 1), 1);
    close_fixture (&fixture);
}
END_TEST

START_TEST (test_folded_series_are_one)
{
    fixture_t fixture;
    open_fixture (&fixture, "[metric n]\ntype = counter\nby = a, b\n"
                            "[metric t]\ntype = histogram\nfield = a\nby = b\nbuckets = 2\n");
    run (&fixture, "{\"a\":1,\"b\":2}\n{\"a\":3,\"b\":4}\n",
         "n{1,2} 1; n{3,4} 1; t{2} 1 sum 1 min 1 max 1 [1 0]; t{4} 1 sum 3 min 3 max 3 [0 1]");
    describe (&fixture, true);
    ck_assert_str_eq (fixture.text, "n{other,other} 2; t{other} 2 sum 4 min 1 max 3 [1 1]");
    close_fixture (&fixture);
}
END_TEST

START_TEST (test_a_long_value_is_cut_between_characters)
{
    fixture_t fixture;
    open_fixture (&fixture, "[metric n]\ntype = counter\nby = a\n");
    static char record[8192];
    static char expected[1024];
    char long_text[2048];
    /* 255 bytes, then characters of two: the first of them does not fit whole. */
    for (int spaces = 0; spaces < 2; spaces++) {
        size_t bytes = spaces == 0 ? 255 : 1500;
        memset (long_text, 'x', bytes);
        strcpy (long_text + bytes, "\xc3\xa9\xc3\xa9");
        sprintf (record, "{\"a\":\"%s\"}\n{\"a\":\"%s\"}\n", long_text, long_text);
        sprintf (expected, "n{%.*s} 2", bytes == 255 ? 255 : 256, long_text);
        run (&fixture, record, expected);
    }
    close_fixture (&fixture);
}
END_TEST

START_TEST (test_many_values_are_counted_right_from_batch_to_batch)
{
    fixture_t fixture;
    open_fixture (&fixture, "[metric n]\ntype = counter\nby = a, b\nmax_series = 1000000\n");
    static char records[1 << 16];
    uint64_t counted = 0;
    for (int round = 0; round < 60; round++) {
        size_t at = 0;
        for (int i = 0; i < 500; i++) {
            at += (size_t)sprintf (records + at, "{\"a\":\"v%d-%d\",\"b\":%d}\n", round, i, i % 7);
        }
        mr_test_records_t made;
        mr_test_records_init (&made);
        for (char *line = strtok (records, "\n"); line != NULL; line = strtok (NULL, "\n")) {
            mr_test_records_add (&made, line, strlen (line));
        }
        mr_batch_t batch = {.count = made.view.count,
                            .records = made.view.data,
                            .records_bytes = (uint32_t)made.bytes,
                            .offsets = made.view.offsets};
        ck_assert_int_eq (mr_aggregate_run (fixture.aggregate, &batch, false), MR_OK);
        counted += mr_aggregate_records (fixture.aggregate, 0);
        const mr_buffer_t *section;
        ck_assert_int_eq (mr_aggregate_section (fixture.aggregate, false, &section), MR_OK);
        size_t position = 0;
        mr_partial_metric_t metric;
        ck_assert_int_eq (mr_partial_next (section->data, section->size, &position, &metric, NULL),
                          MR_OK);
        ck_assert_uint_eq (metric.series_count, 500);
        mr_test_records_release (&made);
    }
    ck_assert_uint_eq (counted, 60 * 500);
    close_fixture (&fixture);
}
END_TEST

START_TEST (test_a_record_that_is_no_json_is_counted_without_labels)
{
    fixture_t fixture;
    open_fixture (&fixture, "[metric n]\ntype = counter\nby = a\n");
    mr_test_records_t made;
    mr_test_records_init (&made);
    mr_test_records_add (&made, "{\"a\":", 5);
    mr_test_records_add (&made, "{\"a\":1}", 7);
    mr_batch_t batch = {.count = 2,
                        .records = made.view.data,
                        .records_bytes = (uint32_t)made.bytes,
                        .offsets = made.view.offsets};
    ck_assert_int_eq (mr_aggregate_run (fixture.aggregate, &batch, true), MR_OK);
    describe (&fixture, false);
    ck_assert_str_eq (fixture.text, "n{1} 1; n{} 1");
    mr_test_records_release (&made);
    close_fixture (&fixture);
}
END_TEST

START_TEST (test_what_is_no_path_is_refused)
{
    static const char text[] = "[metric n]\ntype = counter\nby = ok, a..b\n";
    mr_config_t *config;
    mr_metric_rules_t *rules;
    mr_aggregate_t *aggregate;
    mr_error_t err;
    ck_assert_int_eq (mr_config_load_text (text, strlen (text), "/tmp/t.ini", &config, &err),
                      MR_OK);
    ck_assert_int_eq (mr_metric_rules_new (config, &rules, &err), MR_OK);
    ck_assert_int_eq (mr_aggregate_new (rules, &aggregate, &err), MR_CONFIG);
    ck_assert_ptr_nonnull (strstr (err.text, "column 3"));
    mr_metric_rules_destroy (&rules);
    mr_config_destroy (&config);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_counter_counts_records_by_its_labels,
        test_a_counter_without_labels_counts_all,
        test_labels_are_texts_of_values,
        test_nested_fields_are_found,
        test_a_histogram_has_buckets_up_to_and_with_their_bounds,
        test_many_bounds_are_searched_as_few_are,
        test_what_cannot_be_observed_is_counted_and_left_out,
        test_folded_series_are_one,
        test_a_long_value_is_cut_between_characters,
        test_many_values_are_counted_right_from_batch_to_batch,
        test_a_record_that_is_no_json_is_counted_without_labels,
        test_what_is_no_path_is_refused,
        NULL,
    };
    return mr_suite_run ("aggregate", tests);
}
