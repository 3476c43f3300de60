#include "launcher/policy.h"

#include "common/base/clock.h"
#include "common/base/status.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

/* What the table is indexed with: events, with EXITED and TICK told apart by what they lead to. */
typedef enum input {
    IN_START,
    IN_STOP,
    IN_STOP_NOW,
    IN_LEAVE,
    IN_RESTART,
    IN_RESTART_NOW,
    IN_ADOPT,
    IN_READY,
    IN_GONE_AGAIN, /* it went as planned, and shall come back */
    IN_GONE,       /* it went as planned, for good */
    IN_DIED_RETRY, /* it died; another try is worth it, after a wait that may be 0 */
    IN_DIED_FINAL, /* it died; another try is not worth it */
    IN_LATE,       /* deadline_ns has passed */
    IN_COUNT,
} input_t;

typedef struct row {
    bool legal;
    mr_policy_state_t next;
    mr_policy_action_t action;
} row_t;

#define ROW(next_state, what)                                                     \
    {                                                                             \
        .legal = true, .next = MR_POLICY_##next_state, .action = MR_POLICY_##what \
    }

static const row_t table[MR_POLICY_STATES][IN_COUNT] =
    {
        [MR_POLICY_STOPPED] =
            {
                [IN_START] = ROW (STARTING, SPAWN),
                [IN_RESTART] = ROW (STARTING, SPAWN),
                [IN_RESTART_NOW] = ROW (STARTING, SPAWN),
                [IN_ADOPT] = ROW (STARTING, NONE),
                [IN_READY] = ROW (RUNNING, NONE),
            },
        [MR_POLICY_STARTING] =
            {
                [IN_STOP] = ROW (DRAINING, TERM),
                [IN_STOP_NOW] = ROW (DRAINING, KILL),
                [IN_RESTART] = ROW (DRAINING, TERM),
                [IN_RESTART_NOW] = ROW (DRAINING, KILL),
                [IN_READY] = ROW (RUNNING, NONE),
                [IN_DIED_RETRY] = ROW (BACKING_OFF, NONE),
                [IN_DIED_FINAL] = ROW (GIVEN_UP, NONE),
                [IN_LATE] = ROW (STARTING, KILL),
            },
        [MR_POLICY_RUNNING] =
            {
                [IN_STOP] = ROW (DRAINING, TERM),
                [IN_STOP_NOW] = ROW (DRAINING, KILL),
                [IN_LEAVE] = ROW (DRAINING, USR1),
                [IN_RESTART] = ROW (DRAINING, TERM),
                [IN_RESTART_NOW] = ROW (DRAINING, KILL),
                [IN_DIED_RETRY] = ROW (BACKING_OFF, NONE),
                [IN_DIED_FINAL] = ROW (GIVEN_UP, NONE),
            },
        [MR_POLICY_DRAINING] =
            {
                [IN_STOP] = ROW (DRAINING, NONE),
                [IN_STOP_NOW] = ROW (DRAINING, KILL),
                [IN_START] = ROW (DRAINING, NONE),
                [IN_RESTART] = ROW (DRAINING, NONE),
                [IN_RESTART_NOW] = ROW (DRAINING, KILL),
                [IN_GONE_AGAIN] = ROW (STARTING, SPAWN),
                [IN_GONE] = ROW (STOPPED, NONE),
                [IN_LATE] = ROW (DRAINING, KILL),
            },
        [MR_POLICY_BACKING_OFF] =
            {
                [IN_START] = ROW (STARTING, SPAWN),
                [IN_STOP] = ROW (STOPPED, NONE),
                [IN_STOP_NOW] = ROW (STOPPED, NONE),
                [IN_LEAVE] = ROW (STOPPED, NONE),
                [IN_RESTART] = ROW (STARTING, SPAWN),
                [IN_RESTART_NOW] = ROW (STARTING, SPAWN),
                [IN_ADOPT] = ROW (STARTING, NONE),
                [IN_READY] = ROW (RUNNING, NONE),
                [IN_LATE] = ROW (STARTING, SPAWN),
            },
        [MR_POLICY_GIVEN_UP] =
            {
                [IN_START] = ROW (STARTING, SPAWN),
                [IN_STOP] = ROW (STOPPED, NONE),
                [IN_STOP_NOW] = ROW (STOPPED, NONE),
                [IN_LEAVE] = ROW (STOPPED, NONE),
                [IN_RESTART] = ROW (STARTING, SPAWN),
                [IN_RESTART_NOW] = ROW (STARTING, SPAWN),
                [IN_ADOPT] = ROW (STARTING, NONE),
                [IN_READY] = ROW (RUNNING, NONE),
            },
};

