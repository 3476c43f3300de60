/* fields: the FIELDS section: where, in each record of a batch, the values are that the metric
 * rules name, so that the metrics stage need not parse again. Byte layout: PROTOCOL.md, "Fields".
 *
 * For each record and field two words: the offset of the value from the record's start, and
 * bytes << 3 | type with the types of common/record (7: the field is not there). Meaningful only to
 * a reader whose configuration has the batch's config_hash. Pure; thread safe. */
#ifndef MR_COMMON_WIRE_FIELDS_H
#define MR_COMMON_WIRE_FIELDS_H

#include "common/wire/batch.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { MR_FIELDS_ABSENT = 7 };

/* One value; bytes of the record, quotes of strings included. Absent: type MR_FIELDS_ABSENT. */
typedef struct mr_field {
    const char *data;
    uint32_t bytes;
    uint32_t type;
} mr_field_t;

/* The section of one batch, while that is valid. */
typedef struct mr_fields_view {
    const mr_batch_t *batch;
    const uint8_t *words;
    uint32_t fields; /* of each record */
} mr_fields_view_t;

/* False: the batch does not have the section, or not for exactly so many fields of each of its
 * records. batch: borrowed as long as ret_view is used. */
bool mr_fields_open (const mr_batch_t *batch, uint32_t fields, mr_fields_view_t *ret_view);

/* Field f of record i. A value that is empty or does not lie within its record reads as absent. */
static inline mr_field_t
mr_fields_get (const mr_fields_view_t *self, uint32_t i, uint32_t f)
{
    uint32_t words[2];
    memcpy (words, self->words + ((size_t)i * self->fields + f) * sizeof words, sizeof words);
    const uint32_t *offsets = self->batch->offsets;
    uint32_t type = words[1] & 7;
    uint32_t bytes = words[1] >> 3;
    uint32_t record_bytes = offsets[i + 1] - offsets[i] - 1;
    if (type == MR_FIELDS_ABSENT || bytes == 0 || (uint64_t)words[0] + bytes > record_bytes) {
        return (mr_field_t){.type = MR_FIELDS_ABSENT};
    }
    return (mr_field_t){self->batch->records + offsets[i] + words[0], bytes, type};
}

#endif
