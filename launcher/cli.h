/* cli: what a person types. The table of commands and their options drives parsing, --help and the
 * shell completions; each group of commands has its own file. */
#ifndef MR_LAUNCHER_CLI_H
#define MR_LAUNCHER_CLI_H

#include "common/base/status.h"
#include "common/runtime/config.h"
#include "launcher/plan.h"

#include <stdbool.h>
#include <stdint.h>

enum { MR_CLI_MAX_WORDS = 256 };

/* Options, as bits of a command's `options`, and as indices of mr_cli_t's values. */
typedef enum mr_cli_option {
    MR_CLI_CONFIG,
    MR_CLI_TIMEOUT,
    MR_CLI_HELP,
    MR_CLI_DETACH,
    MR_CLI_NOW,
    MR_CLI_JSON,
    MR_CLI_FOLLOW,
    MR_CLI_RATE,
    MR_CLI_LOOP,
    MR_CLI_TO,
    MR_CLI_PRODUCER,
    MR_CLI_LINES,
    MR_CLI_YES,
    MR_CLI_FOR,
    MR_CLI_KILL,
    MR_CLI_EVERY,
    MR_CLI_SEED,
    MR_CLI_DEEP,
    MR_CLI_OPTIONS,
} mr_cli_option_t;

typedef struct mr_cli_option_row {
    const char *name;    /* "--detach" */
    const char *letter;  /* "-d"; NULL: none */
    const char *value;   /* "FILE"; NULL: takes none */
    const char *help;    /* one line */
    const char *choices; /* the values there are, for completions; NULL: no fixed set */
} mr_cli_option_row_t;

typedef struct mr_cli mr_cli_t;

typedef struct mr_command {
    const char *name;
    const char *arguments; /* "STAGE[.N]…", "" */
    int min_words;
    int max_words;
    unsigned options; /* 1 << MR_CLI_…; -c, --timeout and --help belong to all */
    const char *help;
    int (*run) (mr_cli_t *cli); /* returns the exit code */
} mr_command_t;

/* One command line, parsed. Texts are borrowed from argv and the environment. */
struct mr_cli {
    const mr_command_t *command;
    const char *config;
    bool set[MR_CLI_OPTIONS];
    const char *values[MR_CLI_OPTIONS]; /* of options with a value */
    int64_t timeout_ms;                 /* 0: the command's own default */
    double rate;                        /* --rate, records/s; 0: as fast as it goes */
    int word_count;
    const char *words[MR_CLI_MAX_WORDS];
};

/* The table; ends with a row whose name is NULL. */
const mr_command_t *mr_commands (void);

/* Parse argv[1 ..]. Returns MR_OK; MR_INVALID: err says what is wrong and names the nearest known
 * name, and of ret_cli only command is set, where it was understood. --help anywhere:
 * ret_cli->set[MR_CLI_HELP], and command may be NULL. */
MR_CHECK mr_status_t mr_cli_parse (int argc, char **argv, mr_cli_t *ret_cli, mr_error_t *err);

/* Print the list of commands, or one command's options. */
void mr_cli_help (const mr_command_t *command);

const mr_cli_option_row_t *mr_cli_option_row (mr_cli_option_t option);
bool mr_cli_takes_option (const mr_command_t *command, mr_cli_option_t option);

/* Print the long names of a command's options. */
void mr_cli_option_names (const mr_command_t *command, const char *separator);

/* The whole of `millrace`. Returns the exit code. */
int mr_cli_main (int argc, char **argv);

/* Load the configuration and read the plan. Faults are printed to stderr.
 * Returns 0, else the exit code. ret_config: owned by the caller; may be NULL. */
int mr_cli_load (const mr_cli_t *cli, mr_config_t **ret_config, mr_plan_t *ret_plan);

/* "millrace COMMAND: <text>" on stderr, line by line; returns code. */
int mr_cli_fail (const mr_cli_t *cli, int code, const char *format, ...) MR_PRINTF (3, 4);

/* Whether a directory can be looked into; a missing one can. Otherwise says why not, on stderr. */
bool mr_cli_may_look (const mr_cli_t *cli, const char *dir);

/* What is wrong in status terms, as an exit code. */
int mr_cli_code (mr_status_t status);

/* The commands. */
int mr_cmd_up (mr_cli_t *cli);
int mr_cmd_down (mr_cli_t *cli);
int mr_cmd_status (mr_cli_t *cli);
int mr_cmd_restart (mr_cli_t *cli);
int mr_cmd_scale (mr_cli_t *cli);
int mr_cmd_reopen (mr_cli_t *cli);
int mr_cmd_send (mr_cli_t *cli);
int mr_cmd_audit (mr_cli_t *cli);
int mr_cmd_dead (mr_cli_t *cli);
int mr_cmd_events (mr_cli_t *cli);
int mr_cmd_log (mr_cli_t *cli);
int mr_cmd_logs (mr_cli_t *cli);
int mr_cmd_check (mr_cli_t *cli);
int mr_cmd_chaos (mr_cli_t *cli);
int mr_cmd_completion (mr_cli_t *cli);
int mr_cmd_version (mr_cli_t *cli);
int mr_cmd_help (mr_cli_t *cli);

#endif
