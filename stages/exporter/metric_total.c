#include "stages/exporter/metric_total.h"

#include "common/base/hash.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SERIES = 16, KEYS_LIMIT = 1 << 30 };

/* ---- the table ---- */

static mr_partial_text_t
copy_text (char **to, mr_partial_text_t text)
{
    mr_partial_text_t copy = {*to, text.bytes};
    if (text.bytes > 0) {
        memcpy (*to, text.data, text.bytes);
    }
    *to += text.bytes;
    return copy;
}

static mr_status_t
copy_texts (mr_metric_total_t *self, const mr_partial_metric_t *metric)
{
    size_t bytes = metric->name.bytes;
    for (uint32_t i = 0; i < metric->label_count; i++) {
        bytes += metric->labels[i].bytes;
    }
    self->texts = malloc (bytes + 1);
    if (self->texts == NULL) {
        return MR_SYSTEM;
    }
    char *to = self->texts;
    self->metric.name = copy_text (&to, metric->name);
    for (uint32_t i = 0; i < metric->label_count; i++) {
        self->metric.labels[i] = copy_text (&to, metric->labels[i]);
    }
    return MR_OK;
}

static void
place (mr_metric_total_t *self, uint32_t index)
{
    uint32_t slot = (uint32_t)self->series[index].hash & self->slot_mask;
    while (self->slots[slot] != 0) {
        slot = (slot + 1) & self->slot_mask;
    }
    self->slots[slot] = index + 1;
}

static mr_status_t
grow (mr_metric_total_t *self, uint32_t capacity)
{
    uint32_t *slots = calloc (2 * (size_t)capacity, sizeof *slots);
    mr_total_series_t *series = realloc (self->series, capacity * sizeof *series);
    self->series = series != NULL ? series : self->series;
    size_t bucket_bytes = (size_t)capacity * self->bucket_count * sizeof *self->buckets;
    uint64_t *buckets = realloc (self->buckets, bucket_bytes > 0 ? bucket_bytes : 1);
    self->buckets = buckets != NULL ? buckets : self->buckets;
    if (slots == NULL || series == NULL || buckets == NULL) {
        free (slots);
        return MR_SYSTEM;
    }
    free (self->slots);
    self->slots = slots;
    self->slot_mask = 2 * capacity - 1;
    self->capacity = capacity;
    for (uint32_t i = 0; i < self->count; i++) {
        place (self, i);
    }
    return MR_OK;
}

static bool
find (const mr_metric_total_t *self, uint64_t hash, const mr_partial_series_t *series,
      uint32_t *ret_index)
{
    uint32_t slot = (uint32_t)hash & self->slot_mask;
    for (; self->slots[slot] != 0; slot = (slot + 1) & self->slot_mask) {
        uint32_t index = self->slots[slot] - 1;
        const mr_total_series_t *at = &self->series[index];
        if (at->hash == hash && at->key_bytes == series->key_bytes &&
            (at->key_bytes == 0 ||
             memcmp (self->keys.data + at->key_at, series->key, at->key_bytes) == 0)) {
            *ret_index = index;
            return true;
        }
    }
    return false;
}

/* A series that has counted nothing yet. */
static mr_status_t
add_series (mr_metric_total_t *self, const char *key, uint32_t key_bytes, uint32_t *ret_index)
{
    if (self->count == self->capacity && grow (self, 2 * self->capacity) != MR_OK) {
        return MR_SYSTEM;
    }
    mr_total_series_t series = {
        .hash = mr_hash64 (key, key_bytes), .key_at = self->keys.size, .key_bytes = key_bytes};
    if (key_bytes > 0 && mr_buffer_append (&self->keys, key, key_bytes) != MR_OK) {
        return MR_SYSTEM;
    }
    if (self->bucket_count > 0) {
        memset (self->buckets + (size_t)self->count * self->bucket_count, 0,
                self->bucket_count * sizeof *self->buckets);
    }
    *ret_index = self->count;
    self->series[self->count] = series;
    place (self, self->count++);
    return MR_OK;
}

