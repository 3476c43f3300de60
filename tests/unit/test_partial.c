#include "common/wire/partial.h"
#include "tests/support/suite.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

enum { AT_BLOCK_BYTES = 0, AT_KIND = 4, AT_LABELS = 5, AT_BOUNDS = 6, AT_SERIES = 8, AT_MAX = 12 };

static mr_partial_text_t
text (const char *data)
{
    return (mr_partial_text_t){data, (uint32_t)strlen (data)};
}

static mr_partial_metric_t
requests (void)
{
    mr_partial_metric_t metric = {.kind = MR_PARTIAL_COUNTER, .max_series = 10};
    metric.name = text ("requests");
    metric.label_count = 2;
    metric.labels[0] = text ("service");
    metric.labels[1] = text ("level");
    return metric;
}

static mr_partial_metric_t
latency (void)
{
    mr_partial_metric_t metric = {.kind = MR_PARTIAL_HISTOGRAM, .max_series = 1};
    metric.name = text ("latency");
    metric.bound_count = 2;
    metric.bounds[0] = -0.5;
    metric.bounds[1] = 100;
    return metric;
}

static mr_partial_series_t
observed (void)
{
    return (mr_partial_series_t){.key = "",
                                 .count = 300,
                                 .sum = 1234.5,
                                 .min = -1e300,
                                 .max = 100.25,
                                 .buckets = {1, 298, 1}};
}

static void
add_key (mr_buffer_t *key, const char *service, const char *level)
{
    mr_buffer_clear (key);
    ck_assert_int_eq (mr_partial_key_add (key, service, (uint32_t)strlen (service)), MR_OK);
    ck_assert_int_eq (mr_partial_key_add (key, level, (uint32_t)strlen (level)), MR_OK);
}

/* Two series of a counter, one of a histogram. */
static void
build (mr_buffer_t *section)
{
    mr_buffer_t key;
    mr_buffer_init (section, 1 << 20);
    mr_buffer_init (&key, 4096);
    mr_partial_metric_t counter = requests ();
    mr_partial_writer_t writer;
    mr_partial_begin (&writer, section, &counter);
    add_key (&key, "cart", "");
    mr_partial_series_t series = {
        .key = key.data, .key_bytes = (uint32_t)key.size, .count = UINT64_MAX};
    mr_partial_add (&writer, &series);
    add_key (&key, "pay\xc3\xa9", "info");
    series = (mr_partial_series_t){key.data, (uint32_t)key.size, .count = 1};
    mr_partial_add (&writer, &series);
    ck_assert_int_eq (mr_partial_end (&writer), MR_OK);
    mr_partial_metric_t histogram = latency ();
    series = observed ();
    mr_partial_begin (&writer, section, &histogram);
    mr_partial_add (&writer, &series);
    ck_assert_int_eq (mr_partial_end (&writer), MR_OK);
    mr_buffer_release (&key);
}

static void
assert_value (const mr_partial_series_t *series, uint32_t *position, const char *expected)
{
    mr_partial_text_t value = mr_partial_key_next (series->key, series->key_bytes, position);
    ck_assert_uint_eq (value.bytes, strlen (expected));
    ck_assert_int_eq (memcmp (value.data, expected, value.bytes), 0);
}

START_TEST (test_what_was_written_is_read)
{
    mr_buffer_t section;
    build (&section);
    size_t position = 0;
    mr_partial_metric_t metric;
    ck_assert_int_eq (mr_partial_next (section.data, section.size, &position, &metric, NULL),
                      MR_OK);
    mr_partial_metric_t expected = requests ();
    ck_assert (mr_partial_same_metric (&metric, &expected));
    ck_assert_uint_eq (metric.max_series, 10);
    ck_assert_uint_eq (metric.series_count, 2);
    size_t at = 0;
    mr_partial_series_t series;
    ck_assert (mr_partial_series_next (&metric, &at, &series));
    uint32_t value = 0;
    assert_value (&series, &value, "cart");
    assert_value (&series, &value, "");
    ck_assert_uint_eq (value, series.key_bytes);
    ck_assert_uint_eq (series.count, UINT64_MAX);
    ck_assert (mr_partial_series_next (&metric, &at, &series));
    value = 0;
    assert_value (&series, &value, "pay\xc3\xa9");
    assert_value (&series, &value, "info");
    ck_assert_uint_eq (series.count, 1);
    ck_assert (!mr_partial_series_next (&metric, &at, &series));

    ck_assert_int_eq (mr_partial_next (section.data, section.size, &position, &metric, NULL),
                      MR_OK);
    expected = latency ();
    ck_assert (mr_partial_same_metric (&metric, &expected));
    at = 0;
    ck_assert (mr_partial_series_next (&metric, &at, &series));
    ck_assert_uint_eq (series.key_bytes, 0);
    mr_partial_series_t wanted = observed ();
    ck_assert_uint_eq (series.count, wanted.count);
    ck_assert (series.sum == wanted.sum && series.min == wanted.min && series.max == wanted.max);
    ck_assert_int_eq (memcmp (series.buckets, wanted.buckets, 3 * sizeof wanted.buckets[0]), 0);
    ck_assert_int_eq (mr_partial_next (section.data, section.size, &position, &metric, NULL),
                      MR_CLOSED);
    mr_buffer_release (&section);
}
END_TEST

