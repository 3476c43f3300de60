/* The examples of PROTOCOL.md are what the code writes, byte by byte. */
#include "common/base/buffer.h"
#include "common/wire/batch.h"
#include "common/wire/control.h"
#include "common/wire/dead.h"
#include "common/wire/event.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PROTOCOL.md from "<!-- example: NAME -->" on; owned by the caller. */
static char *
read_from_example (const char *name)
{
    FILE *file = fopen (MR_SOURCE_DIR "/PROTOCOL.md", "rb");
    ck_assert_ptr_nonnull (file);
    static char document[1 << 20];
    size_t bytes = fread (document, 1, sizeof document - 1, file);
    fclose (file);
    document[bytes] = '\0';
    char mark[80];
    snprintf (mark, sizeof mark, "<!-- example: %s -->\n", name);
    char *at = strstr (document, mark);
    ck_assert_msg (at != NULL, "PROTOCOL.md has no %s", mark);
    at = strstr (at, "```");
    ck_assert_ptr_nonnull (at);
    return strchr (at, '\n') + 1;
}

/* Lines "0010  4d 52 …" up to the closing fence. */
static size_t
read_hex (const char *name, uint8_t *ret_bytes, size_t most)
{
    size_t bytes = 0;
    char *line = read_from_example (name);
    while (strncmp (line, "```", 3) != 0) {
        char *end = strchr (line, '\n');
        ck_assert_ptr_nonnull (end);
        *end = '\0';
        char *rest;
        ck_assert_uint_eq (strtoul (line, &rest, 16), bytes);
        char *at = rest;
        for (;;) {
            unsigned long value = strtoul (at, &rest, 16);
            if (rest == at) {
                break;
            }
            ck_assert_uint_lt (bytes, most);
            ret_bytes[bytes++] = (uint8_t)value;
            at = rest;
        }
        line = end + 1;
    }
    return bytes;
}

/* On failure the right text is printed, ready to be copied. */
static void
assert_document (const char *name, const uint8_t *expected, size_t bytes)
{
    static uint8_t written[4096];
    size_t found = read_hex (name, written, sizeof written);
    if (found == bytes && memcmp (written, expected, bytes) == 0) {
        return;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (i % 16 == 0) {
            printf ("%s%04zx ", i == 0 ? "" : "\n", i);
        }
        printf (" %02x", expected[i]);
    }
    printf ("\n");
    fflush (stdout);
    ck_abort_msg ("the example \"%s\" of PROTOCOL.md is not what the code writes", name);
}

static mr_batch_t
example_batch (mr_buffer_t *dead)
{
    static const uint32_t offsets[] = {0, 8};
    static const uint32_t original[] = {1};
    const mr_dead_t row = {
        .index = 0,
        .attempts = 1,
        .ts_ns = INT64_C (1763886097123456000),
        .stage = mr_dead_text ("processor"),
        .worker = mr_dead_text ("processor.1"),
        .error_type = mr_dead_text ("json_syntax"),
        .rule = mr_dead_text ("parse = json"),
        .message = mr_dead_text ("byte 0: no value"),
        .record = "oops",
        .record_bytes = 4,
        .original_bytes = 4,
    };
    ck_assert_int_eq (mr_dead_append (dead, &row), MR_OK);
    mr_batch_t batch = {
        .journal = UINT64_C (0x1122334455667788),
        .seq = 17,
        .attempt = 1,
        .origin = 0,
        .received = 3,
        .count = 1,
        .filtered = 1,
        .dead = 1,
        .created_ns = INT64_C (1763886097000000000),
        .config_hash = UINT64_C (0xc0ffee),
        .records = "{\"a\":1}\n",
        .records_bytes = 8,
        .offsets = offsets,
    };
    ck_assert_int_eq (mr_batch_set_section (&batch, MR_SECTION_INDEX, original, sizeof original),
                      MR_OK);
    ck_assert_int_eq (
        mr_batch_set_section (&batch, MR_SECTION_DEAD, dead->data, (uint32_t)dead->size), MR_OK);
    return batch;
}

