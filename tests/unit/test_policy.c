#include "common/base/clock.h"
#include "launcher/policy.h"
#include "tests/support/suite.h"

#include <signal.h>
#include <string.h>

static const mr_policy_limits_t limits = {
    .start_timeout_ms = 10000,
    .stop_timeout_ms = 30000,
    .backoff_max_ms = 1000,
    .restart_limit = 5,
    .restart_window_ms = 30000,
};

#define MS(n) ((int64_t)(n)*MR_NS_PER_MS)

static int64_t now_ns;

static void
set_up (void)
{
    now_ns = MS (1000);
}

static mr_policy_action_t
step (mr_policy_t *policy, mr_policy_event_t event)
{
    return mr_policy_step (policy, &limits, event, now_ns);
}

static mr_policy_action_t
die (mr_policy_t *policy, int code, int signal)
{
    return mr_policy_exited (policy, &limits, code, signal, now_ns);
}

/* A policy in the given state, reached by events. */
static mr_policy_t
in_state (mr_policy_state_t state)
{
    mr_policy_t policy = {0};
    if (state == MR_POLICY_STOPPED) {
        return policy;
    }
    step (&policy, MR_POLICY_START);
    if (state == MR_POLICY_RUNNING || state == MR_POLICY_DRAINING) {
        step (&policy, MR_POLICY_READY);
    }
    if (state == MR_POLICY_DRAINING) {
        step (&policy, MR_POLICY_STOP);
    } else if (state == MR_POLICY_BACKING_OFF) {
        die (&policy, 1, 0);
    } else if (state == MR_POLICY_GIVEN_UP) {
        die (&policy, 78, 0);
    }
    ck_assert_int_eq (policy.state, state);
    return policy;
}

static void
run_for (mr_policy_t *policy, int64_t ms)
{
    step (policy, MR_POLICY_READY);
    ck_assert_int_eq (policy->state, MR_POLICY_RUNNING);
    now_ns += MS (ms);
}

/* Let the back-off pass; the wait in ms. */
static int64_t
wait_out (mr_policy_t *policy)
{
    ck_assert_int_eq (policy->state, MR_POLICY_BACKING_OFF);
    int64_t wait_ns = policy->deadline_ns - now_ns;
    now_ns = policy->deadline_ns;
    ck_assert_int_eq (step (policy, MR_POLICY_TICK), MR_POLICY_SPAWN);
    return wait_ns / MR_NS_PER_MS;
}

typedef struct expectation {
    mr_policy_state_t next;
    mr_policy_action_t action;
} expectation_t;

#define TO(state, what)                     \
    {                                       \
        MR_POLICY_##state, MR_POLICY_##what \
    }

