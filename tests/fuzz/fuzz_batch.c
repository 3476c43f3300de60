/* A frame of any bytes is refused or decodes to a batch that encodes to the same frame. */
#include "common/wire/batch.h"
#include "tests/fuzz/harness.h"

#include <stdlib.h>
#include <string.h>

static void
read_all (const mr_batch_t *batch)
{
    volatile uint64_t sum = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        MR_FUZZ_CHECK (batch->offsets[i] < batch->offsets[i + 1]);
        MR_FUZZ_CHECK (batch->offsets[i + 1] <= batch->records_bytes);
        sum += (uint8_t)batch->records[batch->offsets[i]] + mr_batch_original_index (batch, i);
    }
    for (uint32_t i = 0; i < batch->section_count; i++) {
        const uint8_t *bytes = batch->sections[i].data;
        for (uint32_t at = 0; at < batch->sections[i].bytes; at++) {
            sum += bytes[at];
        }
    }
}

static void
decode_encode (const uint8_t *frame, size_t bytes)
{
    mr_batch_t batch;
    mr_error_t err;
    if (mr_batch_decode (frame, bytes, &batch, &err) != MR_OK) {
        return;
    }
    read_all (&batch);
    size_t again = mr_batch_encoded_bytes (&batch);
    MR_FUZZ_CHECK (again == bytes);
    uint8_t *copy = aligned_alloc (8, (again + 7) & ~(size_t)7);
    mr_batch_encode (&batch, copy);
    mr_batch_t second;
    MR_FUZZ_CHECK (mr_batch_decode (copy, again, &second, &err) == MR_OK);
    MR_FUZZ_CHECK (second.count == batch.count && second.seq == batch.seq);
    MR_FUZZ_CHECK (second.section_count == batch.section_count);
    MR_FUZZ_CHECK (memcmp (second.records, batch.records, batch.records_bytes) == 0);
    free (copy);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    /* An exact allocation, aligned as the contract asks, so that a read past the end is seen. */
    uint8_t *frame;
    if (posix_memalign ((void **)&frame, 8, bytes > 0 ? bytes : 1) != 0) {
        return 0;
    }
    memcpy (frame, data, bytes);
    decode_encode (frame, bytes);
    if (bytes >= MR_BATCH_HEADER_BYTES) {
        /* No fuzzer guesses a checksum: set the right one and look behind it. */
        mr_batch_restamp (frame, bytes, 1, 0);
        decode_encode (frame, bytes);
    }
    free (frame);
    return 0;
}
