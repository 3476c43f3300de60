#include "stages/exporter/metric_rows.h"

#include "common/wire/jsontext.h"
#include "common/wire/jsonwriter.h"

#include <string.h>

enum { BOUND_BYTES = 64 };

static const char *
kind_name (mr_partial_kind_t kind)
{
    switch (kind) {
    case MR_PARTIAL_COUNTER:
        return "counter";
    case MR_PARTIAL_HISTOGRAM:
        return "histogram";
    }
    return "";
}

/* A key that may need escapes, written with its colon; the value follows without a key. */
static void
write_label (mr_jsonwriter_t *json, mr_partial_text_t name, mr_partial_text_t value)
{
    mr_jsonwriter_string (json, NULL, name.data, name.bytes);
    json->comma = false;
    mr_jsonwriter_raw (json, NULL, ":", 1);
    json->comma = false;
    mr_jsonwriter_string (json, NULL, value.data, value.bytes);
}

static void
write_labels (mr_jsonwriter_t *json, const mr_partial_metric_t *metric,
              const mr_partial_series_t *series)
{
    mr_jsonwriter_open (json, "labels", '{');
    uint32_t position = 0;
    for (uint32_t i = 0; i < metric->label_count; i++) {
        mr_partial_text_t value = mr_partial_key_next (series->key, series->key_bytes, &position);
        write_label (json, metric->labels[i], value);
    }
    mr_jsonwriter_close (json, '}');
}

/* A bound as JSON, terminated. */
static void
format_bound (double bound, char ret_text[BOUND_BYTES])
{
    mr_buffer_t text;
    mr_buffer_init (&text, BOUND_BYTES - 1);
    size_t bytes = 0;
    if (mr_jsontext_number (&text, bound) == MR_OK) {
        bytes = text.size;
        memcpy (ret_text, text.data, bytes);
    }
    ret_text[bytes] = '\0';
    mr_buffer_release (&text);
}

static void
write_bucket_members (mr_jsonwriter_t *json, const mr_partial_metric_t *metric,
                      const mr_partial_series_t *series)
{
    mr_jsonwriter_open (json, "buckets", '{');
    uint64_t below = 0;
    for (uint32_t i = 0; i < metric->bound_count; i++) {
        char bound[BOUND_BYTES];
        format_bound (metric->bounds[i], bound);
        below += series->buckets[i];
        mr_jsonwriter_u64 (json, bound, below);
    }
    mr_jsonwriter_u64 (json, "+Inf", series->count);
    mr_jsonwriter_close (json, '}');
}

static void
write_bucket_pairs (mr_jsonwriter_t *json, const mr_partial_metric_t *metric,
                    const mr_partial_series_t *series)
{
    mr_jsonwriter_open (json, "buckets", '[');
    uint64_t below = 0;
    for (uint32_t i = 0; i < metric->bound_count; i++) {
        below += series->buckets[i];
        mr_jsonwriter_open (json, NULL, '[');
        mr_jsonwriter_double (json, NULL, metric->bounds[i]);
        mr_jsonwriter_u64 (json, NULL, below);
        mr_jsonwriter_close (json, ']');
    }
    mr_jsonwriter_open (json, NULL, '[');
    mr_jsonwriter_text (json, NULL, "+Inf");
    mr_jsonwriter_u64 (json, NULL, series->count);
    mr_jsonwriter_close (json, ']');
    mr_jsonwriter_close (json, ']');
}

static void
write_numbers (mr_jsonwriter_t *json, const mr_partial_metric_t *metric,
               const mr_partial_series_t *series)
{
    if (metric->kind == MR_PARTIAL_COUNTER) {
        mr_jsonwriter_u64 (json, "value", series->count);
        return;
    }
    mr_jsonwriter_u64 (json, "count", series->count);
    mr_jsonwriter_double (json, "sum", series->sum);
    if (series->count == 0) {
        mr_jsonwriter_null (json, "min");
        mr_jsonwriter_null (json, "max");
    } else {
        mr_jsonwriter_double (json, "min", series->min);
        mr_jsonwriter_double (json, "max", series->max);
    }
}