/* Reads all; the status that ends it. */
static mr_status_t
read_all (const char *section, size_t bytes)
{
    size_t position = 0;
    mr_partial_metric_t metric;
    mr_status_t status;
    while ((status = mr_partial_next (section, bytes, &position, &metric, NULL)) == MR_OK) {
        size_t at = 0;
        mr_partial_series_t series;
        uint32_t count = 0;
        while (mr_partial_series_next (&metric, &at, &series)) {
            count++;
        }
        ck_assert_uint_eq (count, metric.series_count);
    }
    return status;
}

START_TEST (test_every_truncation_is_refused_or_ends_with_a_whole_metric)
{
    mr_buffer_t section;
    build (&section);
    size_t first = 0;
    mr_partial_metric_t metric;
    ck_assert_int_eq (mr_partial_next (section.data, section.size, &first, &metric, NULL), MR_OK);
    for (size_t bytes = 0; bytes <= section.size; bytes++) {
        char *exact = malloc (bytes > 0 ? bytes : 1); /* so that reading on is found */
        memcpy (exact, section.data, bytes);
        bool whole = bytes == 0 || bytes == first || bytes == section.size;
        ck_assert_int_eq (read_all (exact, bytes), whole ? MR_CLOSED : MR_INVALID);
        free (exact);
    }
    mr_buffer_release (&section);
}
END_TEST

START_TEST (test_no_flipped_byte_leads_out_of_the_section)
{
    mr_buffer_t section;
    build (&section);
    char *copy = malloc (section.size);
    for (size_t at = 0; at < section.size; at++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy (copy, section.data, section.size);
            copy[at] = (char)(copy[at] ^ (1 << bit));
            mr_status_t status = read_all (copy, section.size);
            ck_assert (status == MR_CLOSED || status == MR_INVALID);
        }
    }
    free (copy);
    mr_buffer_release (&section);
}
END_TEST

/* What is refused when these bytes stand at this place of the first metric. */
static void
assert_refused (size_t at, uint32_t value, size_t bytes, const char *why)
{
    mr_buffer_t section;
    build (&section);
    memcpy (section.data + at, &value, bytes);
    size_t position = 0;
    mr_partial_metric_t metric;
    mr_error_t err;
    ck_assert_int_eq (mr_partial_next (section.data, section.size, &position, &metric, &err),
                      MR_INVALID);
    ck_assert_msg (strstr (err.text, why) != NULL, "\"%s\" does not say \"%s\"", err.text, why);
    ck_assert_uint_eq (position, 0);
    mr_buffer_release (&section);
}

START_TEST (test_each_broken_field_is_named)
{
    assert_refused (AT_BLOCK_BYTES, 8, 4, "block_bytes");
    assert_refused (AT_BLOCK_BYTES, 1 << 30, 4, "block_bytes");
    assert_refused (AT_BLOCK_BYTES, 73, 4, "block_bytes");
    assert_refused (AT_KIND, 0, 1, "kind");
    assert_refused (AT_KIND, 3, 1, "kind");
    assert_refused (AT_LABELS, 17, 1, "label_count");
    assert_refused (AT_BOUNDS, 1, 2, "bound_count");
    assert_refused (AT_SERIES, 0, 4, "series_count");
    assert_refused (AT_SERIES, 1, 4, "series_count");
    assert_refused (AT_SERIES, UINT32_MAX, 4, "bad ");
    assert_refused (AT_MAX, 0, 4, "max_series");
    assert_refused (16, 0, 2, "name_bytes");
    assert_refused (16, 300, 2, "name_bytes");
    assert_refused (18, 1, 2, "labels_bytes");
}
END_TEST

/* A histogram with this series is refused. */
static void
assert_series_refused (mr_partial_series_t series, const char *why)
{
    mr_buffer_t section;
    mr_buffer_init (&section, 4096);
    mr_partial_metric_t metric = latency ();
    mr_partial_writer_t writer;
    mr_partial_begin (&writer, &section, &metric);
    mr_partial_add (&writer, &series);
    ck_assert_int_eq (mr_partial_end (&writer), MR_OK);
    size_t position = 0;
    mr_error_t err;
    ck_assert_int_eq (mr_partial_next (section.data, section.size, &position, &metric, &err),
                      MR_INVALID);
    ck_assert_msg (strstr (err.text, why) != NULL, "\"%s\" does not say \"%s\"", err.text, why);
    mr_buffer_release (&section);
}

