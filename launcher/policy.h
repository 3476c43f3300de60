/* policy: what to do with one worker: start it, wait, drain, kill, back off, give up. A pure state
 * machine: time and events are handed in, the caller performs the action that comes back and owns
 * processes, files and the clock. Not thread safe.
 *
 * The brake. A worker that worked and then died is started again at once; one that keeps dying
 * waits 100 ms, 200 ms, ... up to backoff_max. One that dies restart_limit times within
 * restart_window before it has done any work is given up, and so, at once, is one that exits with
 * 64 or 78: starting it again cannot help. What the operator says (START, RESTART) outranks
 * and clears the brake. One that exits with 75 after it said that what keeps it from starting may
 * pass (a full disk) is never given up: it waits up to backoff_max between its starts.
 *
 * "Has worked": it was ready for MR_POLICY_STEADY_MS, or somebody saw it work (WORKED). A ready
 * worker that is killed from outside (SIGKILL, SIGTERM) backs off but is never given up for it. */
#ifndef MR_LAUNCHER_POLICY_H
#define MR_LAUNCHER_POLICY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    MR_POLICY_MAX_STRIKES = 1000,
    MR_POLICY_STEADY_MS = 1000,
    MR_POLICY_BACKOFF_MS = 100, /* the first wait that is not "at once" */
};

typedef enum mr_policy_state {
    MR_POLICY_STOPPED, /* no process, none wanted */
    MR_POLICY_STARTING,
    MR_POLICY_RUNNING,
    MR_POLICY_DRAINING,
    MR_POLICY_BACKING_OFF, /* no process until deadline_ns */
    MR_POLICY_GIVEN_UP,    /* no process until the operator says so */
    MR_POLICY_STATES,
} mr_policy_state_t;

typedef enum mr_policy_event {
    MR_POLICY_START,       /* it shall run */
    MR_POLICY_STOP,        /* it shall drain and stay away */
    MR_POLICY_STOP_NOW,    /* the same, without draining */
    MR_POLICY_LEAVE,       /* it shall finish what it has, however long that takes, and stay away */
    MR_POLICY_RESTART,     /* it shall drain and come back */
    MR_POLICY_RESTART_NOW, /* the same, without draining */
    MR_POLICY_ADOPT,       /* a living process was found for it, not yet ready */
    MR_POLICY_READY,       /* it says that it works, or was found working */
    MR_POLICY_WORKED,      /* somebody saw it do work */
    MR_POLICY_WAITS,       /* it cannot start for a reason that may pass, and is about to exit */
    MR_POLICY_EXITED,      /* its process is gone: exit_code, signal */
    MR_POLICY_TICK,        /* time passes */
    MR_POLICY_EVENTS,
} mr_policy_event_t;

typedef enum mr_policy_action {
    MR_POLICY_NONE,
    MR_POLICY_SPAWN,
    MR_POLICY_TERM, /* SIGTERM: drain */
    MR_POLICY_KILL, /* SIGKILL */
    MR_POLICY_USR1, /* SIGUSR1: drain, and leave nothing behind */
} mr_policy_action_t;

typedef struct mr_policy_limits {
    int64_t start_timeout_ms; /* > 0: from start to readiness */
    int64_t stop_timeout_ms;  /* > 0: for draining */
    int64_t backoff_max_ms;   /* >= MR_POLICY_BACKOFF_MS, longest wait before a start */
    int restart_limit;        /* 1 .. MR_POLICY_MAX_STRIKES */
    int64_t restart_window_ms;
} mr_policy_limits_t;

typedef struct mr_policy {
    mr_policy_state_t state;
    bool wanted;         /* whether it shall run once it is gone */
    bool worked;         /* this life of it */
    bool waits;          /* this life of it said why it cannot start now */
    bool killed;         /* by us, in this life, for being late */
    bool leaving;        /* DRAINING: without a deadline */
    int64_t deadline_ns; /* when TICK does something; 0: never */
    int64_t ready_ns;    /* since when it is ready, 0: it is not */
    unsigned failures;   /* deaths in a row that call for a wait */
    unsigned restarts;   /* starts after the first */
    unsigned starts;
    int64_t
        strikes_ns[MR_POLICY_MAX_STRIKES]; /* when it died without having worked, newest first */
} mr_policy_t;

/* Advance by one event at now_ns (monotonic). exit_code and signal belong to EXITED: signal 0 means
 * that it exited by itself; exit_code -1 with signal 0: nobody knows how it went.
 * Returns what the caller must do now; an event that means nothing in this state is NONE. */
mr_policy_action_t mr_policy_step (mr_policy_t *self, const mr_policy_limits_t *limits,
                                   mr_policy_event_t event, int64_t now_ns);
mr_policy_action_t mr_policy_exited (mr_policy_t *self, const mr_policy_limits_t *limits,
                                     int exit_code, int signal, int64_t now_ns);

/* Whether a process belongs to it in this state. */
bool mr_policy_alive (mr_policy_state_t state);

/* "stopped", "starting", "running", "draining", "backing-off", "given-up". */
const char *mr_policy_state_name (mr_policy_state_t state);

#endif
