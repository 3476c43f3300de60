/* delivery_kit: what the tests of window, spool and cursor share: a data directory of their own,
 * small batches, and a file system that refuses on demand. */
#ifndef MR_TESTS_SUPPORT_DELIVERY_KIT_H
#define MR_TESTS_SUPPORT_DELIVERY_KIT_H

#include "common/base/file_ops.h"
#include "common/delivery/journal.h"
#include "common/delivery/spool.h"
#include "common/delivery/window.h"
#include "common/wire/batch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MR_KIT_JOURNAL = 0x1234 };

/* A batch frame as it comes over the wire; 8-byte aligned. */
typedef struct mr_kit_frame {
    void *data;
    size_t bytes;
    mr_batch_t batch; /* decoded from it */
} mr_kit_frame_t;

/* Batch `seq` of MR_KIT_JOURNAL with `records` numbered records. */
mr_kit_frame_t mr_kit_frame_new (uint64_t seq, uint8_t generation, uint32_t records);
void mr_kit_frame_release (mr_kit_frame_t *self);

/* Of a journal whose caller has no state of its own. */
extern const mr_journal_state_t mr_kit_no_state;

/* DATA/ingest.0.window of MR_KIT_JOURNAL, made where it is missing. */
mr_window_t *mr_kit_window (const char *data_dir);

/* The spool of slot 0 with segments of 64 KiB; fails the test with the error's text. */
mr_spool_t *mr_kit_spool (const char *data_dir, bool fsync, const mr_file_ops_t *ops);

/* Offer batch `seq` as its word says now. */
mr_status_t mr_kit_offer (mr_spool_t *spool, mr_window_t *window, uint64_t seq, bool *ret_released,
                          mr_error_t *err);

/* How often each seq (below `limit`) is in the spool of slot 0. Returns the frames. */
unsigned mr_kit_spooled (const char *data_dir, unsigned *ret_counts, unsigned limit);

/* The real file system, but calls of a kind fail with EIO while they are to. */
typedef struct mr_kit_faults {
    bool write;
    bool truncate;
    bool sync;
} mr_kit_faults_t;
const mr_file_ops_t *mr_kit_failing_ops (mr_kit_faults_t *faults);

#endif
