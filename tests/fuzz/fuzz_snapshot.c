/* What segments begin with, of any bytes: a journal's numbers, producers and strikes as ingest
 * takes them over, and a spool's sums. What was taken over is saved and read back the same. */
#include "common/delivery/journal_format.h"
#include "common/delivery/spool.h"
#include "stages/ingest/memory.h"
#include "tests/fuzz/harness.h"

#include <string.h>

enum { PRODUCERS_MOST = 100, LIMIT = 1 << 20 };

/* Take over and save; bytes saved, or -1 when it was refused. */
static long
take_over (const void *data, size_t bytes, mr_buffer_t *out)
{
    mr_memory_t memory;
    MR_FUZZ_CHECK (mr_memory_init (&memory, PRODUCERS_MOST) == MR_OK);
    mr_journal_state_t state = mr_memory_state (&memory);
    mr_status_t status = state.load (state.arg, data, bytes);
    MR_FUZZ_CHECK (status == MR_OK || status == MR_INVALID);
    long saved = -1;
    if (status == MR_OK) {
        MR_FUZZ_CHECK (state.save (state.arg, out) == MR_OK);
        saved = (long)out->size;
        status = state.apply (state.arg, data, bytes); /* as behind a batch frame */
        MR_FUZZ_CHECK (status == MR_OK || status == MR_INVALID);
    }
    mr_memory_release (&memory);
    return saved;
}

static void
check_journal (const void *data, size_t bytes)
{
    mr_journal_snapshot_t snapshot;
    if (mr_journal_snapshot_decode (data, bytes, &snapshot) == MR_OK) {
        MR_FUZZ_CHECK (snapshot.memory_bytes < bytes);
        data = snapshot.memory;
        bytes = snapshot.memory_bytes;
    }
    mr_buffer_t first;
    mr_buffer_t second;
    mr_buffer_init (&first, LIMIT);
    mr_buffer_init (&second, LIMIT);
    long saved = take_over (data, bytes, &first);
    MR_FUZZ_CHECK (saved < 0 || take_over (first.data, first.size, &second) == saved);
    mr_buffer_release (&first);
    mr_buffer_release (&second);
}

static void
check_sums (const void *data, size_t bytes)
{
    static mr_spool_sum_t sums[MR_SPOOL_SUMS_MAX];
    uint32_t count = 0;
    if (mr_spool_sums_decode (data, bytes, sums, &count, NULL) != MR_OK) {
        return;
    }
    MR_FUZZ_CHECK (count <= MR_SPOOL_SUMS_MAX);
    mr_buffer_t out;
    mr_buffer_init (&out, LIMIT);
    MR_FUZZ_CHECK (mr_spool_sums_encode (sums, count, &out) == MR_OK);
    MR_FUZZ_CHECK (out.size == bytes && memcmp (out.data, data, bytes) == 0);
    mr_buffer_release (&out);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    check_journal (data, bytes);
    check_sums (data, bytes);
    return 0;
}
