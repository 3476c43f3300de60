#include "common/delivery/sinkpath.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

mr_status_t
mr_sink_path (const char *path, int slot, char *ret_path, mr_error_t *err)
{
    const char *slash = strrchr (path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr (name, '.');
    if (dot == NULL || dot == name) {
        dot = path + strlen (path);
    }
    int bytes =
        slot == 0 ? snprintf (ret_path, PATH_MAX, "%s", path)
                  : snprintf (ret_path, PATH_MAX, "%.*s.%d%s", (int)(dot - path), path, slot, dot);
    if (bytes < 0 || bytes >= PATH_MAX) {
        mr_error_set (err, "the path is too long: %.80s...", path);
        return MR_CONFIG;
    }
    return MR_OK;
}
