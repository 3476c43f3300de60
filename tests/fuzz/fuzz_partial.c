/* A PARTIALS section of any bytes: what is read builds the same metric again. */
#include "common/wire/partial.h"
#include "tests/fuzz/harness.h"

#include <string.h>

static void
check_series (const mr_partial_metric_t *a, const mr_partial_metric_t *b)
{
    size_t at_a = 0;
    size_t at_b = 0;
    mr_partial_series_t x;
    mr_partial_series_t y;
    uint32_t count = 0;
    while (mr_partial_series_next (a, &at_a, &x)) {
        MR_FUZZ_CHECK (mr_partial_series_next (b, &at_b, &y));
        MR_FUZZ_CHECK (x.key_bytes == y.key_bytes && x.count == y.count && x.count > 0);
        MR_FUZZ_CHECK (x.key_bytes == 0 || memcmp (x.key, y.key, x.key_bytes) == 0);
        if (a->kind == MR_PARTIAL_HISTOGRAM) {
            MR_FUZZ_CHECK (x.sum == y.sum && x.min == y.min && x.max == y.max);
            size_t bytes = (a->bound_count + 1) * sizeof x.buckets[0];
            MR_FUZZ_CHECK (memcmp (x.buckets, y.buckets, bytes) == 0);
        }
        uint32_t position = 0;
        for (uint32_t i = 0; i < a->label_count; i++) {
            (void)mr_partial_key_next (x.key, x.key_bytes, &position);
        }
        MR_FUZZ_CHECK (position == x.key_bytes);
        count++;
    }
    MR_FUZZ_CHECK (count == a->series_count && !mr_partial_series_next (b, &at_b, &y));
}

static void
check_again (const mr_partial_metric_t *metric)
{
    mr_buffer_t section;
    mr_buffer_init (&section, 1 << 26);
    mr_partial_writer_t writer;
    mr_partial_begin (&writer, &section, metric);
    size_t at = 0;
    mr_partial_series_t series;
    while (mr_partial_series_next (metric, &at, &series)) {
        mr_partial_add (&writer, &series);
    }
    MR_FUZZ_CHECK (mr_partial_end (&writer) == MR_OK);
    size_t position = 0;
    mr_partial_metric_t again;
    MR_FUZZ_CHECK (mr_partial_next (section.data, section.size, &position, &again, NULL) == MR_OK);
    MR_FUZZ_CHECK (position == section.size && again.max_series == metric->max_series);
    MR_FUZZ_CHECK (mr_partial_same_metric (metric, &again));
    check_series (metric, &again);
    mr_buffer_release (&section);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    size_t position = 0;
    mr_partial_metric_t metric;
    mr_error_t err;
    while (mr_partial_next (data, bytes, &position, &metric, &err) == MR_OK) {
        MR_FUZZ_CHECK (position <= bytes);
        check_again (&metric);
    }
    return 0;
}
