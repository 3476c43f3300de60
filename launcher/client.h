/* client: ask the launcher, over RUN/launcher.ipc. Not thread safe. */
#ifndef MR_LAUNCHER_CLIENT_H
#define MR_LAUNCHER_CLIENT_H

#include "common/base/status.h"
#include "launcher/plan.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A note of what the launcher does meanwhile; borrowed. NULL: a moment passed, about ten times a
 * second. Returns false to stop waiting. */
typedef bool mr_client_note_fn (void *arg, const json_t *note);

typedef struct mr_client_ask {
    json_t *request;         /* stolen; {"command":…}; timeout_ms, config and notes are added */
    int64_t timeout_ms;      /* 1 .. */
    bool replay;             /* notes of what happened before, too */
    mr_client_note_fn *note; /* NULL: no notes */
    void *arg;
    bool died; /* set by mr_client_ask: the launcher died before it answered */
} mr_client_ask_t;

/* Whether a launcher runs here, and as which process. */
bool mr_client_launcher (const mr_plan_t *plan, mr_worker_info_t *ret_info);

/* Ask and wait. Returns the exit code of the answer; ret_answer (may be NULL): owned, NULL without
 * one. No launcher: MR_EXIT_TEMPORARY; it died meanwhile: MR_EXIT_FAILED; late: MR_EXIT_TIMEOUT;
 * err then says so. note returned false: -1. */
int mr_client_ask (const mr_plan_t *plan, mr_client_ask_t *ask, json_t **ret_answer,
                   mr_error_t *err);

/* Wait until the process of that lock is gone. False: not within timeout_ms. */
bool mr_client_wait_gone (const mr_plan_t *plan, const char *name, int64_t timeout_ms);

/* Text of an answer, "" without any; borrowed. */
const char *mr_client_text (const json_t *answer);

/* How many workers live in run_dir, the launcher and the monitor among them. */
int mr_client_alive (const mr_plan_t *plan);

#endif
