/* A control frame of any bytes is refused or encodes to the same bytes. */
#include "common/wire/control.h"
#include "tests/fuzz/harness.h"

#include <string.h>

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    mr_control_t control;
    mr_error_t err;
    (void)mr_bye_is (data, bytes);
    if (mr_control_decode (data, bytes, &control, &err) != MR_OK) {
        return 0;
    }
    uint8_t frame[MR_CONTROL_BYTES];
    mr_control_encode (&control, frame);
    mr_control_t second;
    MR_FUZZ_CHECK (mr_control_decode (frame, sizeof frame, &second, &err) == MR_OK);
    MR_FUZZ_CHECK (second.type == control.type && second.journal == control.journal);
    MR_FUZZ_CHECK (second.seq == control.seq && second.slot == control.slot);
    MR_FUZZ_CHECK (second.exported == control.exported && second.filtered == control.filtered);
    MR_FUZZ_CHECK (second.dead == control.dead);
    return 0;
}
