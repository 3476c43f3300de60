#include "monitor/totals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What every function here that reads a list has at hand. */
typedef struct reader {
    mr_error_t *err;
    const char *metric;
} reader_t;

static mr_status_t
invalid (const reader_t *reader, const char *what)
{
    mr_error_set (reader->err, "totals: metric %s: bad %s", reader->metric, what);
    return MR_INVALID;
}

static mr_status_t
out_of_memory (const reader_t *reader)
{
    mr_error_set (reader->err, "totals: out of memory");
    return MR_SYSTEM;
}

static void
release_metric (mr_metric_t *metric)
{
    for (size_t i = 0; i < metric->series_count; i++) {
        free (metric->series[i].labels);
        free (metric->series[i].buckets);
    }
    free (metric->series);
    free (metric->help);
}

void
mr_totals_destroy (mr_totals_t **self_p)
{
    mr_totals_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->metric_count; i++) {
        release_metric (&self->metrics[i]);
    }
    free (self->metrics);
    free (self);
    *self_p = NULL;
}

/* Label values that are not strings are taken as their JSON text. */
static mr_status_t
read_labels (const json_t *labels, mr_series_t *series, const reader_t *reader)
{
    if (!json_is_object (labels)) {
        return invalid (reader, "labels");
    }
    json_t *texts = json_object ();
    const char *name;
    json_t *value;
    int failed = texts == NULL;
    json_object_foreach ((json_t *)labels, name, value)
    {
        if (json_is_object (value) || json_is_array (value)) {
            json_decref (texts);
            return invalid (reader, "labels");
        }
        if (json_is_string (value)) {
            failed |= json_object_set (texts, name, value) != 0;
        } else {
            char *text = json_dumps (value, JSON_ENCODE_ANY | JSON_REAL_PRECISION (15));
            failed |= text == NULL || json_object_set_new (texts, name, json_string (text)) != 0;
            free (text);
        }
    }
    series->labels = failed ? NULL : json_dumps (texts, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref (texts);
    return series->labels != NULL ? MR_OK : out_of_memory (reader);
}

/* [le, count]; le "+Inf" is the series' own count and needs no bucket. */
static mr_status_t
read_buckets (const json_t *list, mr_series_t *series, const reader_t *reader)
{
    size_t count = json_array_size (list);
    series->buckets = calloc (count > 0 ? count : 1, sizeof *series->buckets);
    if (series->buckets == NULL) {
        return out_of_memory (reader);
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *le = json_array_get (json_array_get (list, i), 0);
        const json_t *value = json_array_get (json_array_get (list, i), 1);
        if (!json_is_integer (value) || json_integer_value (value) < 0) {
            return invalid (reader, "buckets");
        }
        if (json_is_string (le) && strcmp (json_string_value (le), "+Inf") == 0) {
            continue;
        }
        mr_bucket_t bucket = {json_number_value (le), (uint64_t)json_integer_value (value)};
        const mr_bucket_t *last =
            series->bucket_count > 0 ? &series->buckets[series->bucket_count - 1] : NULL;
        if (!json_is_number (le) || bucket.count > series->count ||
            (last != NULL && (bucket.le <= last->le || bucket.count < last->count))) {
            return invalid (reader, "buckets");
        }
        series->buckets[series->bucket_count++] = bucket;
    }
    return MR_OK;
}

static mr_status_t
read_histogram (mr_fields_t *fields, mr_series_t *series, const reader_t *reader)
{
    mr_fields_u64 (fields, "count", &series->count);
    mr_fields_double (fields, "sum", 0, &series->sum);
    mr_fields_double (fields, "min", NAN, &series->min);
    mr_fields_double (fields, "max", NAN, &series->max);
    const json_t *buckets = mr_fields_array (fields, "buckets");
    return fields->status == MR_OK ? read_buckets (buckets, series, reader) : fields->status;
}

static mr_status_t
read_series (const json_t *list, mr_metric_t *metric, const reader_t *reader)
{
    size_t count = json_array_size (list);
    metric->series = calloc (count > 0 ? count : 1, sizeof *metric->series);
    if (metric->series == NULL) {
        return out_of_memory (reader);
    }
    for (size_t i = 0; i < count; i++) {
        mr_series_t *series = &metric->series[metric->series_count++];
        const json_t *object = json_array_get (list, i);
        mr_fields_t fields;
        mr_fields_init (&fields, object, "totals: series", reader->err);
        mr_status_t status = fields.status;
        if (status == MR_OK) {
            status = read_labels (json_object_get (object, "labels"), series, reader);
        }
        if (status == MR_OK && metric->type == MR_METRIC_HISTOGRAM) {
            status = read_histogram (&fields, series, reader);
        } else if (status == MR_OK) {
            mr_fields_double (&fields, "value", 0, &series->value);
            status = fields.status;
        }
        if (status != MR_OK) {
            return status;
        }
    }
    return MR_OK;
}

static mr_status_t
read_metric (const json_t *object, mr_metric_t *metric, mr_error_t *err)
{
    mr_fields_t fields;
    mr_fields_init (&fields, object, "totals: metric", err);
    mr_fields_name (&fields, "metric", metric->name);
    char type[MR_EVENT_NAME_BYTES] = "";
    mr_fields_name (&fields, "type", type);
    const json_t *series = mr_fields_array (&fields, "series");
    if (fields.status != MR_OK) {
        return fields.status;
    }
    reader_t reader = {.err = err, .metric = metric->name};
    if (strcmp (type, "histogram") == 0) {
        metric->type = MR_METRIC_HISTOGRAM;
    } else if (strcmp (type, "counter") != 0) {
        return invalid (&reader, "type");
    }
    const char *help = json_string_value (json_object_get (object, "help"));
    metric->help = strdup (help != NULL ? help : "");
    return metric->help != NULL ? read_series (series, metric, &reader) : out_of_memory (&reader);
}

mr_status_t
mr_totals_decode (const json_t *event, mr_totals_t **ret_totals, mr_error_t *err)
{
    mr_totals_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        mr_error_set (err, "totals: out of memory");
        return MR_SYSTEM;
    }
    mr_fields_t fields;
    mr_fields_init (&fields, event, "totals", err);
    mr_fields_stamp (&fields, &self->stamp);
    const json_t *list = mr_fields_array (&fields, "metrics");
    size_t count = json_array_size (list);
    self->metrics = calloc (count > 0 ? count : 1, sizeof *self->metrics);
    if (self->metrics == NULL) {
        free (self);
        mr_error_set (err, "totals: out of memory");
        return MR_SYSTEM;
    }
    mr_status_t status = fields.status;
    for (size_t i = 0; status == MR_OK && i < count; i++) {
        status = read_metric (json_array_get (list, i), &self->metrics[self->metric_count++], err);
    }
    if (status != MR_OK) {
        mr_totals_destroy (&self);
        return status;
    }
    *ret_totals = self;
    return MR_OK;
}