static void
clear_brake (mr_policy_t *self)
{
    self->failures = 0;
    memset (self->strikes_ns, 0, sizeof self->strikes_ns);
}

static int64_t
backoff_ns (const mr_policy_t *self, const mr_policy_limits_t *limits)
{
    if (self->failures == 0) {
        return 0;
    }
    int64_t wait_ms = MR_POLICY_BACKOFF_MS;
    for (unsigned i = 1; i < self->failures && wait_ms < limits->backoff_max_ms; i++)
        wait_ms *= 2;
    return (wait_ms < limits->backoff_max_ms ? wait_ms : limits->backoff_max_ms) * MR_NS_PER_MS;
}

/* Remember a death without work. True: that was the last one allowed. */
static bool
strike (mr_policy_t *self, const mr_policy_limits_t *limits, int64_t now_ns)
{
    size_t older = (size_t)limits->restart_limit - 1;
    memmove (self->strikes_ns + 1, self->strikes_ns, older * sizeof self->strikes_ns[0]);
    self->strikes_ns[0] = now_ns;
    int64_t oldest_ns = self->strikes_ns[older];
    return oldest_ns > 0 && now_ns - oldest_ns <= limits->restart_window_ms * MR_NS_PER_MS;
}

static bool
has_worked (const mr_policy_t *self, int64_t now_ns)
{
    return self->worked ||
           (self->ready_ns > 0 && now_ns - self->ready_ns >= MR_POLICY_STEADY_MS * MR_NS_PER_MS);
}

static mr_policy_action_t
apply (mr_policy_t *self, const mr_policy_limits_t *limits, input_t input, int64_t now_ns)
{
    const row_t *row = &table[self->state][input];
    if (!row->legal) {
        return MR_POLICY_NONE;
    }
    bool entered = row->next != self->state;
    self->state = row->next;
    if (input == IN_LATE && row->action == MR_POLICY_KILL) {
        self->killed = true;
    }
    self->leaving = row->action == MR_POLICY_USR1 || (self->leaving && !entered);
    if (row->action == MR_POLICY_SPAWN) {
        self->restarts += self->starts > 0;
        self->starts++;
    }
    switch (row->next) {
    case MR_POLICY_STARTING:
        if (entered) {
            self->worked = self->killed = self->waits = false;
            self->ready_ns = 0;
        }
        self->deadline_ns = entered ? now_ns + limits->start_timeout_ms * MR_NS_PER_MS : 0;
        break;
    case MR_POLICY_RUNNING:
        self->deadline_ns = 0;
        self->ready_ns = now_ns;
        self->worked = self->killed = false;
        break;
    case MR_POLICY_DRAINING:
        if (entered && row->action == MR_POLICY_TERM) {
            self->deadline_ns = now_ns + limits->stop_timeout_ms * MR_NS_PER_MS;
        } else if (row->action == MR_POLICY_KILL) {
            self->deadline_ns = 0;
        }
        break;
    case MR_POLICY_BACKING_OFF:
        self->deadline_ns = now_ns + backoff_ns (self, limits);
        self->failures++;
        self->ready_ns = 0;
        break;
    case MR_POLICY_STOPPED:
    case MR_POLICY_GIVEN_UP:
    case MR_POLICY_STATES:
        self->deadline_ns = 0;
        self->ready_ns = 0;
        break;
    }
    return row->action;
}

