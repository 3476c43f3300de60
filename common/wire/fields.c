#include "common/wire/fields.h"

bool
mr_fields_open (const mr_batch_t *batch, uint32_t fields, mr_fields_view_t *ret_view)
{
    const mr_section_t *section = mr_batch_section (batch, MR_SECTION_FIELDS);
    if (section == NULL || section->bytes != (uint64_t)batch->count * fields * 8) {
        return false;
    }
    *ret_view = (mr_fields_view_t){batch, section->data, fields};
    return true;
}
