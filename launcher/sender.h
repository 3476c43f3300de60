/* sender: the pipelining half of a numbered producer (PROTOCOL.md, "Numbers"): which records are
 * under way, under which numbers, and what an answer means for them. Pure: sockets and the clock
 * are elsewhere. Not thread safe.
 *
 * Records are kept until they are acknowledged. After `busy`, `gap`, `error` or a broken connection
 * everything that is not acknowledged goes again, in order and in the same requests, once the
 * answers that are still under way have come. A request that is refused is sent again record by
 * record, so that only the record at fault is left out; the numbers of those behind it move up. */
#ifndef MR_LAUNCHER_SENDER_H
#define MR_LAUNCHER_SENDER_H

#include "common/base/status.h"
#include "common/wire/producer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_SENDER_WINDOW = 32,   /* requests under way */
    MR_SENDER_RECORDS = 256, /* in one request */
    MR_SENDER_BYTES = 131072 /* in one request, unless one record alone is larger */
};

typedef struct mr_sender mr_sender_t;

/* A request to send; valid until the next call. */
typedef struct mr_sender_request {
    uint64_t number; /* of its last record */
    size_t count;    /* 1 .. MR_SENDER_RECORDS */
    uint64_t end;    /* of its last record, as it was added */
    const mr_frame_t *records;
} mr_sender_request_t;

typedef enum mr_sender_event {
    MR_SENDER_TAKEN,     /* nothing to do */
    MR_SENDER_REFUSED,   /* one record was left out for good; the answer says why */
    MR_SENDER_FORGOTTEN, /* the numbers are lost on the other side: take a new name and call
                            mr_sender_rename */
    MR_SENDER_OVERTAKEN, /* more is taken under this name than was ever added here: somebody else
                            numbers records under it; what was added counts as acknowledged */
} mr_sender_event_t;

/* last: the number that the other side has for this name. NULL: out of memory. */
mr_sender_t *mr_sender_new (uint64_t last);
void mr_sender_destroy (mr_sender_t **self_p);

/* Whether a record may be added now. */
bool mr_sender_room (const mr_sender_t *self);

/* Add a copy of a record that is not blank. MR_AGAIN: no room; MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_sender_add (mr_sender_t *self, const char *record, size_t bytes);

/* The same; end: where it ends in its file. */
MR_CHECK mr_status_t mr_sender_add_at (mr_sender_t *self, const char *record, size_t bytes,
                                       uint64_t end);

/* The next request that may go now; false: none. flush: also one that is not full yet. It counts as
 * sent once mr_sender_sent is called. */
bool mr_sender_next (mr_sender_t *self, bool flush, int64_t now_ns,
                     mr_sender_request_t *ret_request);
void mr_sender_sent (mr_sender_t *self);

/* An answer to the request with that number came. */
mr_sender_event_t mr_sender_answer (mr_sender_t *self, const mr_answer_t *answer, uint64_t number,
                                    int64_t now_ns);

/* The connection broke: no more answers to what is under way; send it again. */
void mr_sender_resend (mr_sender_t *self);

/* Go on under a new name: the first record that is not acknowledged gets number 1. */
void mr_sender_rename (mr_sender_t *self);

bool mr_sender_idle (const mr_sender_t *self); /* everything added is acknowledged or refused */
uint64_t mr_sender_acknowledged (const mr_sender_t *self); /* records, over all names */
uint64_t mr_sender_last (const mr_sender_t *self); /* the last number acknowledged, of this name */
uint64_t mr_sender_refused (const mr_sender_t *self);

#endif
