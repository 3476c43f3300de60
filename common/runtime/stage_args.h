/* stage_args: the command line that every worker program shares. */
#ifndef MR_COMMON_RUNTIME_STAGE_ARGS_H
#define MR_COMMON_RUNTIME_STAGE_ARGS_H

#include "common/runtime/stage.h"

#include <stdbool.h>

typedef struct mr_stage_args {
    const char *config_path;
    int slot;
    int ready_fd; /* -1: none */
    bool check;   /* only check the configuration */
    bool quiet;   /* log to the file only */
} mr_stage_args_t;

/* Parse. Returns -1 to go on, else the exit code (after --help, --version or a fault, which is
 * printed). */
int mr_stage_args_parse (int argc, char **argv, const mr_stage_ops_t *ops,
                         mr_stage_args_t *ret_args);

#endif