mr_policy_action_t
mr_policy_exited (mr_policy_t *self, const mr_policy_limits_t *limits, int exit_code, int signal,
                  int64_t now_ns)
{
    if (!mr_policy_alive (self->state)) {
        return MR_POLICY_NONE;
    }
    if (self->state == MR_POLICY_DRAINING) {
        return apply (self, limits, self->wanted ? IN_GONE_AGAIN : IN_GONE, now_ns);
    }
    if (!self->wanted) {
        /* Nobody asked for it (it was started by hand): it is not ours to bring back. */
        self->state = MR_POLICY_DRAINING;
        return apply (self, limits, IN_GONE, now_ns);
    }
    if (signal == 0 && (exit_code == MR_EXIT_USAGE || exit_code == MR_EXIT_CONFIG)) {
        return apply (self, limits, IN_DIED_FINAL, now_ns);
    }
    bool waits = self->waits && signal == 0 && exit_code == MR_EXIT_TEMPORARY;
    bool foreign = self->ready_ns > 0 && (signal == SIGKILL || signal == SIGTERM);
    if (has_worked (self, now_ns)) {
        clear_brake (self);
    } else if (!foreign && !waits && strike (self, limits, now_ns)) {
        return apply (self, limits, IN_DIED_FINAL, now_ns);
    } else if (self->ready_ns == 0 && self->failures == 0) {
        self->failures = 1; /* it never got as far as being ready: no start "at once" */
    }
    return apply (self, limits, IN_DIED_RETRY, now_ns);
}

/* One that drains for as long as it takes shall hurry now. */
static mr_policy_action_t
hasten (mr_policy_t *self, const mr_policy_limits_t *limits, int64_t now_ns)
{
    self->leaving = false;
    self->deadline_ns = now_ns + limits->stop_timeout_ms * MR_NS_PER_MS;
    return MR_POLICY_TERM;
}

mr_policy_action_t
mr_policy_step (mr_policy_t *self, const mr_policy_limits_t *limits, mr_policy_event_t event,
                int64_t now_ns)
{
    switch (event) {
    case MR_POLICY_START:
        self->wanted = true;
        if (!mr_policy_alive (self->state)) {
            clear_brake (self);
        }
        return self->leaving ? hasten (self, limits, now_ns)
                             : apply (self, limits, IN_START, now_ns);
    case MR_POLICY_RESTART:
    case MR_POLICY_RESTART_NOW:
        self->wanted = true;
        clear_brake (self);
        if (self->leaving && event == MR_POLICY_RESTART) {
            return hasten (self, limits, now_ns);
        }
        return apply (self, limits, event == MR_POLICY_RESTART ? IN_RESTART : IN_RESTART_NOW,
                      now_ns);
    case MR_POLICY_STOP:
    case MR_POLICY_STOP_NOW:
        self->wanted = false;
        if (self->leaving && event == MR_POLICY_STOP) {
            return hasten (self, limits, now_ns);
        }
        return apply (self, limits, event == MR_POLICY_STOP ? IN_STOP : IN_STOP_NOW, now_ns);
    case MR_POLICY_LEAVE:
        self->wanted = false;
        return apply (self, limits, IN_LEAVE, now_ns);
    case MR_POLICY_ADOPT:
        return apply (self, limits, IN_ADOPT, now_ns);
    case MR_POLICY_READY:
        return apply (self, limits, IN_READY, now_ns);
    case MR_POLICY_WORKED:
        self->worked = self->worked || self->state == MR_POLICY_RUNNING;
        return MR_POLICY_NONE;
    case MR_POLICY_WAITS:
        self->waits = self->waits || self->state == MR_POLICY_STARTING;
        return MR_POLICY_NONE;
    case MR_POLICY_EXITED:
        return mr_policy_exited (self, limits, -1, 0, now_ns);
    case MR_POLICY_TICK:
        if (self->deadline_ns == 0 || now_ns < self->deadline_ns) {
            return MR_POLICY_NONE;
        }
        return apply (self, limits, IN_LATE, now_ns);
    case MR_POLICY_EVENTS:
        break;
    }
    return MR_POLICY_NONE;
}

bool
mr_policy_alive (mr_policy_state_t state)
{
    return state == MR_POLICY_STARTING || state == MR_POLICY_RUNNING || state == MR_POLICY_DRAINING;
}

const char *
mr_policy_state_name (mr_policy_state_t state)
{
    static const char *const names[MR_POLICY_STATES] = {
        [MR_POLICY_STOPPED] = "stopped",         [MR_POLICY_STARTING] = "starting",
        [MR_POLICY_RUNNING] = "running",         [MR_POLICY_DRAINING] = "draining",
        [MR_POLICY_BACKING_OFF] = "backing-off", [MR_POLICY_GIVEN_UP] = "given-up",
    };
    return (unsigned)state < MR_POLICY_STATES ? names[state] : "unknown";
}
