/* bench_record [SECONDS]: what reading one record costs, on the reference work's 250-byte log
 * events. Prints nanoseconds per record, the best of many short runs (other load only adds). */
#include "common/base/clock.h"
#include "common/record/json.h"
#include "common/record/scan.h"
#include "tests/bench/records.h"

#include <stdio.h>
#include <stdlib.h>

enum { RECORDS = BENCH_RECORDS };
typedef bench_batch_t batch_t;

static uint64_t
read_all (mr_json_t *json, const batch_t *batch)
{
    uint64_t sum = 0;
    mr_json_record_t record;
    mr_json_open (json, &batch->view);
    while (mr_json_next (json, 0, &record) == MR_OK) {
        sum += record.field_count + (uint64_t)record.error;
    }
    return sum;
}

static uint64_t
scan_all (mr_scan_t *scan, const batch_t *batch)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < RECORDS; i += 128) {
        const uint32_t *starts;
        uint32_t count;
        uint32_t start = batch->offsets[i];
        if (mr_scan_run (scan, batch->data + start, batch->offsets[i + 128] - start, &starts,
                         &count) == MR_OK) {
            sum += count;
        }
    }
    return sum;
}

static void
report (const char *what, int64_t best_ns, uint64_t sum)
{
    printf ("%-22s %7.1f ns/record  (check %llu)\n", what, (double)best_ns / RECORDS,
            (unsigned long long)sum);
}

int
main (int argc, char **argv)
{
    int64_t budget_ns = (argc > 1 ? atoi (argv[1]) : 1) * MR_NS_PER_S;
    static batch_t batch;
    bench_fill (&batch);
    mr_json_t *json;
    mr_scan_t *scan;
    if (mr_json_new (&json) != MR_OK || mr_scan_new (&scan) != MR_OK) {
        return EXIT_FAILURE;
    }
    int64_t best_read = INT64_MAX;
    int64_t best_scan = INT64_MAX;
    uint64_t read_sum = 0;
    uint64_t scan_sum = 0;
    for (int64_t end = mr_clock_mono_ns () + budget_ns; mr_clock_mono_ns () < end;) {
        int64_t t0 = mr_clock_mono_ns ();
        read_sum = read_all (json, &batch);
        int64_t t1 = mr_clock_mono_ns ();
        scan_sum = scan_all (scan, &batch);
        int64_t t2 = mr_clock_mono_ns ();
        best_read = t1 - t0 < best_read ? t1 - t0 : best_read;
        best_scan = t2 - t1 < best_scan ? t2 - t1 : best_scan;
    }
    printf ("%d records of %.0f bytes, kernel %s\n", RECORDS,
            (double)batch.offsets[RECORDS] / RECORDS, mr_scan_kernel ());
    report ("scan alone", best_scan, scan_sum);
    report ("read (scan and walk)", best_read, read_sum);
    mr_json_destroy (&json);
    mr_scan_destroy (&scan);
    return EXIT_SUCCESS;
}