/* Every state under every event; EXITED is a crash with code 1 of a fresh worker. */
static const expectation_t expected[MR_POLICY_STATES][MR_POLICY_EVENTS] =
    {
        [MR_POLICY_STOPPED] =
            {
                [MR_POLICY_START] = TO (STARTING, SPAWN),
                [MR_POLICY_STOP] = TO (STOPPED, NONE),
                [MR_POLICY_STOP_NOW] = TO (STOPPED, NONE),
                [MR_POLICY_LEAVE] = TO (STOPPED, NONE),
                [MR_POLICY_RESTART] = TO (STARTING, SPAWN),
                [MR_POLICY_RESTART_NOW] = TO (STARTING, SPAWN),
                [MR_POLICY_ADOPT] = TO (STARTING, NONE),
                [MR_POLICY_READY] = TO (RUNNING, NONE),
                [MR_POLICY_WORKED] = TO (STOPPED, NONE),
                [MR_POLICY_WAITS] = TO (STOPPED, NONE),
                [MR_POLICY_EXITED] = TO (STOPPED, NONE),
                [MR_POLICY_TICK] = TO (STOPPED, NONE),
            },
        [MR_POLICY_STARTING] =
            {
                [MR_POLICY_START] = TO (STARTING, NONE),
                [MR_POLICY_STOP] = TO (DRAINING, TERM),
                [MR_POLICY_STOP_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_LEAVE] = TO (STARTING, NONE),
                [MR_POLICY_RESTART] = TO (DRAINING, TERM),
                [MR_POLICY_RESTART_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_ADOPT] = TO (STARTING, NONE),
                [MR_POLICY_READY] = TO (RUNNING, NONE),
                [MR_POLICY_WORKED] = TO (STARTING, NONE),
                [MR_POLICY_WAITS] = TO (STARTING, NONE),
                [MR_POLICY_EXITED] = TO (BACKING_OFF, NONE),
                [MR_POLICY_TICK] = TO (STARTING, NONE),
            },
        [MR_POLICY_RUNNING] =
            {
                [MR_POLICY_START] = TO (RUNNING, NONE),
                [MR_POLICY_STOP] = TO (DRAINING, TERM),
                [MR_POLICY_STOP_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_LEAVE] = TO (DRAINING, USR1),
                [MR_POLICY_RESTART] = TO (DRAINING, TERM),
                [MR_POLICY_RESTART_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_ADOPT] = TO (RUNNING, NONE),
                [MR_POLICY_READY] = TO (RUNNING, NONE),
                [MR_POLICY_WORKED] = TO (RUNNING, NONE),
                [MR_POLICY_WAITS] = TO (RUNNING, NONE),
                [MR_POLICY_EXITED] = TO (BACKING_OFF, NONE),
                [MR_POLICY_TICK] = TO (RUNNING, NONE),
            },
        [MR_POLICY_DRAINING] =
            {
                [MR_POLICY_START] = TO (DRAINING, NONE),
                [MR_POLICY_STOP] = TO (DRAINING, NONE),
                [MR_POLICY_STOP_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_LEAVE] = TO (DRAINING, NONE),
                [MR_POLICY_RESTART] = TO (DRAINING, NONE),
                [MR_POLICY_RESTART_NOW] = TO (DRAINING, KILL),
                [MR_POLICY_ADOPT] = TO (DRAINING, NONE),
                [MR_POLICY_READY] = TO (DRAINING, NONE),
                [MR_POLICY_WORKED] = TO (DRAINING, NONE),
                [MR_POLICY_WAITS] = TO (DRAINING, NONE),
                [MR_POLICY_EXITED] = TO (STOPPED, NONE),
                [MR_POLICY_TICK] = TO (DRAINING, NONE),
            },
        [MR_POLICY_BACKING_OFF] =
            {
                [MR_POLICY_START] = TO (STARTING, SPAWN),
                [MR_POLICY_STOP] = TO (STOPPED, NONE),
                [MR_POLICY_STOP_NOW] = TO (STOPPED, NONE),
                [MR_POLICY_LEAVE] = TO (STOPPED, NONE),
                [MR_POLICY_RESTART] = TO (STARTING, SPAWN),
                [MR_POLICY_RESTART_NOW] = TO (STARTING, SPAWN),
                [MR_POLICY_ADOPT] = TO (STARTING, NONE),
                [MR_POLICY_READY] = TO (RUNNING, NONE),
                [MR_POLICY_WORKED] = TO (BACKING_OFF, NONE),
                [MR_POLICY_WAITS] = TO (BACKING_OFF, NONE),
                [MR_POLICY_EXITED] = TO (BACKING_OFF, NONE),
                [MR_POLICY_TICK] = TO (BACKING_OFF, NONE),
            },
        [MR_POLICY_GIVEN_UP] =
            {
                [MR_POLICY_START] = TO (STARTING, SPAWN),
                [MR_POLICY_STOP] = TO (STOPPED, NONE),
                [MR_POLICY_STOP_NOW] = TO (STOPPED, NONE),
                [MR_POLICY_LEAVE] = TO (STOPPED, NONE),
                [MR_POLICY_RESTART] = TO (STARTING, SPAWN),
                [MR_POLICY_RESTART_NOW] = TO (STARTING, SPAWN),
                [MR_POLICY_ADOPT] = TO (STARTING, NONE),
                [MR_POLICY_READY] = TO (RUNNING, NONE),
                [MR_POLICY_WORKED] = TO (GIVEN_UP, NONE),
                [MR_POLICY_WAITS] = TO (GIVEN_UP, NONE),
                [MR_POLICY_EXITED] = TO (GIVEN_UP, NONE),
                [MR_POLICY_TICK] = TO (GIVEN_UP, NONE),
            },
};

