/* dead: dead letters as they travel in a batch's DEAD section: the original bytes of a record that
 * failed for good, and why. Byte layout: PROTOCOL.md, "Dead letters". Pure; thread safe. */
#ifndef MR_COMMON_WIRE_DEAD_H
#define MR_COMMON_WIRE_DEAD_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Text fields are not terminated; each at most 65,535 bytes. */
typedef struct mr_dead_text {
    const char *data;
    uint16_t bytes;
} mr_dead_text_t;

typedef struct mr_dead {
    uint32_t index;       /* in the batch as ingest made it */
    uint16_t attempts;    /* how often it was tried, from 1 */
    int64_t ts_ns;        /* wall clock of the failure */
    mr_dead_text_t stage; /* "processor" */
    mr_dead_text_t worker;
    mr_dead_text_t error_type; /* snake_case, README "Error types" */
    mr_dead_text_t rule;       /* the line of configuration, "parse = json"; may be empty */
    mr_dead_text_t message;
    const char *record; /* original bytes */
    uint32_t record_bytes;
    uint32_t original_bytes; /* whole length; more than record_bytes when only its start is kept */
} mr_dead_t;

/* Text from a terminated string, cut at 65,535 bytes. */
mr_dead_text_t mr_dead_text (const char *text);

/* Append one row to a DEAD section under construction. MR_INVALID, MR_SYSTEM: no room in it, and
 * nothing was appended. */
MR_CHECK mr_status_t mr_dead_append (mr_buffer_t *section, const mr_dead_t *dead);

/* Read the row at *position and move *position behind it; ret_dead points into section.
 * Returns MR_OK; MR_CLOSED (position is the end); MR_INVALID (err names the field). */
MR_CHECK mr_status_t mr_dead_next (const void *section, size_t bytes, size_t *position,
                                   mr_dead_t *ret_dead, mr_error_t *err);

/* Append the row as users see it, one JSON object and a newline (README, "Dead letters"). */
MR_CHECK mr_status_t mr_dead_format (const mr_dead_t *dead, uint64_t journal, uint64_t seq,
                                     mr_buffer_t *out);

#endif