static int
by_weight (const void *left, const void *right)
{
    const mr_series_t *a = *(const mr_series_t *const *)left;
    const mr_series_t *b = *(const mr_series_t *const *)right;
    if (a->count != b->count) {
        return a->count < b->count ? 1 : -1;
    }
    return (a->value < b->value) - (a->value > b->value);
}

static void
write_series (mr_jsonwriter_t *json, mr_metric_type_t type, const mr_series_t *series)
{
    mr_jsonwriter_open (json, NULL, '{');
    mr_jsonwriter_raw (json, "labels", series->labels, strlen (series->labels));
    switch (type) {
    case MR_METRIC_COUNTER:
        mr_jsonwriter_double (json, "value", series->value);
        break;
    case MR_METRIC_HISTOGRAM:
        mr_jsonwriter_u64 (json, "count", series->count);
        mr_jsonwriter_double (json, "sum", series->sum);
        mr_jsonwriter_double (json, "min", series->min);
        mr_jsonwriter_double (json, "max", series->max);
        mr_jsonwriter_open (json, "buckets", '[');
        for (size_t i = 0; i < series->bucket_count; i++) {
            mr_jsonwriter_open (json, NULL, '[');
            mr_jsonwriter_double (json, NULL, series->buckets[i].le);
            mr_jsonwriter_u64 (json, NULL, series->buckets[i].count);
            mr_jsonwriter_close (json, ']');
        }
        mr_jsonwriter_close (json, ']');
        break;
    }
    mr_jsonwriter_close (json, '}');
}

static void
write_metric (mr_jsonwriter_t *json, const mr_metric_t *metric, size_t most)
{
    mr_jsonwriter_open (json, NULL, '{');
    mr_jsonwriter_text (json, "metric", metric->name);
    mr_jsonwriter_text (json, "type", metric->type == MR_METRIC_COUNTER ? "counter" : "histogram");
    mr_jsonwriter_text (json, "help", metric->help);
    const mr_series_t **order = NULL;
    if (most > 0) {
        mr_jsonwriter_u64 (json, "series_total", metric->series_count);
        order = calloc (metric->series_count + 1, sizeof (mr_series_t *));
    }
    if (order != NULL) {
        for (size_t i = 0; i < metric->series_count; i++) {
            order[i] = &metric->series[i];
        }
        qsort (order, metric->series_count, sizeof (mr_series_t *), by_weight);
    }
    size_t shown = most > 0 && most < metric->series_count ? most : metric->series_count;
    mr_jsonwriter_open (json, "series", '[');
    for (size_t i = 0; i < shown; i++) {
        write_series (json, metric->type, order != NULL ? order[i] : &metric->series[i]);
    }
    mr_jsonwriter_close (json, ']');
    mr_jsonwriter_close (json, '}');
    free (order);
}

void
mr_totals_write_metrics (mr_jsonwriter_t *json, const mr_totals_t *totals, size_t most)
{
    mr_jsonwriter_open (json, "metrics", '[');
    for (size_t i = 0; i < totals->metric_count; i++) {
        write_metric (json, &totals->metrics[i], most);
    }
    mr_jsonwriter_close (json, ']');
}

void
mr_totals_write (mr_jsonwriter_t *json, const char *key, const mr_totals_t *totals)
{
    mr_jsonwriter_open (json, key, '{');
    mr_jsonwriter_text (json, "worker", totals->stamp.worker);
    mr_jsonwriter_hex (json, "incarnation", totals->stamp.incarnation);
    mr_jsonwriter_u64 (json, "event_seq", totals->stamp.event_seq);
    mr_jsonwriter_time (json, "ts", totals->stamp.ts_ns);
    mr_totals_write_metrics (json, totals, 0);
    mr_jsonwriter_close (json, '}');
}
