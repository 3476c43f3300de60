/* values: the values of labels, each kept once and known by a small number, so that counting
 * compares numbers instead of texts. Kept from batch to batch and forgotten when there are many.
 *
 * A value is told apart by its bytes in the record; two spellings of one text ("a", "\u0061") get
 * two numbers and are added up by whoever merges. A label's text is the string without its escapes,
 * a number or boolean as it is written, an array or object as JSON, "" for null and for a field
 * that is missing; cut to MR_PARTIAL_VALUE_BYTES, between characters. Not thread safe. */
#ifndef MR_STAGES_METRICS_VALUES_H
#define MR_STAGES_METRICS_VALUES_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "common/wire/fields.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MR_VALUE_NONE = 0,  /* "" */
    MR_VALUE_OTHER = 1, /* "other": what was folded */
    MR_VALUE_NEW = 2,   /* the first number of a value from a record */
    MR_VALUES_MAX = 1 << 20,
    MR_VALUES_KEPT = 16384, /* with more of them mr_values_trim forgets all */
};

typedef struct mr_value {
    uint64_t hash;
    uint32_t raw_at; /* in bytes: what tells it apart */
    uint32_t raw_bytes;
    uint32_t key_at; /* in bytes: the value as a part of a series' key, wire/partial.h */
    uint32_t key_bytes;
} mr_value_t;

typedef struct mr_values {
    mr_value_t *values;
    uint32_t count;
    uint32_t capacity;
    uint32_t *slots; /* number + 1, 0: empty; open addressing */
    uint32_t slot_mask;
    uint64_t seed;
    mr_buffer_t bytes;
    mr_buffer_t scratch;
} mr_values_t;

/* MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_values_init (mr_values_t *self);
void mr_values_release (mr_values_t *self);

/* The number of a value. When MR_VALUES_MAX of them, or 64 MiB, are known: MR_VALUE_OTHER.
 * MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_values_intern (mr_values_t *self, mr_field_t field, uint32_t *ret_value);

/* Append the value as the next part of a series' key. Statuses as mr_buffer_append. */
MR_CHECK mr_status_t mr_values_key (const mr_values_t *self, uint32_t value, mr_buffer_t *key);

/* Between batches: forget all values when there are more than MR_VALUES_KEPT, or over 1 MiB of
 * them. True: they were forgotten, and numbers start again. */
bool mr_values_trim (mr_values_t *self);

#endif
