/* requests: what came in over the control socket, turned into jobs, and their ends into answers.
 *
 * Commands: status (with `phase`: starting, running or stopping); wait (answered once the first
 * `up` is over); watch (notes, until the chain is down); down {now}; reopen; restart
 * {targets:["processor","exporter.1"], now}; scale {targets:["processor=4","metrics=+1"]}. Used by
 * the launcher's one thread. */
#ifndef MR_LAUNCHER_REQUESTS_H
#define MR_LAUNCHER_REQUESTS_H

#include "launcher/jobs.h"
#include "launcher/server.h"

#include <stdbool.h>

typedef struct mr_open_request {
    int id;     /* of the server; 0: free */
    int jobs;   /* not done yet */
    bool up;    /* waits for the chain to be up */
    bool watch; /* only wants notes, until the chain is down */
    int code;
    char text[MR_JOB_TEXT_BYTES];
} mr_open_request_t;

typedef struct mr_requests {
    mr_server_t *server;
    mr_jobs_t *jobs;
    bool adopted; /* workers were running already when the launcher came */
    bool ending;  /* it came only to take the chain down */
    bool reopen;  /* asked for; the supervisor does it and clears this */
    int up_code;  /* how the last `up` ended */
    char up_text[MR_JOB_TEXT_BYTES];
    mr_open_request_t open[MR_SERVER_MAX_REQUESTS];
} mr_requests_t;

/* Takes over the server's requests. */
void mr_requests_init (mr_requests_t *self, mr_server_t *server, mr_jobs_t *jobs);

/* Tell whoever waits for this job. */
void mr_requests_job_done (mr_requests_t *self, const mr_job_t *job);

#endif