/* ---- rows ---- */

static mr_status_t
append_row (const mr_metric_total_t *total, uint32_t i, const char *worker, int64_t wall_ns,
            mr_buffer_t *out)
{
    const mr_partial_metric_t *metric = &total->metric;
    mr_partial_series_t series;
    mr_metric_total_get (total, i, &series);
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, out);
    mr_jsonwriter_open (&json, NULL, '{');
    mr_jsonwriter_string (&json, "metric", metric->name.data, metric->name.bytes);
    mr_jsonwriter_text (&json, "type", kind_name (metric->kind));
    write_labels (&json, metric, &series);
    write_numbers (&json, metric, &series);
    if (metric->kind == MR_PARTIAL_HISTOGRAM) {
        write_bucket_members (&json, metric, &series);
    }
    mr_jsonwriter_text (&json, "worker", worker);
    mr_jsonwriter_time (&json, "ts", wall_ns);
    mr_jsonwriter_close (&json, '}');
    json.comma = false;
    mr_jsonwriter_raw (&json, NULL, "\n", 1);
    return mr_jsonwriter_finish (&json);
}

mr_status_t
mr_metric_rows (const mr_metric_totals_t *totals, const char *worker, int64_t wall_ns,
                mr_buffer_t *out)
{
    size_t start = out->size;
    mr_status_t status = MR_OK;
    for (size_t i = 0; i < totals->count; i++) {
        for (uint32_t j = 0; status == MR_OK && j < totals->metrics[i]->count; j++) {
            status = append_row (totals->metrics[i], j, worker, wall_ns, out);
        }
    }
    if (status != MR_OK) {
        out->size = start;
    }
    return status;
}

/* ---- the event ---- */

static void
write_series (mr_jsonwriter_t *json, const mr_partial_metric_t *metric,
              const mr_partial_series_t *series)
{
    mr_jsonwriter_open (json, NULL, '{');
    write_labels (json, metric, series);
    write_numbers (json, metric, series);
    if (metric->kind == MR_PARTIAL_HISTOGRAM) {
        write_bucket_pairs (json, metric, series);
    }
    mr_jsonwriter_close (json, '}');
}

/* The first `most` series, and the sum of the others, wherever that stands among them. */
static void
write_all_series (mr_jsonwriter_t *json, const mr_metric_total_t *total, uint32_t most)
{
    mr_partial_series_t other = {.key = total->other.data,
                                 .key_bytes = (uint32_t)total->other.size};
    bool cut = total->count > most;
    uint32_t written = 0;
    for (uint32_t i = 0; i < total->count; i++) {
        mr_partial_series_t series;
        mr_metric_total_get (total, i, &series);
        bool is_other = series.key_bytes == other.key_bytes && series.key_bytes > 0 &&
                        memcmp (series.key, other.key, other.key_bytes) == 0;
        if (!cut || (!is_other && written < most)) {
            write_series (json, &total->metric, &series);
            written++;
        } else if (series.count > 0) {
            mr_partial_merge (&total->metric, &other, &series);
        }
    }
    if (other.count > 0) {
        write_series (json, &total->metric, &other);
    }
}

mr_status_t
mr_metric_rows_event (const mr_metric_totals_t *totals, uint32_t most, mr_buffer_t *out)
{
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, out);
    mr_jsonwriter_open (&json, "metrics", '[');
    for (size_t i = 0; i < totals->count; i++) {
        const mr_metric_total_t *total = totals->metrics[i];
        mr_jsonwriter_open (&json, NULL, '{');
        mr_jsonwriter_string (&json, "metric", total->metric.name.data, total->metric.name.bytes);
        mr_jsonwriter_text (&json, "type", kind_name (total->metric.kind));
        mr_jsonwriter_text (&json, "help", total->help);
        mr_jsonwriter_open (&json, "series", '[');
        write_all_series (&json, total, most);
        mr_jsonwriter_close (&json, ']');
        mr_jsonwriter_close (&json, '}');
    }
    mr_jsonwriter_close (&json, ']');
    return mr_jsonwriter_finish (&json);
}