START_TEST (test_a_histogram_that_does_not_add_up_is_refused)
{
    mr_partial_series_t series = observed ();
    series.buckets[0]++;
    assert_series_refused (series, "bucket");
    series = observed ();
    series.buckets[1] = UINT64_MAX - 1;
    assert_series_refused (series, "bucket");
    series = observed ();
    series.min = 1e301;
    assert_series_refused (series, "max");
    series = observed ();
    series.sum = (double)1e300 * (double)1e300;
    assert_series_refused (series, "sum");
}
END_TEST

START_TEST (test_bounds_must_rise)
{
    mr_buffer_t section;
    mr_buffer_init (&section, 4096);
    mr_partial_metric_t metric = latency ();
    metric.bounds[1] = metric.bounds[0];
    mr_partial_series_t series = observed ();
    mr_partial_writer_t writer;
    mr_partial_begin (&writer, &section, &metric);
    mr_partial_add (&writer, &series);
    ck_assert_int_eq (mr_partial_end (&writer), MR_OK);
    ck_assert_int_eq (read_all (section.data, section.size), MR_INVALID);
    mr_buffer_release (&section);
}
END_TEST

START_TEST (test_a_metric_without_series_takes_no_room)
{
    mr_buffer_t section;
    mr_buffer_init (&section, 4096);
    mr_partial_metric_t metric = requests ();
    mr_partial_writer_t writer;
    mr_partial_begin (&writer, &section, &metric);
    ck_assert_int_eq (mr_partial_end (&writer), MR_OK);
    ck_assert_uint_eq (section.size, 0);
    mr_buffer_release (&section);
}
END_TEST

START_TEST (test_without_room_the_section_stays_as_it_was)
{
    mr_buffer_t whole;
    build (&whole);
    mr_partial_metric_t histogram = latency ();
    mr_partial_series_t series = observed ();
    for (size_t limit = 1; limit < 100; limit++) {
        mr_buffer_t section;
        mr_buffer_init (&section, limit);
        mr_partial_writer_t writer;
        mr_partial_begin (&writer, &section, &histogram);
        mr_partial_add (&writer, &series);
        mr_status_t status = mr_partial_end (&writer);
        ck_assert (status == MR_OK || (status == MR_INVALID && section.size == 0));
        mr_buffer_release (&section);
    }
    mr_buffer_release (&whole);
}
END_TEST

START_TEST (test_metrics_differ_in_kind_name_labels_or_bounds)
{
    mr_partial_metric_t a = latency ();
    mr_partial_metric_t b = latency ();
    ck_assert (mr_partial_same_metric (&a, &b));
    b.max_series = 99; /* says how many, not which */
    ck_assert (mr_partial_same_metric (&a, &b));
    b.bounds[1] = 101;
    ck_assert (!mr_partial_same_metric (&a, &b));
    b = latency ();
    b.name = text ("latencz");
    ck_assert (!mr_partial_same_metric (&a, &b));
    a = requests ();
    b = requests ();
    b.labels[1] = text ("other");
    ck_assert (!mr_partial_same_metric (&a, &b));
    b.label_count = 1;
    ck_assert (!mr_partial_same_metric (&a, &b));
}
END_TEST

START_TEST (test_series_are_added_up)
{
    mr_partial_metric_t metric = latency ();
    mr_partial_series_t sum = {.count = 0};
    mr_partial_series_t one = {.count = 2, .sum = 3, .min = 1, .max = 2, .buckets = {0, 2, 0}};
    mr_partial_series_t two = {
        .count = 1, .sum = 500, .min = 500, .max = 500, .buckets = {0, 0, 1}};
    mr_partial_merge (&metric, &sum, &one);
    ck_assert (sum.min == 1 && sum.max == 2 && sum.sum == 3);
    mr_partial_merge (&metric, &sum, &two);
    ck_assert_uint_eq (sum.count, 3);
    ck_assert (sum.min == 1 && sum.max == 500 && sum.sum == 503);
    ck_assert_uint_eq (sum.buckets[1], 2);
    ck_assert_uint_eq (sum.buckets[2], 1);
    two.sum = DBL_MAX;
    mr_partial_merge (&metric, &sum, &two);
    mr_partial_merge (&metric, &sum, &two);
    ck_assert (sum.sum == DBL_MAX);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_what_was_written_is_read,
        test_every_truncation_is_refused_or_ends_with_a_whole_metric,
        test_no_flipped_byte_leads_out_of_the_section,
        test_each_broken_field_is_named,
        test_a_histogram_that_does_not_add_up_is_refused,
        test_bounds_must_rise,
        test_a_metric_without_series_takes_no_room,
        test_without_room_the_section_stays_as_it_was,
        test_metrics_differ_in_kind_name_labels_or_bounds,
        test_series_are_added_up,
        NULL,
    };
    return mr_suite_run ("partial", tests);
}
