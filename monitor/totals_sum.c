/* The sum of totals over workers: sort all series of a metric by labels, then fold neighbours. */
#include "monitor/totals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int
by_labels (const void *left, const void *right)
{
    const mr_series_t *a = *(const mr_series_t *const *)left;
    const mr_series_t *b = *(const mr_series_t *const *)right;
    return strcmp (a->labels, b->labels);
}

static mr_status_t
copy_series (const mr_series_t *from, mr_series_t *ret_series)
{
    *ret_series = *from;
    ret_series->labels = strdup (from->labels);
    ret_series->buckets = calloc (from->bucket_count + 1, sizeof *ret_series->buckets);
    if (ret_series->labels == NULL || ret_series->buckets == NULL) {
        ret_series->bucket_count = 0;
        return MR_SYSTEM;
    }
    if (from->bucket_count > 0) {
        memcpy (ret_series->buckets, from->buckets, from->bucket_count * sizeof *from->buckets);
    }
    return MR_OK;
}

/* Keeps the buckets that both have. */
static void
add_buckets (mr_series_t *into, const mr_series_t *from)
{
    size_t kept = 0;
    size_t j = 0;
    for (size_t i = 0; i < into->bucket_count; i++) {
        while (j < from->bucket_count && from->buckets[j].le < into->buckets[i].le) {
            j++;
        }
        if (j < from->bucket_count && from->buckets[j].le == into->buckets[i].le) {
            into->buckets[kept] = into->buckets[i];
            into->buckets[kept++].count += from->buckets[j].count;
        }
    }
    into->bucket_count = kept;
}

static void
add_series (mr_series_t *into, const mr_series_t *from)
{
    into->value += from->value;
    if (from->count > 0 && into->count == 0) { /* a minimum of nothing is no minimum */
        into->min = from->min;
        into->max = from->max;
    } else if (from->count > 0) {
        into->min = fmin (into->min, from->min);
        into->max = fmax (into->max, from->max);
    }
    add_buckets (into, from);
    into->count += from->count;
    into->sum += from->sum;
}

static const mr_metric_t *
find_metric (const mr_totals_t *totals, const char *name)
{
    for (size_t i = 0; i < totals->metric_count; i++) {
        if (strcmp (totals->metrics[i].name, name) == 0) {
            return &totals->metrics[i];
        }
    }
    return NULL;
}

/* The series of one metric in all totals, borrowed, sorted. NULL: out of memory. */
static const mr_series_t **
gather (const mr_totals_t *const *all, size_t count, const mr_metric_t *first, size_t *ret_count)
{
    size_t series_count = 0;
    for (size_t i = 0; i < count; i++) {
        const mr_metric_t *metric = find_metric (all[i], first->name);
        series_count += metric != NULL ? metric->series_count : 0;
    }
    const mr_series_t **series = calloc (series_count + 1, sizeof (mr_series_t *));
    if (series == NULL) {
        return NULL;
    }
    series_count = 0;
    for (size_t i = 0; i < count; i++) {
        const mr_metric_t *metric = find_metric (all[i], first->name);
        if (metric == NULL || metric->type != first->type) {
            continue;
        }
        for (size_t j = 0; j < metric->series_count; j++) {
            series[series_count++] = &metric->series[j];
        }
    }
    qsort (series, series_count, sizeof (mr_series_t *), by_labels);
    *ret_count = series_count;
    return series;
}

static mr_status_t
sum_metric (const mr_totals_t *const *all, size_t count, const mr_metric_t *first, mr_metric_t *sum)
{
    memcpy (sum->name, first->name, sizeof sum->name);
    sum->type = first->type;
    sum->help = strdup (first->help);
    size_t series_count = 0;
    const mr_series_t **series = gather (all, count, first, &series_count);
    sum->series = calloc (series_count + 1, sizeof *sum->series);
    mr_status_t status =
        sum->help != NULL && series != NULL && sum->series != NULL ? MR_OK : MR_SYSTEM;
    for (size_t i = 0; status == MR_OK && i < series_count; i++) {
        if (i > 0 && strcmp (series[i - 1]->labels, series[i]->labels) == 0) {
            add_series (&sum->series[sum->series_count - 1], series[i]);
        } else {
            status = copy_series (series[i], &sum->series[sum->series_count++]);
        }
    }
    free (series);
    return status;
}

mr_status_t
mr_totals_sum (const mr_totals_t *const *all, size_t count, mr_totals_t **ret_totals)
{
    mr_totals_t *sum = calloc (1, sizeof *sum);
    if (sum == NULL) {
        return MR_SYSTEM;
    }
    size_t most = 1;
    for (size_t i = 0; i < count; i++) {
        most += all[i]->metric_count;
    }
    sum->metrics = calloc (most, sizeof *sum->metrics);
    mr_status_t status = sum->metrics != NULL ? MR_OK : MR_SYSTEM;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; status == MR_OK && j < all[i]->metric_count; j++) {
            const mr_metric_t *metric = &all[i]->metrics[j];
            if (find_metric (sum, metric->name) == NULL) {
                status = sum_metric (all, count, metric, &sum->metrics[sum->metric_count++]);
            }
        }
    }
    if (status != MR_OK) {
        mr_totals_destroy (&sum);
        return status;
    }
    *ret_totals = sum;
    return MR_OK;
}
