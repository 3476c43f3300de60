/* The judgement about a worker that says what keeps it from starting. */
#include "common/base/clock.h"
#include "launcher/policy.h"
#include "tests/support/suite.h"

#include <signal.h>

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

/* On its way up. */
static mr_policy_t
starting (void)
{
    mr_policy_t policy = {0};
    step (&policy, MR_POLICY_START);
    ck_assert_int_eq (policy.state, MR_POLICY_STARTING);
    return policy;
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

START_TEST (test_one_that_says_what_it_waits_for_is_never_given_up)
{
    set_up ();
    mr_policy_t policy = starting ();
    int64_t longest = 0;
    for (int i = 0; i < 100; i++) {
        step (&policy, MR_POLICY_WAITS);
        die (&policy, 75, 0);
        int64_t waited = wait_out (&policy);
        longest = waited > longest ? waited : longest;
        ck_assert (!policy.waits); /* the next life has not said so */
    }
    ck_assert_int_eq (longest, limits.backoff_max_ms);
    step (&policy, MR_POLICY_READY);
    now_ns += MS (MR_POLICY_STEADY_MS);
    die (&policy, 1, 0);
    ck_assert_int_eq (wait_out (&policy), 0); /* its waiting is forgotten */
}
END_TEST

START_TEST (test_saying_what_it_waits_for_excuses_nothing_else)
{
    static const struct {
        bool says;
        int code;
        int signal;
    } rows[] = {{false, 75, 0}, {true, 1, 0}, {true, -1, SIGKILL}};
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        set_up ();
        mr_policy_t policy = starting ();
        for (int i = 0; i < 5; i++) {
            if (i > 0) {
                wait_out (&policy);
            }
            if (rows[row].says) {
                step (&policy, MR_POLICY_WAITS);
            }
            die (&policy, rows[row].code, rows[row].signal);
        }
        ck_assert_int_eq (policy.state, MR_POLICY_GIVEN_UP);
    }
    mr_policy_t policy = starting ();
    step (&policy, MR_POLICY_READY);
    step (&policy, MR_POLICY_WAITS); /* it has started: it means nothing */
    ck_assert (!policy.waits);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_one_that_says_what_it_waits_for_is_never_given_up,
        test_saying_what_it_waits_for_excuses_nothing_else,
        NULL,
    };
    return mr_suite_run ("policy_waits", tests);
}