START_TEST (test_the_batch_of_the_document_is_what_is_written)
{
    mr_buffer_t dead;
    mr_buffer_init (&dead, 4096);
    mr_batch_t batch = example_batch (&dead);
    size_t bytes = mr_batch_encoded_bytes (&batch);
    uint8_t *frame = malloc (bytes);
    ck_assert_ptr_nonnull (frame);
    mr_batch_encode (&batch, frame);
    assert_document ("batch", frame, bytes);
    free (frame);
    mr_buffer_release (&dead);
}
END_TEST

START_TEST (test_the_control_frame_of_the_document_is_what_is_written)
{
    const mr_control_t control = {
        .type = MR_CONTROL_DONE,
        .journal = UINT64_C (0x1122334455667788),
        .seq = 17,
        .exported = 1,
        .filtered = 1,
        .dead = 1,
        .slot = 0,
    };
    uint8_t frame[MR_CONTROL_BYTES];
    mr_control_encode (&control, frame);
    assert_document ("control", frame, sizeof frame);
}
END_TEST

/* One line, the topic and the JSON separated by a space. */
static void
assert_event (const char *name, const mr_event_t *event)
{
    char *line = read_from_example (name);
    *strchr (line, '\n') = '\0';
    char topic[MR_EVENT_TOPIC_BYTES];
    mr_event_topic (event, topic);
    mr_buffer_t out;
    mr_buffer_init (&out, 4096);
    ck_assert_int_eq (mr_buffer_printf (&out, "%s ", topic), MR_OK);
    ck_assert_int_eq (mr_event_encode (event, &out), MR_OK);
    ck_assert_int_eq (mr_buffer_append (&out, "", 1), MR_OK);
    ck_assert_str_eq (line, out.data);
    mr_buffer_release (&out);
}

START_TEST (test_the_events_of_the_document_are_what_is_written)
{
    const mr_event_t success = {
        .kind = MR_EVENT_SUCCESS,
        .domain = "processor",
        .operation = "handle",
        .duration_ms = 1.84,
        .count = 1024,
        .worker = "processor.1",
        .incarnation = UINT64_C (0x9f3ac15d00e77b02),
        .event_seq = 4711,
        .ts_ns = INT64_C (1763886097123456000),
    };
    assert_event ("success", &success);
    mr_event_t error = success;
    error.kind = MR_EVENT_ERROR;
    error.count = 3;
    error.event_seq = 4712;
    strcpy (error.error_type, "json_syntax");
    strcpy (error.message, "byte 0: no value");
    strcpy (error.sample, "oops");
    assert_event ("error", &error);
}
END_TEST

START_TEST (test_the_dead_letter_of_the_document_is_what_is_written)
{
    mr_buffer_t dead;
    mr_buffer_t out;
    mr_buffer_init (&dead, 4096);
    mr_buffer_init (&out, 4096);
    mr_batch_t batch = example_batch (&dead);
    size_t position = 0;
    mr_dead_t row;
    ck_assert_int_eq (mr_dead_next (dead.data, dead.size, &position, &row, NULL), MR_OK);
    ck_assert_int_eq (mr_dead_format (&row, batch.journal, batch.seq, &out), MR_OK);
    const char *line = read_from_example ("dead letter");
    ck_assert_int_eq (strncmp (line, out.data, out.size), 0);
    mr_buffer_release (&out);
    mr_buffer_release (&dead);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_the_batch_of_the_document_is_what_is_written,
        test_the_control_frame_of_the_document_is_what_is_written,
        test_the_events_of_the_document_are_what_is_written,
        test_the_dead_letter_of_the_document_is_what_is_written,
        NULL,
    };
    return mr_suite_run ("protocol", tests);
}
