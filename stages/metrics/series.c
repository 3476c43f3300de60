#include "stages/metrics/series.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_SERIES = 64,
    KEPT_SERIES = 4096, /* with more of them a new batch begins with none */
    KEY_LIMIT = MR_PARTIAL_MAX_LABELS * (MR_PARTIAL_VALUE_BYTES + 2),
    FEW_BOUNDS = 32,
};

/* ---- the table ---- */

static uint32_t
hash_of (const uint32_t *values, uint32_t count)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ values[i]) * UINT64_C (0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return (uint32_t)hash;
}

static uint32_t
labels_of (const mr_series_table_t *self)
{
    return self->metric->label_count;
}

static void
place (mr_series_table_t *self, uint32_t index)
{
    uint32_t labels = labels_of (self);
    uint32_t slot = hash_of (self->values + (size_t)index * labels, labels) & self->slot_mask;
    while (self->slots[slot] != 0) {
        slot = (slot + 1) & self->slot_mask;
    }
    self->slots[slot] = index + 1;
}

static mr_status_t
resize (void *array_p, size_t count, size_t bytes)
{
    void **array = array_p;
    void *bigger = realloc (*array, count * bytes > 0 ? count * bytes : 1);
    if (bigger == NULL) {
        return MR_SYSTEM;
    }
    *array = bigger;
    return MR_OK;
}