START_TEST (test_every_event_in_every_state_does_what_the_table_says)
{
    set_up ();
    for (int state = 0; state < MR_POLICY_STATES; state++) {
        for (int event = 0; event < MR_POLICY_EVENTS; event++) {
            mr_policy_t policy = in_state ((mr_policy_state_t)state);
            mr_policy_action_t action = event == MR_POLICY_EXITED
                                            ? die (&policy, 1, 0)
                                            : step (&policy, (mr_policy_event_t)event);
            ck_assert_msg (policy.state == expected[state][event].next &&
                               action == expected[state][event].action,
                           "state %s, event %d: went to %s, action %d",
                           mr_policy_state_name ((mr_policy_state_t)state), event,
                           mr_policy_state_name (policy.state), (int)action);
        }
    }
}
END_TEST

START_TEST (test_who_leaves_has_all_the_time_until_somebody_is_in_a_hurry)
{
    static const mr_policy_event_t hurries[] = {MR_POLICY_STOP, MR_POLICY_START, MR_POLICY_RESTART};
    for (size_t i = 0; i < sizeof hurries / sizeof *hurries; i++) {
        set_up ();
        mr_policy_t policy = in_state (MR_POLICY_RUNNING);
        ck_assert_int_eq (step (&policy, MR_POLICY_LEAVE), MR_POLICY_USR1);
        now_ns += MS (1000 * limits.stop_timeout_ms);
        ck_assert_int_eq (step (&policy, MR_POLICY_TICK), MR_POLICY_NONE);
        ck_assert_int_eq (step (&policy, hurries[i]), MR_POLICY_TERM);
        ck_assert_int_eq (step (&policy, hurries[i]), MR_POLICY_NONE);
        now_ns += MS (limits.stop_timeout_ms);
        ck_assert_int_eq (step (&policy, MR_POLICY_TICK), MR_POLICY_KILL);
        die (&policy, -1, SIGKILL);
        ck_assert_int_eq (policy.state,
                          hurries[i] == MR_POLICY_STOP ? MR_POLICY_STOPPED : MR_POLICY_STARTING);
        ck_assert (!policy.leaving);
    }
}
END_TEST

START_TEST (test_a_worker_that_worked_is_started_again_at_once_however_often_it_dies)
{
    set_up ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 20; i++) {
        run_for (&policy, MR_POLICY_STEADY_MS);
        die (&policy, -1, SIGSEGV);
        ck_assert_int_eq (wait_out (&policy), 0);
    }
    ck_assert_uint_eq (policy.restarts, 20);
}
END_TEST

START_TEST (test_work_that_was_seen_counts_before_the_worker_is_steady)
{
    set_up ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 20; i++) {
        run_for (&policy, 1);
        step (&policy, MR_POLICY_WORKED);
        die (&policy, -1, SIGSEGV);
        ck_assert_int_eq (wait_out (&policy), 0);
    }
}
END_TEST

START_TEST (test_a_worker_that_never_gets_ready_waits_longer_each_time)
{
    set_up ();
    mr_policy_limits_t patient = limits;
    patient.restart_limit = 100;
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    static const int64_t waits[] = {100, 200, 400, 800, 1000, 1000};
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        mr_policy_exited (&policy, &patient, 1, 0, now_ns);
        ck_assert_int_eq (wait_out (&policy), waits[i]);
    }
}
END_TEST

START_TEST (test_one_more_death_after_work_begins_the_waits_anew)
{
    set_up ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    die (&policy, 1, 0);
    ck_assert_int_eq (wait_out (&policy), 100);
    die (&policy, 1, 0);
    ck_assert_int_eq (wait_out (&policy), 200);
    run_for (&policy, 5000);
    die (&policy, 1, 0);
    ck_assert_int_eq (wait_out (&policy), 0);
    run_for (&policy, 1);
    die (&policy, 1, 0);
    ck_assert_int_eq (wait_out (&policy), 100);
}
END_TEST

