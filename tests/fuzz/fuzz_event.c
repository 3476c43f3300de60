/* An event of any bytes, topic and JSON separated by a newline: what is read, written and read
 * again is the same. */
#include "common/wire/event.h"
#include "tests/fuzz/harness.h"

#include <math.h>
#include <string.h>

static void
check_same (const mr_event_t *a, const mr_event_t *b)
{
    MR_FUZZ_CHECK (a->kind == b->kind);
    MR_FUZZ_CHECK (strcmp (a->domain, b->domain) == 0);
    MR_FUZZ_CHECK (strcmp (a->operation, b->operation) == 0);
    /* Written with at most six decimals. */
    MR_FUZZ_CHECK (fabs (a->duration_ms - b->duration_ms) <= 1e-6 ||
                   a->duration_ms == b->duration_ms);
    MR_FUZZ_CHECK (a->count == b->count && a->event_seq == b->event_seq);
    MR_FUZZ_CHECK (strcmp (a->worker, b->worker) == 0);
    MR_FUZZ_CHECK (a->incarnation == b->incarnation);
    MR_FUZZ_CHECK (strcmp (a->error_type, b->error_type) == 0);
    MR_FUZZ_CHECK (strcmp (a->message, b->message) == 0);
    MR_FUZZ_CHECK (strcmp (a->sample, b->sample) == 0);
    /* Written in microseconds. */
    MR_FUZZ_CHECK (a->ts_ns >= b->ts_ns && a->ts_ns - b->ts_ns < 1000);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    char topic[MR_EVENT_TOPIC_BYTES];
    const uint8_t *line = bytes > 0 ? memchr (data, '\n', bytes) : NULL;
    size_t topic_bytes = line != NULL ? (size_t)(line - data) : bytes;
    if (topic_bytes >= sizeof topic) {
        return 0;
    }
    memcpy (topic, data, topic_bytes);
    topic[topic_bytes] = '\0';
    size_t json_at = line != NULL ? topic_bytes + 1 : bytes;

    mr_event_t event;
    mr_error_t err;
    const char *json = (const char *)data + json_at;
    if (mr_event_decode (topic, json, bytes - json_at, &event, &err) != MR_OK) {
        return 0;
    }
    mr_buffer_t out;
    mr_buffer_init (&out, MR_EVENT_MAX_BYTES);
    MR_FUZZ_CHECK (mr_event_encode (&event, &out) == MR_OK);
    mr_event_t again;
    MR_FUZZ_CHECK (mr_event_decode (topic, out.data, out.size, &again, &err) == MR_OK);
    check_same (&event, &again);
    mr_buffer_release (&out);
    return 0;
}
