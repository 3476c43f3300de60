/* fields: the FIELDS section: where, in each record of a batch, the values are that the metric
 * rules name, so that the metrics stage need not parse again. Byte layout: PROTOCOL.md, "Fields".
 *
 * For each record and field two words: the offset of the value from the record's start, and
 * bytes << 3 | type with the types of common/record (7: the field is not there). Meaningful only to
 * a reader whose configuration has the batch's config_hash. Pure; thread safe. */
#ifndef MR_COMMON_WIRE_FIELDS_H
#define MR_COMMON_WIRE_FIELDS_H

#include "common/wire/batch.h"

#include <stdint.h>

enum { MR_FIELDS_ABSENT = 7 };

/* One value; bytes of the record, quotes of strings included. */
typedef struct mr_field {
    const char *data;
    uint32_t bytes;
    uint32_t type;
} mr_field_t;

/* Whether the batch has the section, for exactly so many fields of each of its records. */
bool mr_fields_present (const mr_batch_t *batch, uint32_t fields);

/* Field f of record i. Only after mr_fields_present. A word that points outside its record reads as
 * absent. */
mr_field_t mr_fields_get (const mr_batch_t *batch, uint32_t fields, uint32_t i, uint32_t f);

#endif
