/* event: what workers publish on the bus. Two frames: a topic and one JSON object.
 *
 *   success.DOMAIN.OPERATION  one a batch and operation
 *   error.DOMAIN.OPERATION    one per error type and batch
 *   counters.WORKER           every second: cumulative counters, so that totals are right though
 *                             single events can be missed
 *   totals.WORKER             exporter, every second: the user's metrics, cumulative
 *   state.WORKER  launcher.WHAT  tap.STAGE
 *
 * The JSON is described in PROTOCOL.md, "Events". Pure; thread safe. */
#ifndef MR_COMMON_WIRE_EVENT_H
#define MR_COMMON_WIRE_EVENT_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_EVENT_NAME_BYTES = 64,      /* domain, operation, error type, worker: with terminator */
    MR_EVENT_TEXT_BYTES = 512,     /* message, sample */
    MR_EVENT_TOPIC_BYTES = 160,    /* longest topic, with terminator */
    MR_EVENT_MAX_BYTES = 16 << 20, /* one encoded event; longer ones are malformed */
};

typedef enum mr_event_kind {
    MR_EVENT_SUCCESS,
    MR_EVENT_ERROR,
} mr_event_kind_t;

/* A success or error event. */
typedef struct mr_event {
    mr_event_kind_t kind;
    char domain[MR_EVENT_NAME_BYTES];
    char operation[MR_EVENT_NAME_BYTES];
    double duration_ms; /* success only; finite, not negative */
    uint64_t count;     /* records */
    char worker[MR_EVENT_NAME_BYTES];
    uint64_t incarnation;
    uint64_t event_seq;                   /* of this incarnation, from 1, over all its topics */
    int64_t ts_ns;                        /* wall clock */
    char error_type[MR_EVENT_NAME_BYTES]; /* error only, snake_case */
    char message[MR_EVENT_TEXT_BYTES];    /* error only; may be empty */
    char sample[MR_EVENT_TEXT_BYTES];     /* error only; first bytes of a record; may be empty */
} mr_event_t;

/* Whether a text may be a domain, operation, error type or worker: 1 to 63 letters, digits, '_',
 * '-' and '.'. */
bool mr_event_is_name (const char *text);

/* "success.processor.handle"; ret_topic: MR_EVENT_TOPIC_BYTES. */
void mr_event_topic (const mr_event_t *event, char *ret_topic);

/* Append the JSON object to `out`. Bytes of message and sample that are not UTF-8 become U+FFFD.
 * Names must be names. MR_INVALID, MR_SYSTEM: no room in `out`, which is as it was. */
MR_CHECK mr_status_t mr_event_encode (const mr_event_t *event, mr_buffer_t *out);

/* Parse a success or error event. Names are 1 to 63 letters, digits, '_', '-' and '.'; a message or
 * sample that is too long is cut between characters; unknown members are ignored.
 *   topic  terminated, must be the one that the JSON leads to
 *   json   borrowed, need not be terminated
 * Returns MR_OK; MR_CLOSED (the topic is of another kind); MR_INVALID (err names the field). */
MR_CHECK mr_status_t mr_event_decode (const char *topic, const char *json, size_t bytes,
                                      mr_event_t *ret_event, mr_error_t *err);

#endif
