#include "common/base/clock.h"
#include "common/runtime/inbox.h"
#include "common/runtime/peers.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#define DEADLINE_NS (30 * MR_NS_PER_S)

enum { MAX_WORKERS = 4, HWM = 2 };

/* A link: one sender, and the workers that it found, all in one loop. Each message begins with its
 * number. */
typedef struct stage {
    char run[64];
    void *zmq;
    mr_loop_t *loop;
    mr_peers_t *peers;
    mr_inbox_t *inboxes[MAX_WORKERS];
    int received[MAX_WORKERS];
    int got; /* from all of them */
    int sent;
    uint8_t *seen; /* by number */
    int lost[MAX_WORKERS];
    int rooms;
} stage_t;

static void
on_lost (void *arg, int slot)
{
    stage_t *self = arg;
    self->lost[slot]++;
}

static void
on_room (void *arg)
{
    stage_t *self = arg;
    self->rooms++;
}

static void
on_readable (void *arg)
{
    (void)arg; /* the tests read themselves */
}

static void
turn (stage_t *self)
{
    ck_assert_int_eq (mr_loop_once (self->loop, 1), MR_OK);
}

#define wait_until(self, fact)                                                        \
    do {                                                                              \
        int64_t until_ns = mr_clock_mono_ns () + DEADLINE_NS;                         \
        while (!(fact)) {                                                             \
            ck_assert_msg (mr_clock_mono_ns () < until_ns, "not in time: %s", #fact); \
            turn (self);                                                              \
        }                                                                             \
    } while (0)

static void
init_stage (stage_t *self)
{
    *self = (stage_t){0};
    snprintf (self->run, sizeof self->run, "%.60s", mr_test_dir ());
    self->zmq = zmq_ctx_new ();
    self->seen = calloc (1 << 20, 1);
    ck_assert_ptr_nonnull (self->seen);
    ck_assert_int_eq (mr_loop_new (&self->loop), MR_OK);
}

static void
open_peers (stage_t *self, bool immediate)
{
    mr_peers_options_t options = {
        .zmq = self->zmq,
        .loop = self->loop,
        .run_dir = self->run,
        .stage = "processor",
        .hwm = HWM,
        .immediate = immediate,
        .linger_ms = 30000,
        .lost = on_lost,
        .room = on_room,
        .arg = self,
    };
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_peers_new (&options, &self->peers, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
}

static mr_inbox_t *
open_inbox (stage_t *self, int slot)
{
    char path[128];
    snprintf (path, sizeof path, "%s/processor.%d.ipc", self->run, slot);
    mr_inbox_options_t options = {.zmq = self->zmq,
                                  .loop = self->loop,
                                  .path = path,
                                  .hwm = HWM,
                                  .readable = on_readable,
                                  .arg = self};
    mr_inbox_t *inbox = NULL;
    mr_error_t err = {.text = ""};
    mr_status_t status = mr_inbox_new (&options, &inbox, &err);
    ck_assert_msg (status == MR_OK, "%s", err.text);
    mr_inbox_enable (inbox, false);
    return inbox;
}

static void
release_stage (stage_t *self)
{
    for (int i = 0; i < MAX_WORKERS; i++) {
        mr_inbox_destroy (&self->inboxes[i]);
    }
    mr_peers_destroy (&self->peers);
    ck_assert_ptr_null (self->peers);
    mr_loop_destroy (&self->loop);
    zmq_ctx_term (self->zmq);
    free (self->seen);
}

/* Send the next number in a message of so many bytes. */
static bool
send_next (stage_t *self, size_t bytes)
{
    zmq_msg_t msg;
    ck_assert_int_eq (zmq_msg_init_size (&msg, bytes), 0);
    memset (zmq_msg_data (&msg), 'x', bytes);
    memcpy (zmq_msg_data (&msg), &self->sent, sizeof self->sent);
    mr_status_t status = mr_peers_send (self->peers, &msg);
    if (status != MR_OK) {
        ck_assert_int_eq (status, MR_AGAIN);
        ck_assert_uint_eq (zmq_msg_size (&msg), bytes); /* untouched */
    }
    zmq_msg_close (&msg);
    self->sent += status == MR_OK;
    return status == MR_OK;
}

/* Read one message of a worker's; false: there is none now. */
static bool
read_next (stage_t *self, int slot)
{
    zmq_msg_t msg;
    zmq_msg_init (&msg);
    bool got = mr_inbox_receive (self->inboxes[slot], &msg) == MR_OK;
    if (got) {
        int number;
        ck_assert_uint_eq ((uintptr_t)zmq_msg_data (&msg) % 8, 0);
        memcpy (&number, zmq_msg_data (&msg), sizeof number);
        ck_assert_int_lt (number, self->sent);
        self->seen[number]++;
        self->received[slot]++;
        self->got++;
    }
    zmq_msg_close (&msg);
    return got;
}

static void
read_all (stage_t *self)
{
    for (int i = 0; i < MAX_WORKERS; i++) {
        while (self->inboxes[i] != NULL && read_next (self, i)) {
        }
    }
}

static bool
all_came (stage_t *self)
{
    read_all (self);
    return self->got == self->sent;
}

static void
assert_each_once (const stage_t *self)
{
    for (int i = 0; i < self->sent; i++) {
        ck_assert_msg (self->seen[i] == 1, "message %d came %d times", i, self->seen[i]);
    }
}

START_TEST (test_messages_go_round_among_the_workers)
{
    stage_t stage;
    init_stage (&stage);
    stage.inboxes[0] = open_inbox (&stage, 0); /* there before the sender */
    open_peers (&stage, true);
    stage.inboxes[1] = open_inbox (&stage, 1);
    stage.inboxes[2] = open_inbox (&stage, 2);
    wait_until (&stage, send_next (&stage, 100));
    int before[3];
    int64_t end_ns = mr_clock_mono_ns () + DEADLINE_NS;
    do { /* until all three are connected */
        ck_assert_int_lt (mr_clock_mono_ns (), end_ns);
        memcpy (before, stage.received, sizeof before);
        for (int i = 0; i < 3; i++) {
            wait_until (&stage, send_next (&stage, 100));
        }
        wait_until (&stage, all_came (&stage));
    } while (stage.received[0] == before[0] || stage.received[1] == before[1] ||
             stage.received[2] == before[2]);
    memcpy (before, stage.received, sizeof before);
    for (int i = 0; i < 30; i++) {
        wait_until (&stage, send_next (&stage, 100));
        wait_until (&stage, all_came (&stage));
    }
    for (int i = 0; i < 3; i++) { /* one whose credit is on its way back is passed over */
        ck_assert_int_ge (stage.received[i] - before[i], 7);
    }
    assert_each_once (&stage);
    release_stage (&stage);
}
END_TEST

START_TEST (test_a_worker_that_does_not_read_does_not_hold_up_the_others)
{
    stage_t stage;
    init_stage (&stage);
    open_peers (&stage, true);
    stage.inboxes[0] = open_inbox (&stage, 0);
    stage.inboxes[1] = open_inbox (&stage, 1);
    int64_t end_ns = mr_clock_mono_ns () + DEADLINE_NS;
    while (stage.received[1] < 200) { /* worker 0 never reads */
        ck_assert_int_lt (mr_clock_mono_ns (), end_ns);
        (void)send_next (&stage, 57344);
        turn (&stage);
        while (read_next (&stage, 1)) {
        }
    }
    ck_assert_int_le (stage.sent - stage.received[1], 4 * HWM + 8); /* what each may hold */
    wait_until (&stage, all_came (&stage));
    assert_each_once (&stage);
    release_stage (&stage);
}
END_TEST

/* Fill the link until it takes no more for some turns. */
static void
fill (stage_t *self, size_t bytes)
{
    for (int still = 0; still < 20;) {
        still = send_next (self, bytes) ? 0 : still + 1;
        turn (self);
    }
}

START_TEST (test_room_is_bounded_and_told_once_when_asked_for)
{
    stage_t stage;
    init_stage (&stage);
    open_peers (&stage, true);
    ck_assert (!mr_peers_have_room (stage.peers));
    ck_assert (!send_next (&stage, 100)); /* nobody is there */
    stage.inboxes[0] = open_inbox (&stage, 0);
    mr_peers_want_room (stage.peers);
    wait_until (&stage, stage.rooms == 1 && mr_peers_have_room (stage.peers));
    fill (&stage, 57344);
    ck_assert_int_ge (stage.sent, HWM);
    ck_assert_int_le (stage.sent, 4 * HWM + 8);
    ck_assert (!mr_peers_have_room (stage.peers));
    ck_assert_int_eq (stage.rooms, 1);
    mr_peers_want_room (stage.peers);
    turn (&stage);
    ck_assert_int_eq (stage.rooms, 1);
    wait_until (&stage, (read_all (&stage), stage.rooms == 2));
    ck_assert (mr_peers_have_room (stage.peers));
    turn (&stage);
    ck_assert_int_eq (stage.rooms, 2);
    wait_until (&stage, all_came (&stage));
    assert_each_once (&stage);
    release_stage (&stage);
}
END_TEST

/* The worker leaves while the link is full and reads nothing until all farewells are on their way.
 */
static void
assert_drains (size_t bytes, bool sender_leaves)
{
    stage_t stage;
    init_stage (&stage);
    open_peers (&stage, true);
    stage.inboxes[0] = open_inbox (&stage, 0);
    wait_until (&stage, send_next (&stage, bytes));
    fill (&stage, bytes);
    if (sender_leaves) {
        mr_peers_leave (stage.peers);
    } else {
        ck_assert (!mr_inbox_quiet (stage.inboxes[0], mr_clock_mono_ns ()));
        mr_inbox_withdraw (stage.inboxes[0]);
    }
    int64_t hold_ns = mr_clock_mono_ns () + 50 * MR_NS_PER_MS;
    wait_until (&stage, mr_clock_mono_ns () >= hold_ns);
    if (sender_leaves) {
        wait_until (&stage, (read_all (&stage), mr_peers_gone (stage.peers)));
        wait_until (&stage, all_came (&stage));
        ck_assert (!send_next (&stage, bytes));
    } else {
        wait_until (&stage,
                    (read_all (&stage), mr_inbox_quiet (stage.inboxes[0], mr_clock_mono_ns ())));
        ck_assert (mr_peers_gone (stage.peers));
    }
    ck_assert_int_eq (stage.lost[0], 0);
    ck_assert_int_eq (stage.got, stage.sent);
    assert_each_once (&stage);
    release_stage (&stage);
}

START_TEST (test_nothing_is_lost_when_a_worker_leaves)
{
    assert_drains (220, false);
    assert_drains (8000, false);
    assert_drains (57344, false);
    assert_drains (220000, false);
}
END_TEST

START_TEST (test_nothing_is_lost_when_the_sender_leaves)
{
    assert_drains (220, true);
    assert_drains (8000, true);
    assert_drains (57344, true);
}
END_TEST

/* A worker in a process of its own; it takes `messages` and then waits for its end. */
static pid_t
fork_worker (const stage_t *self, int slot, int messages)
{
    pid_t pid = fork ();
    ck_assert_int_ge (pid, 0);
    if (pid != 0) {
        return pid;
    }
    stage_t child = {.zmq = zmq_ctx_new (), .seen = calloc (1 << 20, 1), .sent = INT_MAX};
    memcpy (child.run, self->run, sizeof child.run);
    if (mr_loop_new (&child.loop) != MR_OK) {
        _exit (1);
    }
    child.inboxes[slot] = open_inbox (&child, slot);
    for (;;) {
        (void)!mr_loop_once (child.loop, 1);
        if (child.got < messages) {
            (void)read_next (&child, slot);
        }
    }
}

START_TEST (test_a_worker_that_dies_is_reported_and_its_successor_found)
{
    stage_t stage;
    init_stage (&stage);
    pid_t worker = fork_worker (&stage, 0, 1000000);
    void *zmq = zmq_ctx_new (); /* after the fork */
    zmq_ctx_term (stage.zmq);
    stage.zmq = zmq;
    open_peers (&stage, true);
    for (int life = 1; life <= 3; life++) {
        int before = stage.sent;
        wait_until (&stage, (send_next (&stage, 8000), stage.sent >= before + 20));
        ck_assert_int_eq (kill (worker, SIGKILL), 0);
        ck_assert_int_eq (waitpid (worker, NULL, 0), worker);
        wait_until (&stage, stage.lost[0] == life);
        ck_assert (!send_next (&stage, 8000)); /* nobody has room */
        worker = fork_worker (&stage, 0, 1000000);
    }
    int before = stage.sent;
    wait_until (&stage, (send_next (&stage, 8000), stage.sent >= before + 20));
    ck_assert_int_eq (stage.lost[0], 3);
    kill (worker, SIGKILL);
    waitpid (worker, NULL, 0);
    release_stage (&stage);
}
END_TEST

START_TEST (test_what_waited_for_a_dead_worker_never_reaches_its_successor)
{
    stage_t stage;
    init_stage (&stage);
    pid_t worker = fork_worker (&stage, 0, 0); /* reads nothing */
    void *zmq = zmq_ctx_new ();
    zmq_ctx_term (stage.zmq);
    stage.zmq = zmq;
    open_peers (&stage, true);
    wait_until (&stage, send_next (&stage, 57344));
    fill (&stage, 57344);
    int stale = stage.sent;
    kill (worker, SIGKILL);
    waitpid (worker, NULL, 0);
    wait_until (&stage, stage.lost[0] == 1);
    stage.inboxes[0] = open_inbox (&stage, 0);
    wait_until (&stage, send_next (&stage, 57344));
    wait_until (&stage, (read_all (&stage), stage.seen[stale] == 1));
    ck_assert_int_eq (stage.got, 1);
    release_stage (&stage);
}
END_TEST

START_TEST (test_a_successor_at_the_same_path_takes_over_without_loss)
{
    stage_t stage;
    init_stage (&stage);
    open_peers (&stage, true);
    stage.inboxes[0] = open_inbox (&stage, 0);
    for (int life = 0; life < 5; life++) {
        int goal = stage.sent + 50;
        wait_until (&stage, (read_all (&stage), send_next (&stage, 8000), stage.sent >= goal));
        mr_inbox_withdraw (stage.inboxes[0]);
        wait_until (&stage, (read_all (&stage), send_next (&stage, 8000),
                             mr_inbox_quiet (stage.inboxes[0], mr_clock_mono_ns ())));
        mr_inbox_destroy (&stage.inboxes[0]);
        stage.inboxes[0] = open_inbox (&stage, 0);
    }
    wait_until (&stage, all_came (&stage));
    assert_each_once (&stage);
    ck_assert_int_eq (stage.lost[0], 0);
    release_stage (&stage);
}
END_TEST

START_TEST (test_hints_wait_for_a_worker_that_comes_later)
{
    stage_t stage;
    init_stage (&stage);
    open_peers (&stage, false);
    ck_assert_int_eq (mr_peers_send_to (stage.peers, 1, "\0\0\0\0hint", 8), MR_AGAIN);
    stage.inboxes[1] = open_inbox (&stage, 1);
    stage.sent = 1;
    wait_until (&stage, mr_peers_send_to (stage.peers, 1, "\0\0\0\0hint", 8) == MR_OK);
    ck_assert_int_eq (mr_peers_send_to (stage.peers, 0, "\0\0\0\0hint", 8), MR_AGAIN);
    wait_until (&stage, all_came (&stage));
    ck_assert_int_eq (stage.received[1], 1);
    release_stage (&stage);
}
END_TEST

START_TEST (test_all_are_told_and_none_is_waited_for)
{
    stage_t stage;
    init_stage (&stage);
    open_peers (&stage, false);
    mr_peers_send_all (stage.peers, "\0\0\0\0hint", 8); /* nobody is there */
    stage.inboxes[0] = open_inbox (&stage, 0);
    stage.inboxes[3] = open_inbox (&stage, 3);
    stage.sent = 1;
    wait_until (&stage, (mr_peers_send_all (stage.peers, "\0\0\0\0hint", 8), read_all (&stage),
                         stage.received[0] > 0 && stage.received[3] > 0));
    release_stage (&stage);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_messages_go_round_among_the_workers,
        test_a_worker_that_does_not_read_does_not_hold_up_the_others,
        test_room_is_bounded_and_told_once_when_asked_for,
        test_nothing_is_lost_when_a_worker_leaves,
        test_nothing_is_lost_when_the_sender_leaves,
        test_a_worker_that_dies_is_reported_and_its_successor_found,
        test_what_waited_for_a_dead_worker_never_reaches_its_successor,
        test_a_successor_at_the_same_path_takes_over_without_loss,
        test_hints_wait_for_a_worker_that_comes_later,
        test_all_are_told_and_none_is_waited_for,
        NULL,
    };
    return mr_suite_run ("peers", tests);
}
