/* windows: the window files of all ingest workers, as the exporter maps them. Not thread safe. */
#ifndef MR_STAGES_EXPORTER_WINDOWS_H
#define MR_STAGES_EXPORTER_WINDOWS_H

#include "common/base/slots.h"
#include "common/base/status.h"
#include "common/delivery/spool.h"
#include "common/delivery/window.h"
#include "common/wire/batch.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_windows {
    const char *data_dir;             /* borrowed */
    mr_window_t *slots[MR_SLOTS_MAX]; /* NULL: none */
    int locks[MR_SLOTS_MAX]; /* of ingest.N.mapped, as long as the window is mapped; or -1 */
    /* Of journals whose window cannot be mapped: what they say themselves. */
    uint64_t journals[MR_SLOTS_MAX]; /* id; 0: not known */
    uint64_t noted[MR_SLOTS_MAX];    /* watermark */
    unsigned refreshed;              /* times */
    bool complete;                   /* of each journal in data_dir the watermark is known */
} mr_windows_t;

/* Open all that are there and settle in them what this spool's last life has claimed.
 * ret_freed: batches that are SENT again. MR_OK; MR_CONFIG: one is of another version (err says
 * what to do); MR_SYSTEM. */
MR_CHECK mr_status_t mr_windows_open (mr_windows_t *self, const char *data_dir, mr_spool_t *spool,
                                      unsigned *ret_freed, mr_error_t *err);
void mr_windows_close (mr_windows_t *self); /* all zero: nothing happens */

/* The window of the batch's journal and ingest slot; opened again when it is another one now.
 * MR_OK; MR_CLOSED: there is none (any more): a batch of it is a stale copy; MR_AGAIN: not now, err
 * says why. */
MR_CHECK mr_status_t mr_windows_find (mr_windows_t *self, const mr_spool_t *spool,
                                      const mr_batch_t *batch, mr_window_t **ret_window,
                                      mr_error_t *err);

/* Look again at what there is; before asking for watermarks. */
void mr_windows_refresh (mr_windows_t *self, const mr_spool_t *spool);

/* Up to where this journal is settled for good, durably: frames of it up to there may go.
 * UINT64_MAX: it does not exist any more; 0: nobody knows now. */
uint64_t mr_windows_watermark (const mr_windows_t *self, uint64_t journal);

#endif
