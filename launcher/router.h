/* router: where the acknowledged socket of the chain is. */
#ifndef MR_LAUNCHER_ROUTER_H
#define MR_LAUNCHER_ROUTER_H

#include "common/base/endpoint.h"
#include "launcher/cli.h"

#include <stdint.h>

/* --to, else the first `[ingest] router` of the configuration, for slot 0.
 *   ret_max_record  the longest record that is taken there; untouched when it is not known
 * Returns 0, else the exit code; the fault is printed. */
int mr_router_find (const mr_cli_t *cli, char endpoint[MR_ENDPOINT_BYTES],
                    uint64_t *ret_max_record);

#endif
