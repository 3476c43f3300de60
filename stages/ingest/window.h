/* window: the batches in flight, by seq, and the watermark below which all are settled. Pure; not
 * thread safe. */
#ifndef MR_STAGES_INGEST_WINDOW_H
#define MR_STAGES_INGEST_WINDOW_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_window mr_window_t;

/* limit: batches, 1 .. 65536. last_seq: the seq before the first that will be sent. */
MR_CHECK mr_status_t mr_window_new (uint32_t limit, uint64_t last_seq, mr_window_t **ret_window);
void mr_window_destroy (mr_window_t **self_p);

/* Batches in flight; full: none may be sent before the watermark moves. */
uint32_t mr_window_in_flight (const mr_window_t *self);
bool mr_window_full (const mr_window_t *self);

/* The next seq is on its way. The window must not be full. */
void mr_window_sent (mr_window_t *self, uint64_t seq);

/* A batch is settled. false: it is not in flight here (settled before, or of an earlier life). */
bool mr_window_done (mr_window_t *self, uint64_t seq);

/* last_seq as given at the start: batches up to it were sent by an earlier life. */
uint64_t mr_window_first (const mr_window_t *self);

/* The highest seq with everything up to it settled. */
uint64_t mr_window_watermark (const mr_window_t *self);

#endif
