/* A DEAD section of any bytes: each row that is read builds the same row again, and its text for
 * users is one JSON object. */
#include "common/wire/dead.h"
#include "tests/fuzz/harness.h"

#include <jansson.h>
#include <string.h>

static void
check_text (mr_dead_text_t a, mr_dead_text_t b)
{
    MR_FUZZ_CHECK (a.bytes == b.bytes && memcmp (a.data, b.data, a.bytes) == 0);
}

static void
check_append (const mr_dead_t *dead)
{
    mr_buffer_t section;
    mr_buffer_init (&section, 1 << 24);
    MR_FUZZ_CHECK (mr_dead_append (&section, dead) == MR_OK);
    size_t position = 0;
    mr_dead_t again;
    MR_FUZZ_CHECK (mr_dead_next (section.data, section.size, &position, &again, NULL) == MR_OK);
    MR_FUZZ_CHECK (position == section.size);
    MR_FUZZ_CHECK (again.index == dead->index && again.attempts == dead->attempts);
    MR_FUZZ_CHECK (again.ts_ns == dead->ts_ns && again.original_bytes == dead->original_bytes);
    check_text (again.stage, dead->stage);
    check_text (again.worker, dead->worker);
    check_text (again.error_type, dead->error_type);
    check_text (again.rule, dead->rule);
    check_text (again.message, dead->message);
    MR_FUZZ_CHECK (again.record_bytes == dead->record_bytes);
    MR_FUZZ_CHECK (memcmp (again.record, dead->record, dead->record_bytes) == 0);
    mr_buffer_release (&section);
}

static void
check_format (const mr_dead_t *dead)
{
    mr_buffer_t out;
    mr_buffer_init (&out, 1 << 24);
    MR_FUZZ_CHECK (mr_dead_format (dead, UINT64_MAX, UINT64_MAX, &out) == MR_OK);
    MR_FUZZ_CHECK (out.data[out.size - 1] == '\n');
    MR_FUZZ_CHECK (memchr (out.data, '\n', out.size) == out.data + out.size - 1);
    json_t *row = json_loadb (out.data, out.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    MR_FUZZ_CHECK (json_is_object (row));
    const json_t *record = json_object_get (row, "record");
    if (record != NULL) {
        MR_FUZZ_CHECK (json_string_length (record) == dead->record_bytes);
        MR_FUZZ_CHECK (memcmp (json_string_value (record), dead->record, dead->record_bytes) == 0);
    } else {
        size_t length = json_string_length (json_object_get (row, "record_base64"));
        MR_FUZZ_CHECK (length == ((size_t)dead->record_bytes + 2) / 3 * 4);
    }
    json_decref (row);
    mr_buffer_release (&out);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    size_t position = 0;
    mr_dead_t dead;
    mr_error_t err;
    while (mr_dead_next (data, bytes, &position, &dead, &err) == MR_OK) {
        MR_FUZZ_CHECK (position <= bytes);
        check_append (&dead);
        check_format (&dead);
    }
    return 0;
}
