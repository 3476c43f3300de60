/* An exporter's checkpoint of any bytes. With its checksums put right, as somebody who changes it
 * on purpose could, what is in it is loaded or refused, and what was loaded is saved again. */
#include "stages/exporter/metric_checkpoint.h"
#include "stages/exporter/metric_rows.h"
#include "stages/exporter/metric_totals.h"
#include "tests/fuzz/harness.h"

#include <string.h>

static void
ignore (void *arg, mr_errortype_id_t error_type, const char *message, uint64_t count)
{
    (void)arg;
    (void)count;
    MR_FUZZ_CHECK (mr_errortype_name (error_type)[0] != '\0' && message != NULL);
}

static void
check_content (const void *data, size_t bytes)
{
    mr_metric_rules_t none = {.count = 0};
    mr_metric_totals_t *totals;
    mr_error_t err;
    mr_totals_faults_t faults = {ignore, NULL};
    MR_FUZZ_CHECK (mr_metric_totals_new (&none, &totals) == MR_OK);
    if (mr_metric_totals_fold (totals, data, bytes, &faults, &err) == MR_OK) {
        mr_buffer_t out;
        mr_buffer_init (&out, 1 << 28);
        MR_FUZZ_CHECK (mr_metric_totals_save (totals, &out) == MR_OK);
        mr_metric_totals_t *again;
        MR_FUZZ_CHECK (mr_metric_totals_new (&none, &again) == MR_OK);
        MR_FUZZ_CHECK (mr_metric_totals_fold (again, out.data, out.size, &faults, &err) == MR_OK);
        MR_FUZZ_CHECK (again->count <= totals->count);
        mr_buffer_clear (&out);
        MR_FUZZ_CHECK (mr_metric_rows (totals, "exporter.0", 0, &out) == MR_OK);
        MR_FUZZ_CHECK (mr_metric_rows_event (totals, 2, &out) == MR_OK);
        mr_metric_totals_destroy (&again);
        mr_buffer_release (&out);
    }
    mr_metric_totals_destroy (&totals);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    mr_checkpoint_t checkpoint;
    mr_error_t err;
    if (mr_metric_checkpoint_decode (data, bytes, &checkpoint, &err) == MR_OK) {
        MR_FUZZ_CHECK (checkpoint.bytes == bytes - MR_CHECKPOINT_HEADER_BYTES);
    }
    if (bytes > MR_CHECKPOINT_HEADER_BYTES) {
        check_content (data + MR_CHECKPOINT_HEADER_BYTES, bytes - MR_CHECKPOINT_HEADER_BYTES);
    }
    return 0;
}
