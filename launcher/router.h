/* router: where the acknowledged socket of the chain is. */
#ifndef MR_LAUNCHER_ROUTER_H
#define MR_LAUNCHER_ROUTER_H

#include "common/base/endpoint.h"
#include "launcher/cli.h"

#include <limits.h>
#include <stdint.h>

/* What is known of it. */
typedef struct mr_router {
    char endpoint[MR_ENDPOINT_BYTES];
    uint64_t max_record;     /* the longest record that is taken there; 0: not known */
    char data_dir[PATH_MAX]; /* of its chain; "": not known */
} mr_router_t;

/* --to, else the first `[ingest] router` of the configuration, for slot 0.
 * Returns 0, else the exit code; the fault is printed. */
int mr_router_find (const mr_cli_t *cli, mr_router_t *ret_router);

#endif
