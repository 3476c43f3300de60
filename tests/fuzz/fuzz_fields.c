/* A FIELDS section of any bytes, over a few records: no value lies outside its record. The first
 * byte says how many fields there are. */
#include "common/wire/fields.h"
#include "tests/fuzz/harness.h"

#include <string.h>

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    static const char records[] = "{\"a\":1}\n{}\n{\"service\":\"cart\",\"ms\":12.5}\n";
    static const uint32_t offsets[] = {0, 8, 11, 40};
    _Static_assert(sizeof records == 41, "offsets");
    if (bytes == 0) {
        return 0;
    }
    mr_batch_t batch = {.count = 3, .records = records, .records_bytes = 40, .offsets = offsets};
    uint32_t fields = data[0] % 5;
    MR_FUZZ_CHECK (
        mr_batch_set_section (&batch, MR_SECTION_FIELDS, data + 1, (uint32_t)bytes - 1) == MR_OK);
    mr_fields_view_t view;
    MR_FUZZ_CHECK (mr_fields_open (&batch, fields, &view) == (bytes - 1 == 24 * (size_t)fields));
    for (uint32_t i = 0; bytes - 1 == 24 * (size_t)fields && i < batch.count; i++) {
        for (uint32_t f = 0; f < fields; f++) {
            mr_field_t field = mr_fields_get (&view, i, f);
            if (field.type != MR_FIELDS_ABSENT) {
                MR_FUZZ_CHECK (field.bytes > 0 && field.type < MR_FIELDS_ABSENT);
                MR_FUZZ_CHECK (field.data >= records + offsets[i]);
                MR_FUZZ_CHECK (field.data + field.bytes < records + offsets[i + 1]);
            }
        }
    }
    return 0;
}
