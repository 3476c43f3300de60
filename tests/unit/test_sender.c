#include "common/base/clock.h"
#include "launcher/sender.h"
#include "tests/support/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RECORDS = 20000, MAX_QUEUE = 64 };

/* The other side: takes records by the rule of PROTOCOL.md and remembers them. */
static struct {
    uint64_t last;
    unsigned stored[MAX_RECORDS]; /* how often record i was taken */
    unsigned order[MAX_RECORDS];  /* which records, in the order taken */
    size_t count;
    unsigned bad; /* this record is refused; 0: none */
} server;

static mr_sender_t *sender;
static int64_t now_ns;

static void
add (unsigned from, unsigned to)
{
    char text[16];
    for (unsigned i = from; i <= to; i++) {
        int bytes = snprintf (text, sizeof text, "%u", i);
        ck_assert_int_eq (mr_sender_add (sender, text, (size_t)bytes), MR_OK);
    }
}

static unsigned
value_of (mr_frame_t frame)
{
    char text[16] = "";
    memcpy (text, frame.data, frame.bytes);
    return (unsigned)strtoul (text, NULL, 10);
}

static mr_answer_t
serve (const mr_sender_request_t *request)
{
    mr_answer_t answer = {.type = MR_ANSWER_OK};
    for (size_t i = 0; i < request->count; i++) {
        if (server.bad != 0 && value_of (request->records[i]) == server.bad) {
            answer.type = MR_ANSWER_ERROR;
            snprintf (answer.why, sizeof answer.why, "bad");
            return answer;
        }
    }
    mr_verdict_t verdict =
        mr_producer_judge (server.last, request->number, (uint32_t)request->count);
    answer.last = verdict.last;
    switch (verdict.type) {
    case MR_VERDICT_STORE:
        for (size_t i = verdict.skip; i < request->count; i++) {
            unsigned value = value_of (request->records[i]);
            server.stored[value]++;
            server.order[server.count++] = value;
        }
        server.last = verdict.last;
        break;
    case MR_VERDICT_DUPLICATE:
        break;
    case MR_VERDICT_GAP:
        answer.type = MR_ANSWER_GAP;
        break;
    case MR_VERDICT_MALFORMED:
        ck_abort_msg ("a request with more records than its number");
    }
    return answer;
}

static void
set_up (uint64_t last)
{
    memset (&server, 0, sizeof server);
    server.last = last;
    now_ns = MR_NS_PER_S;
    sender = mr_sender_new (last);
    ck_assert_ptr_nonnull (sender);
}

static void
expect_once_in_order (unsigned from, unsigned to)
{
    ck_assert_uint_eq (server.count, to - from + 1);
    for (unsigned i = from; i <= to; i++) {
        ck_assert_uint_eq (server.order[i - from], i);
    }
}

/* Send and answer, in order, until everything is acknowledged or nothing moves. busy_at: the
 * request in that place is answered busy; lost_at: the connection breaks after it was served. */
static void
run (int busy_at, int lost_at)
{
    struct {
        mr_answer_t answer;
        uint64_t number;
    } queue[MAX_QUEUE];
    int requests = 0;
    for (int round = 0; round < 1000 && !mr_sender_idle (sender); round++) {
        size_t queued = 0;
        mr_sender_request_t request;
        while (mr_sender_next (sender, true, now_ns, &request)) {
            requests++;
            queue[queued].number = request.number;
            if (requests == busy_at) {
                queue[queued].answer = (mr_answer_t){.type = MR_ANSWER_BUSY};
            } else {
                queue[queued].answer = serve (&request);
            }
            queued++;
            mr_sender_sent (sender);
            ck_assert_uint_le (queued, MR_SENDER_WINDOW);
        }
        bool lost = lost_at > 0 && requests >= lost_at;
        for (size_t i = 0; i < queued && !lost; i++) {
            mr_sender_answer (sender, &queue[i].answer, queue[i].number, now_ns);
        }
        if (lost) {
            lost_at = 0;
            mr_sender_resend (sender);
        }
        now_ns += 10 * MR_NS_PER_MS;
    }
    ck_assert (mr_sender_idle (sender));
}

START_TEST (test_records_go_once_and_in_order)
{
    set_up (0);
    add (1, 5000);
    run (0, 0);
    expect_once_in_order (1, 5000);
    ck_assert_uint_eq (mr_sender_acknowledged (sender), 5000);
    mr_sender_destroy (&sender);
}
END_TEST

START_TEST (test_numbers_go_on_behind_those_of_the_last_run)
{
    set_up (300);
    add (301, 600);
    run (0, 0);
    expect_once_in_order (301, 600);
    ck_assert_uint_eq (server.last, 600);
    ck_assert_uint_eq (mr_sender_acknowledged (sender), 300);
    mr_sender_destroy (&sender);
}
END_TEST

START_TEST (test_busy_at_any_request_loses_and_doubles_nothing)
{
    for (int at = 1; at <= 20; at++) {
        set_up (0);
        add (1, 5000);
        run (at, 0);
        expect_once_in_order (1, 5000);
        mr_sender_destroy (&sender);
    }
}
END_TEST

START_TEST (test_a_broken_connection_at_any_request_loses_and_doubles_nothing)
{
    for (int at = 1; at <= 20; at++) {
        set_up (0);
        add (1, 5000);
        run (0, at);
        expect_once_in_order (1, 5000);
        mr_sender_destroy (&sender);
    }
}
END_TEST