START_TEST (test_five_deaths_in_thirty_seconds_without_work_are_the_end)
{
    set_up ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 4; i++) {
        die (&policy, 1, 0);
        wait_out (&policy);
    }
    die (&policy, 1, 0);
    ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
    now_ns += MS (3600000);
    ck_assert_int_eq (step (&policy, MR_POLICY_TICK), MR_POLICY_NONE);
    ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
}
END_TEST

START_TEST (test_deaths_that_are_further_apart_than_the_window_are_not_the_end)
{
    set_up ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 20; i++) {
        now_ns += MS (7600); /* the fifth is 30.4 s after the first */
        die (&policy, 1, 0);
        now_ns = policy.deadline_ns;
        step (&policy, MR_POLICY_TICK);
        ck_assert_int_eq (policy.state, MR_POLICY_STARTING);
    }
}
END_TEST

START_TEST (test_a_ready_worker_that_others_kill_is_never_given_up)
{
    set_up ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 20; i++) {
        run_for (&policy, 1);
        die (&policy, -1, i % 2 ? SIGKILL : SIGTERM);
        ck_assert_int_le (wait_out (&policy), limits.backoff_max_ms);
    }
}
END_TEST

START_TEST (test_a_killed_worker_that_was_not_ready_counts_as_a_failure)
{
    set_up ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    for (int i = 0; i < 4; i++) {
        die (&policy, -1, SIGKILL);
        wait_out (&policy);
    }
    die (&policy, -1, SIGKILL);
    ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
}
END_TEST

START_TEST (test_usage_and_configuration_faults_are_given_up_at_once)
{
    static const int codes[] = {64, 78};
    for (size_t i = 0; i < 2; i++) {
        set_up ();
        mr_policy_t policy = in_state (MR_POLICY_STARTING);
        run_for (&policy, 60000);
        die (&policy, codes[i], 0);
        ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
    }
}
END_TEST

START_TEST (test_the_operator_clears_the_brake)
{
    static const mr_policy_event_t words[] = {MR_POLICY_START, MR_POLICY_RESTART,
                                              MR_POLICY_RESTART_NOW};
    for (size_t i = 0; i < 3; i++) {
        set_up ();
        mr_policy_t policy = in_state (MR_POLICY_STARTING);
        for (int death = 0; death < 5; death++) {
            die (&policy, 1, 0);
            now_ns = policy.deadline_ns > now_ns ? policy.deadline_ns : now_ns;
            step (&policy, MR_POLICY_TICK);
        }
        ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
        ck_assert_int_eq (step (&policy, words[i]), MR_POLICY_SPAWN);
        die (&policy, 1, 0);
        ck_assert_int_eq (policy.state, MR_POLICY_BACKING_OFF);
        ck_assert_int_eq (policy.deadline_ns - now_ns, MS (100));
    }
}
END_TEST

START_TEST (test_a_late_start_is_killed_once_and_counts_as_a_failure)
{
    set_up ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    now_ns += MS (limits.start_timeout_ms) - 1;
    ck_assert_int_eq (step (&policy, MR_POLICY_TICK), MR_POLICY_NONE);
    now_ns += 1;
    ck_assert_int_eq (step (&policy, MR_POLICY_TICK), MR_POLICY_KILL);
    ck_assert (policy.killed);
    now_ns += MS (limits.start_timeout_ms);
    ck_assert_int_eq (step (&policy, MR_POLICY_TICK), MR_POLICY_NONE);
    die (&policy, -1, SIGKILL);
    ck_assert_int_eq (policy.state, MR_POLICY_BACKING_OFF);
}
END_TEST

START_TEST (test_a_late_drain_is_killed_once)
{
    set_up ();
    mr_policy_t policy = in_state (MR_POLICY_DRAINING);
    now_ns += MS (limits.stop_timeout_ms);
    ck_assert_int_eq (step (&policy, MR_POLICY_TICK), MR_POLICY_KILL);
    ck_assert (policy.killed);
    ck_assert_int_eq (step (&policy, MR_POLICY_TICK), MR_POLICY_NONE);
    die (&policy, -1, SIGKILL);
    ck_assert_int_eq (policy.state, MR_POLICY_STOPPED);
}
END_TEST

