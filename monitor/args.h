/* args: the monitor's command line. */
#ifndef MR_MONITOR_ARGS_H
#define MR_MONITOR_ARGS_H

#include <stdbool.h>

typedef struct mr_monitor_args {
    const char *config_path;
    int ready_fd; /* -1: none */
    bool check;   /* only check the configuration */
    bool quiet;   /* log to the file only */
} mr_monitor_args_t;

/* Returns -1 to go on, else the exit code (after --help, --version or a fault, which is printed).
 */
int mr_monitor_args_parse (int argc, char **argv, mr_monitor_args_t *ret_args);

#endif
