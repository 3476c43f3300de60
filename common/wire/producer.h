/* producer: what acknowledged producers and ingest say to each other, and the rule that makes a
 * retry harmless. Parsing, formatting and one pure decision; sockets and journal are elsewhere.
 * Frames and examples: PROTOCOL.md, "Acknowledged producers". Thread safe.
 *
 * A request is an id frame and then one frame a record. Blank frames (no byte but space, tab, CR,
 * LF) are not records: they are skipped, and neither stored nor numbered. An id NAME/N, where NAME
 * is UTF-8 without control characters and N decimal digits, numbers the records of the request: the
 * last one is N, the first N - k + 1. Any other id only names the request in its answer. */
#ifndef MR_COMMON_WIRE_PRODUCER_H
#define MR_COMMON_WIRE_PRODUCER_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_PRODUCER_ID_MAX_BYTES = 64,
    MR_PRODUCER_NAME_MAX_BYTES = 62, /* NAME of the longest id, "/" and one digit */
    MR_ANSWER_WHY_BYTES = 512,       /* longest reason of an error, with terminator */
};
#define MR_PRODUCER_MAX_NUMBER ((uint64_t)INT64_MAX)
#define MR_PRODUCER_ONCE "once:" /* a name that begins so is for one run, and forgotten in time */

/* One frame of a message; borrowed. */
typedef struct mr_frame {
    const void *data;
    size_t bytes;
} mr_frame_t;

typedef struct mr_producer_id {
    bool numbered;
    const char *name; /* numbered only: points into the frame, not terminated */
    size_t name_bytes;
    uint64_t number; /* numbered only: 0 .. MR_PRODUCER_MAX_NUMBER */
} mr_producer_id_t;

/* Read an id frame. ret_id: valid while the frame is; untouched on failure.
 * MR_OK; MR_INVALID (empty, over 64 bytes, "/N" without a name, N over the maximum): answer `error`
 * with err as the reason. */
MR_CHECK mr_status_t mr_producer_id_parse (mr_frame_t frame, mr_producer_id_t *ret_id,
                                           mr_error_t *err);

/* Write NAME/N, terminated, into MR_PRODUCER_ID_MAX_BYTES + 1 bytes.
 * MR_INVALID: the result would not be read back as that name and number. */
MR_CHECK mr_status_t mr_producer_id_format (const char *name, uint64_t number, char *ret_id,
                                            mr_error_t *err);

/* Whether this name is for one run. */
bool mr_producer_is_once (const char *name, size_t bytes);

/* Whether a frame or line is no record at all. */
bool mr_producer_blank (const char *data, size_t bytes);

typedef enum mr_verdict_type {
    MR_VERDICT_STORE,     /* take the records from `skip` on; `ok` with `last` once journaled */
    MR_VERDICT_DUPLICATE, /* nothing new, or no records at all: `ok` with `last`, once journaled */
    MR_VERDICT_GAP,       /* records between are missing: `gap` with `last`, once journaled */
    MR_VERDICT_MALFORMED, /* more records than N numbers them: `error` */
} mr_verdict_type_t;

typedef struct mr_verdict {
    mr_verdict_type_t type;
    uint32_t skip; /* STORE: how many records at the start are duplicates; less than `records` */
    uint64_t last; /* STORE: N; DUPLICATE, GAP, MALFORMED: the last number taken */
} mr_verdict_t;

/* Decide about one numbered request.
 *   last     last number taken from this producer; 0 when it is unknown. Taken means journaled or
 *            in the batch that is being filled: in that case the answer still waits for the journal
 *   number   N, 0 .. MR_PRODUCER_MAX_NUMBER
 *   records  records in the request, blank frames not counted; 0 asks for `last`, whatever N is */
mr_verdict_t mr_producer_judge (uint64_t last, uint64_t number, uint32_t records);

typedef enum mr_answer_type {
    MR_ANSWER_OK,    /* all of it is journaled */
    MR_ANSWER_BUSY,  /* nothing taken; try again */
    MR_ANSWER_GAP,   /* nothing taken; send again from last + 1 */
    MR_ANSWER_ERROR, /* nothing taken; sending it again leads to the same answer */
} mr_answer_type_t;

/* What follows the id frame in an answer. */
typedef struct mr_answer {
    mr_answer_type_t type;
    uint64_t last;                 /* OK, GAP; 0 for an id without number */
    char why[MR_ANSWER_WHY_BYTES]; /* ERROR: terminated text; one line */
} mr_answer_t;

/* The frames behind the id: ret_frames[0 .. count - 1], 1 or 2 of them.
 *   ret_text  MR_ANSWER_WHY_BYTES bytes; the frames point into it and into constants */
size_t mr_answer_encode (const mr_answer_t *answer, char *ret_text, mr_frame_t ret_frames[2]);

/* Read the frames behind the id; further frames than those known are ignored. A reason that is too
 * long is cut. MR_OK; MR_INVALID (err names the field). */
MR_CHECK mr_status_t mr_answer_decode (const mr_frame_t *frames, size_t count,
                                       mr_answer_t *ret_answer, mr_error_t *err);

#endif
