/* policy_kit: one worker's policy, its limits and a clock of the test's own. What fails fails the
 * test. */
#ifndef MR_TESTS_SUPPORT_LAUNCHER_POLICY_KIT_H
#define MR_TESTS_SUPPORT_LAUNCHER_POLICY_KIT_H

#include "common/base/clock.h"
#include "launcher/policy.h"

#include <stdint.h>

#define MR_KIT_MS(n) ((int64_t)(n)*MR_NS_PER_MS)

extern const mr_policy_limits_t mr_kit_limits;
extern int64_t mr_kit_now_ns;

/* The clock at its beginning. */
void mr_kit_begin (void);

/* What happens to the worker now. */
mr_policy_action_t mr_kit_step (mr_policy_t *policy, mr_policy_event_t event);
mr_policy_action_t mr_kit_die (mr_policy_t *policy, int code, int signal);

/* Let the back-off pass, to the next start; the wait in ms. */
int64_t mr_kit_wait_out (mr_policy_t *policy);

#endif
