#include "tests/support/seglog_kit.h"

#include "common/base/clock.h"

#include <check.h>
#include <string.h>

static mr_status_t
snapshot (void *arg, mr_buffer_t *out)
{
    (void)arg;
    return mr_buffer_append (out, "totals!", 7);
}

mr_seglog_options_t
mr_kit_options (const char *dir, const mr_file_ops_t *ops)
{
    return (mr_seglog_options_t){
        .dir = dir,
        .kind = MR_KIT_KIND,
        .segment_bytes = MR_SEGLOG_SEGMENT_MIN,
        .max_payload_bytes = 1 << 20,
        .pool_segments = 2,
        .keep_frames = 3,
        .index_frames = 16,
        .ops = ops,
        .snapshot = snapshot,
    };
}

mr_seglog_t *
mr_kit_open (const mr_seglog_options_t *options)
{
    mr_seglog_t *log = NULL;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_seglog_open (options, &log, &err);
    ck_assert_msg (status == MR_OK, "open: %s: %s", mr_status_name (status), err.text);
    return log;
}

void
mr_kit_payload (uint64_t number, char *data, size_t bytes)
{
    uint64_t state = number * UINT64_C (0x9e3779b97f4a7c15) + bytes;
    for (size_t i = 0; i < bytes; i++) {
        state = state * UINT64_C (6364136223846793005) + UINT64_C (1442695040888963407);
        data[i] = (char)(state >> 56);
    }
}

mr_status_t
mr_kit_try (mr_seglog_t *log, uint64_t number, size_t bytes, uint64_t *ret_position)
{
    static char data[1 << 20];
    mr_kit_payload (number, data, bytes);
    struct iovec iov[2] = {{data, bytes / 3}, {data + bytes / 3, bytes - bytes / 3}};
    mr_seglog_entry_t entry = {
        .type = MR_SEGLOG_DATA,
        .flags = (uint8_t)number,
        .words = {number, bytes, number * 3},
        .iov = iov,
        .iov_count = bytes == 0 ? 0 : 2,
    };
    return mr_seglog_append (log, &entry, ret_position, NULL);
}

uint64_t
mr_kit_append (mr_seglog_t *log, uint64_t number, size_t bytes)
{
    uint64_t position = UINT64_MAX;
    ck_assert_int_eq (mr_kit_try (log, number, bytes, &position), MR_OK);
    return position;
}

bool
mr_kit_good (const mr_seglog_frame_t *frame)
{
    static char data[1 << 20];
    uint64_t number = frame->words[0];
    if (frame->payload_bytes != frame->words[1] || frame->words[2] != number * 3 ||
        frame->flags != (uint8_t)number || frame->type != MR_SEGLOG_DATA ||
        frame->payload_bytes > sizeof data) {
        return false;
    }
    if (frame->payload == NULL) {
        return true;
    }
    mr_kit_payload (number, data, frame->payload_bytes);
    return memcmp (data, frame->payload, frame->payload_bytes) == 0;
}

static void
note_damage (void *arg, const mr_seglog_damage_t *damage)
{
    mr_kit_reading_t *reading = arg;
    reading->last = *damage;
    if (!damage->trimmed) {
        reading->damages++;
        reading->damaged_bytes += damage->bytes;
    }
}

void
mr_kit_read_with (const mr_seglog_reader_options_t *options, mr_kit_reading_t *ret_reading)
{
    memset (ret_reading, 0, sizeof *ret_reading);
    mr_seglog_reader_options_t own = *options;
    own.report = note_damage;
    own.arg = ret_reading;
    mr_seglog_reader_t *reader = NULL;
    ret_reading->status = mr_seglog_reader_new (&own, &reader, NULL);
    if (ret_reading->status != MR_OK) {
        return;
    }
    for (;;) {
        mr_seglog_frame_t frames[4];
        unsigned count = 0;
        ret_reading->status = mr_seglog_reader_next (reader, frames, 4, &count, NULL);
        if (ret_reading->status != MR_OK) {
            break;
        }
        for (unsigned i = 0; i < count; i++) {
            ret_reading->bad += !mr_kit_good (&frames[i]);
            ck_assert_uint_lt (ret_reading->count, MR_KIT_MAX);
            ret_reading->numbers[ret_reading->count] = frames[i].words[0];
            ret_reading->positions[ret_reading->count++] = frames[i].position;
        }
    }
    mr_seglog_reader_destroy (&reader);
}

void
mr_kit_read_all (const char *dir, const mr_file_ops_t *ops, uint64_t position,
                 mr_kit_reading_t *ret_reading)
{
    const mr_seglog_reader_options_t options = {
        .dir = dir, .position = position, .buffer_bytes = 2048, .ops = ops};
    mr_kit_read_with (&options, ret_reading);
}
