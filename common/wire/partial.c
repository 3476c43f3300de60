#include "common/wire/partial.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* The start of a metric. Behind it: bounds, name, names of labels, series, zeros up to a multiple
 * of 8. PROTOCOL.md names each byte. */
typedef struct block {
    uint32_t block_bytes;
    uint8_t kind;
    uint8_t label_count;
    uint16_t bound_count;
    uint32_t series_count;
    uint32_t max_series;
    uint16_t name_bytes;
    uint16_t labels_bytes;
    uint32_t reserved;
} block_t;

enum { BLOCK_BYTES = 24, VARINT_BYTES = 10, FIXED_BYTES = 3 * 8 };
_Static_assert(sizeof (block_t) == BLOCK_BYTES, "block layout");
_Static_assert(sizeof (double) == 8 && DBL_MANT_DIG == 53, "f64 is IEEE 754 binary64");

/* ---- numbers of variable length: 7 bits a byte, the lowest first, the top bit: more follows ----
 */

static size_t
put_varint (char *to, uint64_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) {
        to[n++] = (char)(value | 0x80);
    }
    to[n++] = (char)value;
    return n;
}

/* The bytes still to be read. */
typedef struct cursor {
    const char *at;
    const char *end;
} cursor_t;

static bool
take_varint (cursor_t *cursor, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && cursor->at < cursor->end; shift += 7) {
        uint64_t bits = (uint8_t)*cursor->at++;
        if (shift == 63 && bits > 1) {
            return false;
        }
        value |= (bits & 0x7f) << shift;
        if (bits < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool
take_bytes (cursor_t *cursor, void *to, size_t bytes)
{
    if ((size_t)(cursor->end - cursor->at) < bytes) {
        return false;
    }
    if (bytes > 0) {
        memcpy (to, cursor->at, bytes);
    }
    cursor->at += bytes;
    return true;
}

/* Text behind its length. */
static bool
take_text (cursor_t *cursor, uint64_t most, mr_partial_text_t *ret_text)
{
    uint64_t bytes;
    if (!take_varint (cursor, &bytes) || bytes > most ||
        bytes > (uint64_t)(cursor->end - cursor->at)) {
        return false;
    }
    *ret_text = (mr_partial_text_t){cursor->at, (uint32_t)bytes};
    cursor->at += bytes;
    return true;
}

/* ---- keys ---- */

mr_status_t
mr_partial_key_add (mr_buffer_t *key, const char *value, uint32_t bytes)
{
    MR_ASSERT (bytes <= MR_PARTIAL_VALUE_BYTES);
    mr_status_t status = mr_buffer_reserve (key, VARINT_BYTES + (size_t)bytes);
    if (status != MR_OK) {
        return status;
    }
    key->size += put_varint (key->data + key->size, bytes);
    return mr_buffer_append (key, value, bytes);
}

mr_partial_text_t
mr_partial_key_next (const char *key, uint32_t bytes, uint32_t *position)
{
    cursor_t cursor = {key + *position, key + bytes};
    mr_partial_text_t text;
    bool whole = take_text (&cursor, MR_PARTIAL_VALUE_BYTES, &text);
    MR_ASSERT (whole);
    *position = (uint32_t)(cursor.at - key);
    return text;
}

/* ---- writing ---- */

static void
put (mr_partial_writer_t *self, const void *data, size_t bytes)
{
    if (self->status == MR_OK && bytes > 0) {
        self->status = mr_buffer_append (self->out, data, bytes);
    }
}

void
mr_partial_begin (mr_partial_writer_t *self, mr_buffer_t *out, const mr_partial_metric_t *metric)
{
    MR_ASSERT (out->size % 8 == 0 && metric->max_series > 0);
    MR_ASSERT (metric->name.bytes > 0 && metric->name.bytes <= MR_PARTIAL_NAME_BYTES);
    MR_ASSERT (metric->label_count <= MR_PARTIAL_MAX_LABELS);
    MR_ASSERT (metric->bound_count <= MR_PARTIAL_MAX_BOUNDS);
    *self = (mr_partial_writer_t){.out = out, .metric = metric, .start = out->size};
    block_t block = {
        .kind = (uint8_t)metric->kind,
        .label_count = (uint8_t)metric->label_count,
        .bound_count = (uint16_t)metric->bound_count,
        .max_series = metric->max_series,
        .name_bytes = (uint16_t)metric->name.bytes,
    };
    put (self, &block, sizeof block);
    put (self, metric->bounds, metric->bound_count * sizeof metric->bounds[0]);
    put (self, metric->name.data, metric->name.bytes);
    size_t labels = out->size;
    for (uint32_t i = 0; i < metric->label_count; i++) {
        MR_ASSERT (metric->labels[i].bytes <= MR_PARTIAL_NAME_BYTES);
        char length[VARINT_BYTES];
        put (self, length, put_varint (length, metric->labels[i].bytes));
        put (self, metric->labels[i].data, metric->labels[i].bytes);
    }
    if (self->status == MR_OK) {
        block.labels_bytes = (uint16_t)(out->size - labels);
        memcpy (out->data + self->start, &block, sizeof block);
    }
}

void
mr_partial_add (mr_partial_writer_t *self, const mr_partial_series_t *series)
{
    MR_ASSERT (series->count > 0);
    char numbers[VARINT_BYTES + FIXED_BYTES];
    put (self, series->key, series->key_bytes);
    put (self, numbers, put_varint (numbers, series->count));
    if (self->metric->kind == MR_PARTIAL_HISTOGRAM) {
        put (self, &series->sum, sizeof series->sum);
        put (self, &series->min, sizeof series->min);
        put (self, &series->max, sizeof series->max);
        for (uint32_t i = 0; i <= self->metric->bound_count; i++) {
            put (self, numbers, put_varint (numbers, series->buckets[i]));
        }
    }
    self->series++;
}

mr_status_t
mr_partial_end (mr_partial_writer_t *self)
{
    if (self->series == 0 || self->status != MR_OK) {
        self->out->size = self->start;
        return self->status;
    }
    static const char zeros[8] = "";
    put (self, zeros, (8 - self->out->size % 8) % 8);
    size_t bytes = self->out->size - self->start;
    if (self->status == MR_OK && bytes > UINT32_MAX) {
        self->status = MR_INVALID;
    }
    if (self->status != MR_OK) {
        self->out->size = self->start;
        return self->status;
    }
    block_t block;
    memcpy (&block, self->out->data + self->start, sizeof block);
    block.block_bytes = (uint32_t)bytes;
    block.series_count = self->series;
    memcpy (self->out->data + self->start, &block, sizeof block);
    return MR_OK;
}

/* ---- reading ---- */

static const char *
take_numbers (cursor_t *cursor, const mr_partial_metric_t *metric, mr_partial_series_t *series)
{
    if (!take_varint (cursor, &series->count) || series->count == 0) {
        return "count";
    }
    if (metric->kind == MR_PARTIAL_COUNTER) {
        return NULL;
    }
    if (!take_bytes (cursor, &series->sum, 8) || !isfinite (series->sum)) {
        return "sum";
    }
    if (!take_bytes (cursor, &series->min, 8) || !isfinite (series->min)) {
        return "min";
    }
    if (!take_bytes (cursor, &series->max, 8) || !isfinite (series->max) ||
        series->max < series->min) {
        return "max";
    }
    uint64_t rest = series->count;
    for (uint32_t i = 0; i <= metric->bound_count; i++) {
        if (!take_varint (cursor, &series->buckets[i]) || series->buckets[i] > rest) {
            return "bucket";
        }
        rest -= series->buckets[i];
    }
    return rest == 0 ? NULL : "bucket";
}

/* NULL, or the name of the field that is broken. */
static const char *
take_series (cursor_t *cursor, const mr_partial_metric_t *metric, mr_partial_series_t *series)
{
    series->key = cursor->at;
    for (uint32_t i = 0; i < metric->label_count; i++) {
        mr_partial_text_t value;
        if (!take_text (cursor, MR_PARTIAL_VALUE_BYTES, &value)) {
            return "label value";
        }
    }
    series->key_bytes = (uint32_t)(cursor->at - series->key);
    return take_numbers (cursor, metric, series);
}

static const char *
take_bounds (cursor_t *cursor, mr_partial_metric_t *metric)
{
    for (uint32_t i = 0; i < metric->bound_count; i++) {
        double *bound = &metric->bounds[i];
        if (!take_bytes (cursor, bound, sizeof *bound) || !isfinite (*bound) ||
            (i > 0 && *bound <= bound[-1])) {
            return "bounds";
        }
    }
    return NULL;
}

static const char *
take_names (cursor_t *cursor, const block_t *block, mr_partial_metric_t *metric)
{
    if (block->name_bytes == 0 || block->name_bytes > MR_PARTIAL_NAME_BYTES ||
        block->name_bytes > cursor->end - cursor->at) {
        return "name_bytes";
    }
    metric->name = (mr_partial_text_t){cursor->at, block->name_bytes};
    cursor->at += block->name_bytes;
    const char *labels = cursor->at;
    for (uint32_t i = 0; i < metric->label_count; i++) {
        if (!take_text (cursor, MR_PARTIAL_NAME_BYTES, &metric->labels[i])) {
            return "label";
        }
    }
    return cursor->at - labels == block->labels_bytes ? NULL : "labels_bytes";
}

static const char *
take_metric (cursor_t *cursor, const block_t *block, mr_partial_metric_t *metric)
{
    if (block->kind != MR_PARTIAL_COUNTER && block->kind != MR_PARTIAL_HISTOGRAM) {
        return "kind";
    }
    metric->kind = (mr_partial_kind_t)block->kind;
    metric->label_count = block->label_count;
    metric->bound_count = block->bound_count;
    metric->max_series = block->max_series;
    metric->series_count = block->series_count;
    if (metric->label_count > MR_PARTIAL_MAX_LABELS) {
        return "label_count";
    }
    if (metric->bound_count > MR_PARTIAL_MAX_BOUNDS ||
        (metric->kind == MR_PARTIAL_COUNTER && metric->bound_count > 0)) {
        return "bound_count";
    }
    if (metric->max_series == 0) {
        return "max_series";
    }
    const char *bad = take_bounds (cursor, metric);
    if (bad == NULL) {
        bad = take_names (cursor, block, metric);
    }
    metric->series = cursor->at;
    mr_partial_series_t series;
    for (uint32_t i = 0; bad == NULL && i < metric->series_count; i++) {
        bad = take_series (cursor, metric, &series);
    }
    metric->series_bytes = (size_t)(cursor->at - metric->series);
    if (bad == NULL && (metric->series_count == 0 || cursor->end - cursor->at >= 8)) {
        bad = "series_count";
    }
    return bad;
}

static mr_status_t
invalid (mr_error_t *err, const char *field, size_t position)
{
    mr_error_set (err, "partials: bad %s in the metric at byte %zu", field, position);
    return MR_INVALID;
}

mr_status_t
mr_partial_next (const void *section, size_t bytes, size_t *position,
                 mr_partial_metric_t *ret_metric, mr_error_t *err)
{
    MR_ASSERT (*position <= bytes);
    size_t rest = bytes - *position;
    if (rest == 0) {
        return MR_CLOSED;
    }
    block_t block;
    if (rest < sizeof block) {
        return invalid (err, "size", *position);
    }
    const char *start = (const char *)section + *position;
    memcpy (&block, start, sizeof block);
    if (block.block_bytes < sizeof block || block.block_bytes > rest ||
        block.block_bytes % 8 != 0) {
        return invalid (err, "block_bytes", *position);
    }
    cursor_t cursor = {start + sizeof block, start + block.block_bytes};
    mr_partial_metric_t metric;
    const char *bad = take_metric (&cursor, &block, &metric);
    if (bad != NULL) {
        return invalid (err, bad, *position);
    }
    *ret_metric = metric;
    *position += block.block_bytes;
    return MR_OK;
}

bool
mr_partial_series_next (const mr_partial_metric_t *metric, size_t *position,
                        mr_partial_series_t *ret_series)
{
    if (*position == metric->series_bytes) {
        return false;
    }
    cursor_t cursor = {metric->series + *position, metric->series + metric->series_bytes};
    const char *bad = take_series (&cursor, metric, ret_series);
    MR_ASSERT (bad == NULL);
    *position = (size_t)(cursor.at - metric->series);
    return true;
}

/* ---- comparing and adding ---- */

static bool
same_text (mr_partial_text_t a, mr_partial_text_t b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp (a.data, b.data, a.bytes) == 0);
}

bool
mr_partial_same_metric (const mr_partial_metric_t *a, const mr_partial_metric_t *b)
{
    if (a->kind != b->kind || a->label_count != b->label_count ||
        a->bound_count != b->bound_count || !same_text (a->name, b->name)) {
        return false;
    }
    for (uint32_t i = 0; i < a->label_count; i++) {
        if (!same_text (a->labels[i], b->labels[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < a->bound_count; i++) {
        if (a->bounds[i] != b->bounds[i]) {
            return false;
        }
    }
    return true;
}

void
mr_partial_merge (const mr_partial_metric_t *metric, mr_partial_series_t *into,
                  const mr_partial_series_t *from)
{
    bool first = into->count == 0;
    if (into->count > UINT64_MAX - from->count) {
        return;
    }
    into->count += from->count;
    if (metric->kind == MR_PARTIAL_COUNTER) {
        return;
    }
    double sum = first ? from->sum : into->sum + from->sum;
    into->sum = sum > DBL_MAX ? DBL_MAX : sum < -DBL_MAX ? -DBL_MAX : sum;
    into->min = first || from->min < into->min ? from->min : into->min;
    into->max = first || from->max > into->max ? from->max : into->max;
    for (uint32_t i = 0; i <= metric->bound_count; i++) {
        into->buckets[i] = first ? from->buckets[i] : into->buckets[i] + from->buckets[i];
    }
}