START_TEST (test_a_restart_comes_back_whatever_the_exit_code)
{
    static const int codes[] = {0, 1, 64, 78};
    for (size_t i = 0; i < 4; i++) {
        set_up ();
        mr_policy_t policy = in_state (MR_POLICY_RUNNING);
        ck_assert_int_eq (step (&policy, MR_POLICY_RESTART), MR_POLICY_TERM);
        ck_assert_int_eq (die (&policy, codes[i], 0), MR_POLICY_SPAWN);
        ck_assert_int_eq (policy.state, MR_POLICY_STARTING);
    }
}
END_TEST

START_TEST (test_the_last_word_while_it_drains_counts)
{
    set_up ();
    mr_policy_t policy = in_state (MR_POLICY_DRAINING);
    step (&policy, MR_POLICY_START);
    ck_assert_int_eq (die (&policy, 0, 0), MR_POLICY_SPAWN);
    policy = in_state (MR_POLICY_RUNNING);
    step (&policy, MR_POLICY_RESTART);
    step (&policy, MR_POLICY_STOP);
    ck_assert_int_eq (die (&policy, 0, 0), MR_POLICY_NONE);
    ck_assert_int_eq (policy.state, MR_POLICY_STOPPED);
}
END_TEST

START_TEST (test_a_clean_exit_that_nobody_asked_for_is_a_death)
{
    set_up ();
    mr_policy_t policy = in_state (MR_POLICY_STARTING);
    run_for (&policy, 5000);
    die (&policy, 0, 0);
    ck_assert_int_eq (policy.state, MR_POLICY_BACKING_OFF);
    ck_assert_int_eq (wait_out (&policy), 0);
}
END_TEST

START_TEST (test_a_worker_started_by_hand_is_not_brought_back)
{
    set_up ();
    mr_policy_t policy = {0};
    step (&policy, MR_POLICY_ADOPT);
    step (&policy, MR_POLICY_READY);
    ck_assert_int_eq (policy.state, MR_POLICY_RUNNING);
    ck_assert_int_eq (die (&policy, -1, 0), MR_POLICY_NONE);
    ck_assert_int_eq (policy.state, MR_POLICY_STOPPED);
    ck_assert_uint_eq (policy.restarts, 0);
}
END_TEST

START_TEST (test_an_adopted_worker_that_is_wanted_is_brought_back)
{
    set_up ();
    mr_policy_t policy = {0};
    step (&policy, MR_POLICY_ADOPT);
    step (&policy, MR_POLICY_READY);
    step (&policy, MR_POLICY_START);
    now_ns += MS (MR_POLICY_STEADY_MS);
    die (&policy, -1, 0);
    ck_assert_int_eq (wait_out (&policy), 0);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_every_event_in_every_state_does_what_the_table_says,
        test_who_leaves_has_all_the_time_until_somebody_is_in_a_hurry,
        test_a_worker_that_worked_is_started_again_at_once_however_often_it_dies,
        test_work_that_was_seen_counts_before_the_worker_is_steady,
        test_a_worker_that_never_gets_ready_waits_longer_each_time,
        test_one_more_death_after_work_begins_the_waits_anew,
        test_five_deaths_in_thirty_seconds_without_work_are_the_end,
        test_deaths_that_are_further_apart_than_the_window_are_not_the_end,
        test_a_ready_worker_that_others_kill_is_never_given_up,
        test_a_killed_worker_that_was_not_ready_counts_as_a_failure,
        test_usage_and_configuration_faults_are_given_up_at_once,
        test_the_operator_clears_the_brake,
        test_a_late_start_is_killed_once_and_counts_as_a_failure,
        test_a_late_drain_is_killed_once,
        test_a_restart_comes_back_whatever_the_exit_code,
        test_the_last_word_while_it_drains_counts,
        test_a_clean_exit_that_nobody_asked_for_is_a_death,
        test_a_worker_started_by_hand_is_not_brought_back,
        test_an_adopted_worker_that_is_wanted_is_brought_back,
        NULL,
    };
    return mr_suite_run ("policy", tests);
}
