/* program_args: the command line that workers and the monitor share, and where every program looks
 * for its configuration. */
#ifndef MR_COMMON_RUNTIME_PROGRAM_ARGS_H
#define MR_COMMON_RUNTIME_PROGRAM_ARGS_H

#include <stdbool.h>

typedef struct mr_program {
    const char *name;    /* "processor": the program is millrace-processor */
    const char *help;    /* what it does, one sentence */
    const char *signals; /* what they do, one line */
    const char *busy;    /* what exit code 75 means here: "temporary" */
    bool has_slot;       /* there may be several of it, told apart by -n */
} mr_program_t;

typedef struct mr_program_args {
    const char *config_path;
    int slot;
    int ready_fd; /* -1: none */
    bool check;   /* only check the configuration */
    bool quiet;   /* log to the file only */
} mr_program_args_t;

/* The first path where there is something, else the first path; they end with NULL. */
const char *mr_first_file (const char *const *paths);

/* What is meant without -c: $MILLRACE_CONF, else conf/millrace.ini, else, if it is there,
 * /etc/millrace/millrace.ini. */
const char *mr_default_config (void);

/* Parse. Returns -1 to go on, else the exit code (after --help, --version or a fault, which is
 * printed). */
int mr_program_args_parse (int argc, char **argv, const mr_program_t *program,
                           mr_program_args_t *ret_args);

#endif
