/* args: the command line of millrace-launcher. */
#ifndef MR_LAUNCHER_ARGS_H
#define MR_LAUNCHER_ARGS_H

#include <stdbool.h>

typedef struct mr_launcher_args {
    const char *config;
    int ready_fd;    /* -1: none */
    bool foreground; /* workers inherit stdout */
    bool adopt_only; /* start nothing: look after what runs, to take it down */
    bool quiet;      /* log to the file only */
} mr_launcher_args_t;

/* Returns -1 to go on, else the exit code (after --help, --version or a fault, which is printed).
 */
int mr_launcher_args_parse (int argc, char **argv, mr_launcher_args_t *ret_args);

#endif