static mr_status_t
init (mr_metric_total_t *self, const mr_partial_metric_t *metric, const char *help)
{
    self->metric = *metric;
    self->bucket_count = metric->kind == MR_PARTIAL_HISTOGRAM ? metric->bound_count + 1 : 0;
    mr_buffer_init (&self->keys, KEYS_LIMIT);
    mr_buffer_init (&self->other, MR_PARTIAL_MAX_LABELS * (size_t)MR_PARTIAL_VALUE_BYTES);
    self->help = strdup (help);
    mr_status_t status = self->help != NULL ? copy_texts (self, metric) : MR_SYSTEM;
    for (uint32_t i = 0; status == MR_OK && i < metric->label_count; i++) {
        status = mr_partial_key_add (&self->other, "other", 5);
    }
    if (status == MR_OK) {
        status = grow (self, FIRST_SERIES);
    }
    uint32_t index;
    if (status == MR_OK && metric->label_count == 0) { /* it is there, and 0, from the start */
        status = add_series (self, "", 0, &index);
    }
    return status;
}

mr_status_t
mr_metric_total_new (const mr_partial_metric_t *metric, const char *help,
                     mr_metric_total_t **ret_total)
{
    mr_metric_total_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    mr_status_t status = init (self, metric, help);
    if (status != MR_OK) {
        mr_metric_total_destroy (&self);
        return status;
    }
    *ret_total = self;
    return MR_OK;
}

void
mr_metric_total_destroy (mr_metric_total_t **self_p)
{
    mr_metric_total_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    free (self->texts);
    free (self->help);
    free (self->series);
    free (self->buckets);
    free (self->slots);
    mr_buffer_release (&self->keys);
    mr_buffer_release (&self->other);
    free (self);
    *self_p = NULL;
}

/* ---- adding ---- */

/* The series that this one is added to: itself, or `other` when there are enough of them. */
static mr_status_t
choose (mr_metric_total_t *self, const mr_partial_series_t *series, uint32_t *ret_index,
        bool *ret_full)
{
    *ret_full = false;
    uint64_t hash = mr_hash64 (series->key, series->key_bytes);
    if (find (self, hash, series, ret_index)) {
        return MR_OK;
    }
    mr_partial_series_t other = {.key = self->other.data, .key_bytes = (uint32_t)self->other.size};
    uint64_t other_hash = mr_hash64 (other.key, other.key_bytes);
    uint32_t other_index;
    bool has_other = find (self, other_hash, &other, &other_index);
    bool is_other = series->key_bytes == other.key_bytes && hash == other_hash;
    if (is_other || self->count - has_other < self->metric.max_series) {
        return add_series (self, series->key, series->key_bytes, ret_index);
    }
    *ret_full = true;
    if (has_other) {
        *ret_index = other_index;
        return MR_OK;
    }
    return add_series (self, other.key, other.key_bytes, ret_index);
}

void
mr_metric_total_get (const mr_metric_total_t *self, uint32_t i, mr_partial_series_t *ret_series)
{
    const mr_total_series_t *series = &self->series[i];
    ret_series->key = series->key_bytes > 0 ? self->keys.data + series->key_at : "";
    ret_series->key_bytes = series->key_bytes;
    ret_series->count = series->count;
    ret_series->sum = series->sum;
    ret_series->min = series->min;
    ret_series->max = series->max;
    memcpy (ret_series->buckets, self->buckets + (size_t)i * self->bucket_count,
            self->bucket_count * sizeof *self->buckets);
}

mr_status_t
mr_metric_total_add (mr_metric_total_t *self, const mr_partial_series_t *series, bool *ret_full)
{
    uint32_t index;
    mr_status_t status = choose (self, series, &index, ret_full);
    if (status != MR_OK) {
        return status;
    }
    mr_partial_series_t sum;
    mr_metric_total_get (self, index, &sum);
    mr_partial_merge (&self->metric, &sum, series);
    mr_total_series_t *into = &self->series[index];
    into->count = sum.count;
    if (self->bucket_count > 0) {
        into->sum = sum.sum;
        into->min = sum.min;
        into->max = sum.max;
        memcpy (self->buckets + (size_t)index * self->bucket_count, sum.buckets,
                self->bucket_count * sizeof *self->buckets);
    }
    return MR_OK;
}
