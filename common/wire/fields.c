#include "common/wire/fields.h"

#include <string.h>

bool
mr_fields_present (const mr_batch_t *batch, uint32_t fields)
{
    const mr_section_t *section = mr_batch_section (batch, MR_SECTION_FIELDS);
    return section != NULL && section->bytes == (uint64_t)batch->count * fields * 8;
}

mr_field_t
mr_fields_get (const mr_batch_t *batch, uint32_t fields, uint32_t i, uint32_t f)
{
    const mr_section_t *section = mr_batch_section (batch, MR_SECTION_FIELDS);
    uint32_t words[2];
    memcpy (words, (const uint8_t *)section->data + ((size_t)i * fields + f) * 8, sizeof words);
    uint32_t type = words[1] & 7;
    uint32_t bytes = words[1] >> 3;
    uint32_t record_bytes = batch->offsets[i + 1] - batch->offsets[i];
    if (type == MR_FIELDS_ABSENT || (uint64_t)words[0] + bytes > record_bytes) {
        return (mr_field_t){.type = MR_FIELDS_ABSENT};
    }
    return (mr_field_t){batch->records + batch->offsets[i] + words[0], bytes, type};
}
