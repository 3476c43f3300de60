#include "stages/ingest/request.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RECORD = 20 };

#define FRAME(text)             \
    {                           \
        text, sizeof (text) - 1 \
    }
#define COUNT(array) (sizeof (array) / sizeof *(array))

static void
assert_refused (const mr_frame_t *frames, size_t count, const char *why)
{
    mr_request_t request;
    mr_error_t err;
    ck_assert_int_eq (mr_request_read (frames, count, MAX_RECORD, &request, &err), MR_INVALID);
    ck_assert_msg (strstr (err.text, why) != NULL, "\"%s\" does not say \"%s\"", err.text, why);
    ck_assert_ptr_eq (request.routing.data, frames[0].data);
}

static mr_request_t
read_request (const mr_frame_t *frames, size_t count)
{
    mr_request_t request;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_request_read (frames, count, MAX_RECORD, &request, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    return request;
}

static void
assert_frame (mr_frame_t frame, const char *text)
{
    ck_assert_uint_eq (frame.bytes, strlen (text));
    ck_assert_int_eq (memcmp (frame.data, text, frame.bytes), 0);
}

START_TEST (test_a_request_of_a_dealer_is_an_id_and_records)
{
    const mr_frame_t frames[] = {FRAME ("peer"), FRAME ("web/2"), FRAME ("{\"n\":1}\r\n"),
                                 FRAME (" \t"),  FRAME (""),      FRAME ("{\"n\":2}")};
    mr_request_t request = read_request (frames, COUNT (frames));
    assert_frame (request.routing, "peer");
    assert_frame (request.id, "web/2");
    ck_assert (!request.delimiter);
    ck_assert (request.producer.numbered);
    ck_assert_uint_eq (request.producer.number, 2);
    ck_assert_uint_eq (request.records, 2);
    ck_assert_uint_eq (request.bytes, 9 + 7);
    size_t position = 0;
    mr_frame_t record;
    ck_assert (mr_request_next (&request, &position, &record));
    assert_frame (record, "{\"n\":1}");
    ck_assert (mr_request_next (&request, &position, &record));
    assert_frame (record, "{\"n\":2}");
    ck_assert (!mr_request_next (&request, &position, &record));
    ck_assert (!mr_request_next (&request, &position, &record));
}
END_TEST

START_TEST (test_a_request_of_a_req_has_an_empty_frame_in_front)
{
    const mr_frame_t frames[] = {FRAME ("peer"), FRAME (""), FRAME ("job"), FRAME ("{}")};
    mr_request_t request = read_request (frames, COUNT (frames));
    ck_assert (request.delimiter);
    assert_frame (request.id, "job");
    ck_assert (!request.producer.numbered);
    ck_assert_uint_eq (request.records, 1);
}
END_TEST

START_TEST (test_a_question_has_no_records)
{
    const mr_frame_t frames[] = {FRAME ("peer"), FRAME ("web/0")};
    mr_request_t request = read_request (frames, COUNT (frames));
    ck_assert_uint_eq (request.records, 0);
    ck_assert_uint_eq (request.bytes, 0);
    size_t position = 0;
    mr_frame_t record;
    ck_assert (!mr_request_next (&request, &position, &record));
}
END_TEST

START_TEST (test_a_request_without_an_id_is_refused)
{
    const mr_frame_t frames[] = {FRAME ("peer"), FRAME (""), FRAME ("")};
    assert_refused (frames, 1, "an id frame and one frame for each record");
    assert_refused (frames, 2, "an id frame and one frame for each record");
    assert_refused (frames, 3, "the id has 0 bytes");
}
END_TEST

START_TEST (test_the_answer_to_a_long_id_begins_with_its_start)
{
    static char id[200];
    memset (id, 'i', sizeof id);
    const mr_frame_t frames[] = {FRAME ("peer"), {id, sizeof id}, FRAME ("{}")};
    assert_refused (frames, COUNT (frames), "the id has 200 bytes");
    mr_request_t request;
    (void)!mr_request_read (frames, COUNT (frames), MAX_RECORD, &request, NULL);
    ck_assert_uint_eq (request.id.bytes, MR_PRODUCER_ID_MAX_BYTES);
}
END_TEST

START_TEST (test_a_record_that_is_too_long_refuses_all_and_is_numbered)
{
    const mr_frame_t frames[] = {FRAME ("peer"), FRAME ("web/2"), FRAME ("{}"), FRAME (" "),
                                 FRAME ("{\"long\":\"0123456789\"}")};
    assert_refused (frames, COUNT (frames), "record 2 of the request has 21 bytes, more than");
    mr_request_t request;
    mr_error_t err;
    ck_assert_int_eq (mr_request_read (frames, COUNT (frames), 21, &request, &err), MR_OK);
}
END_TEST

START_TEST (test_records_are_bounded_in_number_and_bytes)
{
    mr_frame_t *frames = calloc (MR_REQUEST_KEPT_FRAMES, sizeof *frames);
    ck_assert_ptr_nonnull (frames);
    for (int i = 0; i < MR_REQUEST_KEPT_FRAMES; i++) {
        frames[i] = (mr_frame_t){"x", 1};
    }
    mr_request_t request = read_request (frames, 2 + MR_BATCH_MAX_RECORDS);
    ck_assert_uint_eq (request.records, MR_BATCH_MAX_RECORDS);
    assert_refused (frames, 3 + MR_BATCH_MAX_RECORDS, "at most 65536 records");
    frames[1] = (mr_frame_t){"", 0};
    request = read_request (frames, 3 + MR_BATCH_MAX_RECORDS);
    ck_assert_uint_eq (request.records, MR_BATCH_MAX_RECORDS);
    assert_refused (frames, MR_REQUEST_KEPT_FRAMES, "at most 65536 records");

    size_t most = MR_REQUEST_MAX_BYTES;
    char *record = malloc (most + 1);
    ck_assert_ptr_nonnull (record);
    memset (record, 'r', most + 1);
    frames[3] = (mr_frame_t){record, most};
    mr_error_t err;
    ck_assert_int_eq (mr_request_read (frames, 4, SIZE_MAX, &request, &err), MR_OK);
    frames[4] = (mr_frame_t){"x", 1};
    ck_assert_int_eq (mr_request_read (frames, 5, SIZE_MAX, &request, &err), MR_INVALID);
    ck_assert_ptr_nonnull (strstr (err.text, "bytes of records; at most 33554432 fit"));
    free (record);
    free (frames);
}
END_TEST

START_TEST (test_who_cannot_be_named_is_not_answered)
{
    static char routing[MR_REQUEST_ROUTING_MAX_BYTES + 1];
    const mr_frame_t frames[] = {{routing, sizeof routing}, FRAME ("job")};
    mr_request_t request;
    mr_error_t err;
    ck_assert_int_eq (mr_request_read (frames, 2, MAX_RECORD, &request, &err), MR_CLOSED);
    ck_assert_int_eq (mr_request_read (frames, 0, MAX_RECORD, &request, &err), MR_CLOSED);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_a_request_of_a_dealer_is_an_id_and_records,
        test_a_request_of_a_req_has_an_empty_frame_in_front,
        test_a_question_has_no_records,
        test_a_request_without_an_id_is_refused,
        test_the_answer_to_a_long_id_begins_with_its_start,
        test_a_record_that_is_too_long_refuses_all_and_is_numbered,
        test_records_are_bounded_in_number_and_bytes,
        test_who_cannot_be_named_is_not_answered,
        NULL,
    };
    return mr_suite_run ("request", tests);
}
