/* sendplaces: where `send` keeps its places, and the name of a file that stays the same from run to
 * run. Thread safe. */
#ifndef MR_LAUNCHER_SENDPLACES_H
#define MR_LAUNCHER_SENDPLACES_H

#include "launcher/router.h"

#include <limits.h>
#include <stdbool.h>

/* The directory of places: DATA_DIR/send of the chain; where only an endpoint is known
 * $XDG_STATE_HOME/millrace/send-HASH, else ~/.local/state/millrace/send-HASH, one an endpoint.
 * False: there is none. */
bool mr_sendplaces_dir (const mr_router_t *router, char ret_dir[PATH_MAX]);

/* The directory's real path and the file's own name, so that it stays the same when the file is
 * replaced. False: there is no such directory, or the result is too long. */
bool mr_sendplaces_path (const char *path, char ret_path[PATH_MAX]);

#endif
