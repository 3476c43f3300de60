/* A producer's bytes: 16 bytes of numbers to judge, then frames separated by newlines. The first is
 * tried as an id, all of them as records and as an answer. */
#include "common/wire/producer.h"
#include "tests/fuzz/harness.h"

#include <string.h>

enum { MAX_FRAMES = 64 };

static void
check_id (mr_frame_t frame)
{
    mr_producer_id_t id;
    mr_error_t err;
    if (mr_producer_id_parse (frame, &id, &err) != MR_OK || !id.numbered) {
        return;
    }
    char name[MR_PRODUCER_NAME_MAX_BYTES + 1];
    MR_FUZZ_CHECK (id.name_bytes < sizeof name);
    memcpy (name, id.name, id.name_bytes);
    name[id.name_bytes] = '\0';
    char text[MR_PRODUCER_ID_MAX_BYTES + 1];
    MR_FUZZ_CHECK (mr_producer_id_format (name, id.number, text, &err) == MR_OK);
    mr_producer_id_t again;
    MR_FUZZ_CHECK (mr_producer_id_parse ((mr_frame_t){text, strlen (text)}, &again, &err) == MR_OK);
    MR_FUZZ_CHECK (again.numbered && again.number == id.number);
    MR_FUZZ_CHECK (again.name_bytes == id.name_bytes);
    MR_FUZZ_CHECK (memcmp (again.name, name, id.name_bytes) == 0);
}

static void
check_answer (const mr_frame_t *frames, size_t count)
{
    mr_answer_t answer;
    mr_answer_t again;
    mr_error_t err;
    if (mr_answer_decode (frames, count, &answer, &err) != MR_OK) {
        return;
    }
    char text[MR_ANSWER_WHY_BYTES];
    mr_frame_t written[2];
    size_t written_count = mr_answer_encode (&answer, text, written);
    MR_FUZZ_CHECK (mr_answer_decode (written, written_count, &again, &err) == MR_OK);
    MR_FUZZ_CHECK (again.type == answer.type && again.last == answer.last);
    MR_FUZZ_CHECK (strcmp (again.why, answer.why) == 0);
}

/* A number never goes back, a record is never stored twice and none is left out. */
static void
check_verdict (uint64_t last, uint64_t number, uint32_t records)
{
    mr_verdict_t verdict = mr_producer_judge (last, number, records);
    switch (verdict.type) {
    case MR_VERDICT_STORE:
        MR_FUZZ_CHECK (verdict.skip < records && verdict.last == number && number > last);
        MR_FUZZ_CHECK (number - (records - verdict.skip) == last);
        break;
    case MR_VERDICT_DUPLICATE:
        MR_FUZZ_CHECK (verdict.last == last && (records == 0 || number <= last));
        break;
    case MR_VERDICT_GAP:
        MR_FUZZ_CHECK (verdict.last == last && number - records > last);
        break;
    case MR_VERDICT_MALFORMED:
        MR_FUZZ_CHECK (verdict.last == last && records > number);
        break;
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    uint64_t numbers[2] = {0, 0};
    size_t head = bytes < sizeof numbers ? bytes : sizeof numbers;
    if (head > 0) {
        memcpy (numbers, data, head);
    }
    mr_frame_t frames[MAX_FRAMES];
    size_t count = 0;
    uint32_t records = 0;
    size_t at = head;
    while (at < bytes && count < MAX_FRAMES) {
        const uint8_t *end = memchr (data + at, '\n', bytes - at);
        size_t length = end != NULL ? (size_t)(end - data) - at : bytes - at;
        frames[count++] = (mr_frame_t){data + at, length};
        records += !mr_producer_blank ((const char *)data + at, length);
        at += length + 1;
    }
    if (count > 0) {
        check_id (frames[0]);
    }
    check_answer (frames, count);
    check_verdict (numbers[0] & MR_PRODUCER_MAX_NUMBER, numbers[1] & MR_PRODUCER_MAX_NUMBER,
                   records);
    return 0;
}
