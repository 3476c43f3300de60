/* control: the small fixed messages beside the data: what an exporter tells the ingest worker that
 * made a batch, and the farewell on a data link. Byte layout: PROTOCOL.md, "Control". Pure. */
#ifndef MR_COMMON_WIRE_CONTROL_H
#define MR_COMMON_WIRE_CONTROL_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_CONTROL_BYTES = 64,
    MR_BYE_BYTES = 65536, /* padded, so that all before it has left the kernel's buffers */
};

typedef enum mr_control_type {
    MR_CONTROL_DONE = 1,   /* a batch is in a spool */
    MR_CONTROL_LOSS = 2,   /* batches may have been lost below: push again what is SENT */
    MR_CONTROL_REPORT = 3, /* a worker died while it worked on this record (wire/crumb.h) */
} mr_control_type_t;

typedef struct mr_control {
    mr_control_type_t type;
    uint64_t journal; /* DONE: identity of the batch; LOSS: 0 */
    uint64_t seq;
    uint32_t exported; /* DONE: exported + filtered + dead = received */
    uint32_t filtered;
    uint32_t dead;
    uint32_t slot;        /* of the sender */
    uint64_t incarnation; /* REPORT: of the worker that died; seq, and: */
    uint32_t index;       /* REPORT: the record */
    uint32_t evidence;    /* REPORT: mr_evidence_t */
} mr_control_t;

void mr_control_encode (const mr_control_t *control, uint8_t ret_frame[MR_CONTROL_BYTES]);

/* MR_OK; MR_INVALID (err names the field). */
MR_CHECK mr_status_t mr_control_decode (const void *frame, size_t bytes, mr_control_t *ret_control,
                                        mr_error_t *err);

/* Fill the farewell frame, MR_BYE_BYTES long. */
void mr_bye_encode (void *ret_frame);
bool mr_bye_is (const void *frame, size_t bytes);

#endif