/* Room for twice as many series, in half-full slots. */
static mr_status_t
grow (mr_series_table_t *self, uint32_t capacity)
{
    uint32_t *slots = calloc (2 * (size_t)capacity, sizeof *slots);
    if (slots == NULL || resize (&self->series, capacity, sizeof *self->series) != MR_OK ||
        resize (&self->values, capacity, labels_of (self) * sizeof *self->values) != MR_OK ||
        resize (&self->buckets, capacity, self->bucket_count * sizeof *self->buckets) != MR_OK ||
        resize (&self->touched, capacity, sizeof *self->touched) != MR_OK) {
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

mr_status_t
mr_series_init (mr_series_table_t *self, const mr_partial_metric_t *metric)
{
    *self = (mr_series_table_t){.metric = metric};
    self->bucket_count = metric->kind == MR_PARTIAL_HISTOGRAM ? metric->bound_count + 1 : 0;
    mr_status_t status = grow (self, FIRST_SERIES);
    if (status != MR_OK) {
        mr_series_release (self);
    }
    return status;
}

void
mr_series_release (mr_series_table_t *self)
{
    free (self->series);
    free (self->values);
    free (self->buckets);
    free (self->slots);
    free (self->touched);
    *self = (mr_series_table_t){0};
}

void
mr_series_open (mr_series_table_t *self, bool forget)
{
    self->batch++;
    self->touched_count = 0;
    if (forget || self->count > KEPT_SERIES || self->batch == 0) {
        self->count = 0;
        self->batch = 1;
        memset (self->slots, 0, ((size_t)self->slot_mask + 1) * sizeof *self->slots);
    }
}

static mr_status_t
add (mr_series_table_t *self, const uint32_t *values, uint32_t *ret_index)
{
    if (self->count == self->capacity && grow (self, 2 * self->capacity) != MR_OK) {
        return MR_SYSTEM;
    }
    uint32_t index = self->count++;
    uint32_t labels = labels_of (self);
    if (labels > 0) {
        memcpy (self->values + (size_t)index * labels, values, labels * sizeof *values);
    }
    self->series[index].batch = 0;
    place (self, index);
    *ret_index = index;
    return MR_OK;
}

static bool
same_values (const uint32_t *a, const uint32_t *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (a[i] != b[i]) {
            return false;
        }
    }
    return true;
}

mr_status_t
mr_series_find (mr_series_table_t *self, const uint32_t *values, uint32_t *ret_index)
{
    uint32_t labels = labels_of (self);
    uint32_t slot = hash_of (values, labels) & self->slot_mask;
    while (self->slots[slot] != 0 &&
           !same_values (self->values + (size_t)(self->slots[slot] - 1) * labels, values, labels)) {
        slot = (slot + 1) & self->slot_mask;
    }
    uint32_t index = self->slots[slot] - 1;
    if (self->slots[slot] == 0 && add (self, values, &index) != MR_OK) {
        return MR_SYSTEM;
    }
    mr_series_t *series = &self->series[index];
    if (series->batch != self->batch) {
        *series = (mr_series_t){.batch = self->batch};
        if (self->bucket_count > 0) {
            memset (self->buckets + (size_t)index * self->bucket_count, 0,
                    self->bucket_count * sizeof *self->buckets);
        }
        self->touched[self->touched_count++] = index;
    }
    *ret_index = index;
    return MR_OK;
}

/* How many bounds are below the value: the bucket that it falls into. */
static uint32_t
bucket_of (const mr_partial_metric_t *metric, double value)
{
    uint32_t low = 0;
    uint32_t count = metric->bound_count;
    while (count > FEW_BOUNDS) {
        uint32_t half = count / 2;
        if (metric->bounds[low + half - 1] < value) {
            low += half;
        }
        count -= half;
    }
    uint32_t below = low;
    for (uint32_t i = low; i < low + count; i++) {
        below += metric->bounds[i] < value;
    }
    return below;
}

void
mr_series_observe (mr_series_table_t *self, uint32_t index, double value)
{
    mr_series_t *series = &self->series[index];
    if (series->count++ == 0) {
        series->min = value;
        series->max = value;
    }
    series->sum += value;
    series->min = value < series->min ? value : series->min;
    series->max = value > series->max ? value : series->max;
    self->buckets[(size_t)index * self->bucket_count + bucket_of (self->metric, value)]++;
}

/* ---- what goes on ---- */

static void
partial_of (const mr_series_table_t *self, uint32_t index, mr_partial_series_t *partial)
{
    const mr_series_t *series = &self->series[index];
    partial->count = series->count;
    partial->sum = series->sum > DBL_MAX    ? DBL_MAX
                   : series->sum < -DBL_MAX ? -DBL_MAX
                                            : series->sum;
    partial->min = series->min;
    partial->max = series->max;
    for (uint32_t i = 0; i < self->bucket_count; i++) {
        partial->buckets[i] = self->buckets[(size_t)index * self->bucket_count + i];
    }
}

static mr_status_t
make_key (const mr_series_table_t *self, const mr_values_t *values, const uint32_t *numbers,
          mr_buffer_t *key)
{
    mr_status_t status = MR_OK;
    mr_buffer_clear (key);
    for (uint32_t i = 0; status == MR_OK && i < labels_of (self); i++) {
        status = mr_values_key (values, numbers[i], key);
    }
    return status;
}

static mr_status_t
add_each (const mr_series_table_t *self, const mr_values_t *values, mr_partial_writer_t *writer,
          mr_buffer_t *key)
{
    mr_status_t status = MR_OK;
    mr_partial_series_t partial;
    for (uint32_t i = 0; status == MR_OK && i < self->touched_count; i++) {
        uint32_t index = self->touched[i];
        status = make_key (self, values, self->values + (size_t)index * labels_of (self), key);
        if (status == MR_OK) {
            partial_of (self, index, &partial);
            partial.key = key->data;
            partial.key_bytes = (uint32_t)key->size;
            mr_partial_add (writer, &partial);
        }
    }
    return status;
}

static mr_status_t
add_folded (const mr_series_table_t *self, const mr_values_t *values, mr_partial_writer_t *writer,
            mr_buffer_t *key)
{
    uint32_t others[MR_PARTIAL_MAX_LABELS];
    for (uint32_t i = 0; i < MR_PARTIAL_MAX_LABELS; i++) {
        others[i] = MR_VALUE_OTHER;
    }
    mr_status_t status = make_key (self, values, others, key);
    mr_partial_series_t sum = {.key = key->data, .key_bytes = (uint32_t)key->size};
    mr_partial_series_t partial;
    for (uint32_t i = 0; i < self->touched_count; i++) {
        partial_of (self, self->touched[i], &partial);
        mr_partial_merge (self->metric, &sum, &partial);
    }
    if (status == MR_OK && sum.count > 0) {
        mr_partial_add (writer, &sum);
    }
    return status;
}

mr_status_t
mr_series_append (const mr_series_table_t *self, const mr_values_t *values, bool folded,
                  mr_buffer_t *section)
{
    mr_buffer_t key;
    mr_buffer_init (&key, KEY_LIMIT + 16);
    mr_partial_writer_t writer;
    mr_partial_begin (&writer, section, self->metric);
    mr_status_t status =
        folded ? add_folded (self, values, &writer, &key) : add_each (self, values, &writer, &key);
    mr_status_t end = mr_partial_end (&writer);
    mr_buffer_release (&key);
    return status != MR_OK ? status : end;
}

uint64_t
mr_series_records (const mr_series_table_t *self)
{
    uint64_t records = 0;
    for (uint32_t i = 0; i < self->touched_count; i++) {
        records += self->series[self->touched[i]].count;
    }
    return records;
}
