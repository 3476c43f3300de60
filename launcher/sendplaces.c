#include "launcher/sendplaces.h"

#include "common/base/hash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One an endpoint; a relative ipc path is another one in another directory. */
static uint64_t
hash_of (const char *endpoint)
{
    char here[PATH_MAX] = "";
    bool relative =
        strncmp (endpoint, "ipc://", 6) == 0 && endpoint[6] != '/' && endpoint[6] != '@';
    if (relative && getcwd (here, sizeof here) == NULL) {
        here[0] = '\0';
    }
    return mr_hash64_seeded (endpoint, strlen (endpoint), mr_hash64 (here, strlen (here)));
}

bool
mr_sendplaces_dir (const mr_router_t *router, char ret_dir[PATH_MAX])
{
    const char *state = getenv ("XDG_STATE_HOME");
    const char *home = getenv ("HOME");
    int length;
    if (router->data_dir[0] != '\0') {
        length = snprintf (ret_dir, PATH_MAX, "%s/send", router->data_dir);
    } else if (state != NULL && state[0] == '/') {
        length = snprintf (ret_dir, PATH_MAX, "%s/millrace/send-%016" PRIx64, state,
                           hash_of (router->endpoint));
    } else if (home != NULL && home[0] == '/') {
        length = snprintf (ret_dir, PATH_MAX, "%s/.local/state/millrace/send-%016" PRIx64, home,
                           hash_of (router->endpoint));
    } else {
        return false;
    }
    return length > 0 && length < PATH_MAX;
}

bool
mr_sendplaces_path (const char *path, char ret_path[PATH_MAX])
{
    char folder[PATH_MAX];
    char real[PATH_MAX];
    const char *slash = strrchr (path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    int length = slash == NULL
                     ? snprintf (folder, sizeof folder, ".")
                     : snprintf (folder, sizeof folder, "%.*s/", (int)(slash - path), path);
    if (length >= PATH_MAX || name[0] == '\0' || realpath (folder, real) == NULL) {
        return false;
    }
    length = snprintf (ret_path, PATH_MAX, "%s/%s", strcmp (real, "/") == 0 ? "" : real, name);
    return length < PATH_MAX;
}
