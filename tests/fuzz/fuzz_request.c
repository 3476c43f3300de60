/* A message to the router socket, up to the verdict: two bytes of max_record, eight of the last
 * number taken, then frames, each behind its length in one byte (255: two more bytes follow). */
#include "stages/ingest/request.h"
#include "tests/fuzz/harness.h"

#include <string.h>

enum { MAX_FRAMES = 128 };

static size_t
read_frames (const uint8_t *data, size_t bytes, mr_frame_t *frames)
{
    size_t count = 0;
    size_t at = 0;
    while (at < bytes && count < MAX_FRAMES) {
        size_t length = data[at++];
        if (length == 255 && bytes - at >= 2) {
            length += data[at] + ((size_t)data[at + 1] << 8);
            at += 2;
        }
        if (length > bytes - at) {
            length = bytes - at;
        }
        frames[count++] = (mr_frame_t){data + at, length};
        at += length;
    }
    return count;
}

/* What is handed to the intake: exactly the records counted, none of them blank or too long. */
static void
check_records (const mr_request_t *request, size_t max_record)
{
    size_t position = 0;
    uint32_t records = 0;
    size_t bytes = 0;
    mr_frame_t record;
    while (mr_request_next (request, &position, &record)) {
        MR_FUZZ_CHECK (record.bytes > 0 && record.bytes <= max_record);
        MR_FUZZ_CHECK (!mr_producer_blank (record.data, record.bytes));
        records++;
        bytes += record.bytes;
    }
    MR_FUZZ_CHECK (records == request->records && bytes <= request->bytes);
    MR_FUZZ_CHECK (records <= MR_BATCH_MAX_RECORDS && request->bytes <= MR_REQUEST_MAX_BYTES);
}

static void
check_verdict (const mr_request_t *request, uint64_t last)
{
    const mr_producer_id_t *id = &request->producer;
    if (!id->numbered) {
        return;
    }
    MR_FUZZ_CHECK (id->name_bytes > 0 && id->name_bytes <= MR_PRODUCER_NAME_MAX_BYTES);
    mr_verdict_t verdict = mr_producer_judge (last, id->number, request->records);
    MR_FUZZ_CHECK (verdict.last >= last);
    MR_FUZZ_CHECK (verdict.type != MR_VERDICT_STORE ||
                   verdict.last - last == request->records - verdict.skip);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    uint16_t max_record = 0;
    uint64_t last = 0;
    if (bytes < sizeof max_record + sizeof last) {
        return 0;
    }
    memcpy (&max_record, data, sizeof max_record);
    memcpy (&last, data + sizeof max_record, sizeof last);
    size_t head = sizeof max_record + sizeof last;
    mr_frame_t frames[MAX_FRAMES];
    size_t count = read_frames (data + head, bytes - head, frames);
    mr_request_t request;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_request_read (frames, count, max_record, &request, &err);
    if (status == MR_CLOSED) {
        return 0;
    }
    MR_FUZZ_CHECK (request.routing.bytes <= MR_REQUEST_ROUTING_MAX_BYTES);
    MR_FUZZ_CHECK (request.id.bytes <= MR_PRODUCER_ID_MAX_BYTES);
    if (status != MR_OK) {
        MR_FUZZ_CHECK (err.text[0] != '\0');
        return 0;
    }
    check_records (&request, max_record);
    check_verdict (&request, last & MR_PRODUCER_MAX_NUMBER);
    return 0;
}