START_TEST (test_one_refused_record_is_left_out_alone)
{
    static const unsigned places[] = {1, 2, 255, 256, 257, 511, 700, 999, 1000};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        set_up (0);
        server.bad = places[i];
        add (1, 1000);
        run (0, 0);
        ck_assert_uint_eq (server.count, 999);
        for (unsigned value = 1; value <= 1000; value++) {
            ck_assert_uint_eq (server.stored[value], value == places[i] ? 0 : 1);
        }
        ck_assert_uint_eq (mr_sender_refused (sender), 1);
        ck_assert_uint_eq (mr_sender_acknowledged (sender), 999);
        mr_sender_destroy (&sender);
    }
}
END_TEST

START_TEST (test_the_window_is_bounded_and_opens_again)
{
    set_up (0);
    unsigned added = 0;
    while (mr_sender_room (sender)) {
        add (added + 1, added + 1);
        added++;
        ck_assert_uint_lt (added, MAX_RECORDS);
    }
    ck_assert_uint_eq (added, MR_SENDER_WINDOW * MR_SENDER_RECORDS);
    ck_assert_int_eq (mr_sender_add (sender, "x", 1), MR_AGAIN);
    run (0, 0);
    ck_assert (mr_sender_room (sender));
    mr_sender_destroy (&sender);
}
END_TEST

START_TEST (test_a_request_that_goes_again_stays_the_same_and_says_where_it_ends)
{
    set_up (0);
    mr_sender_request_t request;
    for (uint64_t end = 10; end <= 30; end += 10) {
        ck_assert_int_eq (mr_sender_add_at (sender, "1", 1, end), MR_OK);
    }
    ck_assert (mr_sender_next (sender, true, now_ns, &request));
    ck_assert_uint_eq (request.number, 3);
    ck_assert_uint_eq (request.end, 30);
    mr_sender_sent (sender);
    mr_sender_resend (sender);
    ck_assert_int_eq (mr_sender_add_at (sender, "1", 1, 40), MR_OK);
    for (uint64_t i = 0; i < 2; i++) {
        ck_assert (mr_sender_next (sender, true, now_ns, &request));
        ck_assert_uint_eq (request.number, 3 + i);
        ck_assert_uint_eq (request.end, 30 + 10 * i);
        mr_sender_sent (sender);
    }
    mr_sender_destroy (&sender);
}
END_TEST

START_TEST (test_a_record_larger_than_a_request_goes_alone)
{
    set_up (0);
    char *large = calloc (1, 3 * MR_SENDER_BYTES);
    ck_assert_int_eq (mr_sender_add (sender, "1", 1), MR_OK);
    ck_assert_int_eq (mr_sender_add (sender, large, 3 * MR_SENDER_BYTES), MR_OK);
    ck_assert_int_eq (mr_sender_add (sender, "3", 1), MR_OK);
    static const size_t sizes[] = {1, 3 * MR_SENDER_BYTES, 1};
    for (size_t i = 0; i < 3; i++) {
        mr_sender_request_t request;
        ck_assert (mr_sender_next (sender, true, now_ns, &request));
        ck_assert_uint_eq (request.count, 1);
        ck_assert_uint_eq (request.number, i + 1);
        ck_assert_uint_eq (request.records[0].bytes, sizes[i]);
        mr_sender_sent (sender);
    }
    free (large);
    mr_sender_destroy (&sender);
}
END_TEST

START_TEST (test_a_server_that_forgot_is_noticed_and_a_new_name_begins_at_1)
{
    set_up (0);
    add (1, 512);
    mr_sender_request_t request;
    ck_assert (mr_sender_next (sender, true, now_ns, &request));
    mr_answer_t answer = serve (&request);
    mr_sender_sent (sender);
    mr_sender_answer (sender, &answer, request.number, now_ns);
    server.last = 0;
    ck_assert (mr_sender_next (sender, true, now_ns, &request));
    answer = serve (&request);
    mr_sender_sent (sender);
    ck_assert_int_eq (mr_sender_answer (sender, &answer, request.number, now_ns),
                      MR_SENDER_FORGOTTEN);
    mr_sender_rename (sender);
    run (0, 0);
    expect_once_in_order (1, 512);
    ck_assert_uint_eq (server.last, 256);
    ck_assert_uint_eq (mr_sender_acknowledged (sender), 512);
    mr_sender_destroy (&sender);
}
END_TEST

START_TEST (test_a_name_that_somebody_else_has_got_further_with_is_told_and_held_up_by_nothing)
{
    /* Two of them on one file, say, or the queued requests of one that was killed. */
    set_up (0);
    add (1, 10);
    mr_sender_request_t request;
    ck_assert (mr_sender_next (sender, true, now_ns, &request));
    mr_sender_sent (sender);
    mr_answer_t answer = {.type = MR_ANSWER_OK, .last = 5000};
    ck_assert_int_eq (mr_sender_answer (sender, &answer, request.number, now_ns),
                      MR_SENDER_OVERTAKEN);
    ck_assert_uint_eq (mr_sender_acknowledged (sender), 10);
    ck_assert (mr_sender_idle (sender));
    server.last = 5000; /* and so it catches up */
    add (11, 6000);
    run (0, 0);
    expect_once_in_order (5001, 6000);
    ck_assert_uint_eq (mr_sender_last (sender), 6000);
    mr_sender_destroy (&sender);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_records_go_once_and_in_order,
        test_numbers_go_on_behind_those_of_the_last_run,
        test_busy_at_any_request_loses_and_doubles_nothing,
        test_a_broken_connection_at_any_request_loses_and_doubles_nothing,
        test_one_refused_record_is_left_out_alone,
        test_the_window_is_bounded_and_opens_again,
        test_a_request_that_goes_again_stays_the_same_and_says_where_it_ends,
        test_a_record_larger_than_a_request_goes_alone,
        test_a_server_that_forgot_is_noticed_and_a_new_name_begins_at_1,
        test_a_name_that_somebody_else_has_got_further_with_is_told_and_held_up_by_nothing,
        NULL,
    };
    return mr_suite_run ("sender", tests);
}
