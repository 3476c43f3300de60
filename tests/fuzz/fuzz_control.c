/* A control frame of any bytes is refused or encodes to the same values. */
#include "common/wire/control.h"
#include "tests/fuzz/harness.h"

#include <string.h>
#include <xxhash.h>

static void
decode_encode (const uint8_t *data, size_t bytes)
{
    mr_control_t control;
    mr_error_t err;
    if (mr_control_decode (data, bytes, &control, &err) != MR_OK) {
        return;
    }
    uint8_t frame[MR_CONTROL_BYTES];
    mr_control_encode (&control, frame);
    mr_control_t second;
    MR_FUZZ_CHECK (mr_control_decode (frame, sizeof frame, &second, &err) == MR_OK);
    MR_FUZZ_CHECK (second.type == control.type && second.journal == control.journal);
    MR_FUZZ_CHECK (second.seq == control.seq && second.slot == control.slot);
    MR_FUZZ_CHECK (second.exported == control.exported && second.filtered == control.filtered);
    MR_FUZZ_CHECK (second.dead == control.dead);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    (void)mr_bye_is (data, bytes);
    decode_encode (data, bytes);
    if (bytes == MR_CONTROL_BYTES) {
        /* No fuzzer guesses a checksum: set the right one and look behind it. */
        uint8_t frame[MR_CONTROL_BYTES];
        memcpy (frame, data, sizeof frame);
        uint64_t checksum = XXH3_64bits (frame, sizeof frame - sizeof checksum);
        memcpy (frame + sizeof frame - sizeof checksum, &checksum, sizeof checksum);
        decode_encode (frame, sizeof frame);
    }
    return 0;
}
