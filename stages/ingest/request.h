/* request: what the frames of one message to a router socket say. A routing frame that names the
 * peer, from REQ peers an empty frame, the id, and one frame for each record (wire/producer.h).
 * Pure; thread safe. */
#ifndef MR_STAGES_INGEST_REQUEST_H
#define MR_STAGES_INGEST_REQUEST_H

#include "common/base/status.h"
#include "common/wire/batch.h"
#include "common/wire/producer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_REQUEST_ROUTING_MAX_BYTES = 255,
    MR_REQUEST_MAX_BYTES = 32 << 20, /* all records together: an empty batch takes that */
    /* One more than a request may have: of a longer one no more need be kept than that. */
    MR_REQUEST_KEPT_FRAMES = MR_BATCH_MAX_RECORDS + 4,
};

typedef struct mr_request {
    const mr_frame_t *frames; /* as given */
    size_t count;

    mr_frame_t routing;
    bool delimiter; /* answers begin with an empty frame, too */
    mr_frame_t id;  /* for the answer: its first MR_PRODUCER_ID_MAX_BYTES; may be empty */

    mr_producer_id_t producer;
    size_t first;     /* frame of the first record */
    uint32_t records; /* that are not blank, at most MR_BATCH_MAX_RECORDS */
    size_t bytes;     /* of those, at most MR_REQUEST_MAX_BYTES */
} mr_request_t;

/* Read the frames; ret_request points into them.
 *   max_record  longest record, in bytes
 * MR_OK; MR_INVALID: answer `error` with err as the reason, ret_request is set up to the id;
 * MR_CLOSED: not even an answer is possible, ret_request is untouched. */
MR_CHECK mr_status_t mr_request_read (const mr_frame_t *frames, size_t count, size_t max_record,
                                      mr_request_t *ret_request, mr_error_t *err);

/* The next record, without its line end and without the blank ones between.
 *   position  0 at first, moved on. Returns false at the end. */
bool mr_request_next (const mr_request_t *self, size_t *position, mr_frame_t *ret_record);

#endif
