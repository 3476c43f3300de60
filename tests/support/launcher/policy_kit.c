#include "tests/support/launcher/policy_kit.h"

#include "tests/support/suite.h"

const mr_policy_limits_t mr_kit_limits = {
    .start_timeout_ms = 10000,
    .stop_timeout_ms = 30000,
    .backoff_max_ms = 1000,
    .restart_limit = 5,
    .restart_window_ms = 30000,
};

int64_t mr_kit_now_ns;

void
mr_kit_begin (void)
{
    mr_kit_now_ns = MR_KIT_MS (1000);
}

mr_policy_action_t
mr_kit_step (mr_policy_t *policy, mr_policy_event_t event)
{
    return mr_policy_step (policy, &mr_kit_limits, event, mr_kit_now_ns);
}

mr_policy_action_t
mr_kit_die (mr_policy_t *policy, int code, int signal)
{
    return mr_policy_exited (policy, &mr_kit_limits, code, signal, mr_kit_now_ns);
}

int64_t
mr_kit_wait_out (mr_policy_t *policy)
{
    ck_assert_int_eq (policy->state, MR_POLICY_BACKING_OFF);
    int64_t wait_ns = policy->deadline_ns - mr_kit_now_ns;
    mr_kit_now_ns = policy->deadline_ns;
    ck_assert_int_eq (mr_kit_step (policy, MR_POLICY_TICK), MR_POLICY_SPAWN);
    return wait_ns / MR_NS_PER_MS;
}
