#include "launcher/cli.h"

#include "launcher/args.h"

#include <czmq.h>
#include <stdarg.h>

#define BIT(option) (1U << MR_CLI_##option)

static const mr_command_t commands[] = {
    {"up", "", 0, 0, BIT (DETACH), "Start the chain, and watch it until Ctrl-C drains it",
     mr_cmd_up},
    {"down", "", 0, 0, BIT (NOW), "Drain and stop the chain", mr_cmd_down},
    {"status", "", 0, 0, BIT (JSON), "Show workers, rates, and who holds the flow back",
     mr_cmd_status},
    {"restart", "STAGE[.N]...", 1, MR_PLAN_MAX_STAGES, BIT (NOW),
     "Restart workers, one after another, while records flow", mr_cmd_restart},
    {"scale", "STAGE=N|+K|-K...", 1, MR_PLAN_MAX_STAGES, 0,
     "Change the number of workers while records flow", mr_cmd_scale},
    {"reopen", "", 0, 0, 0, "Reopen log files and outputs, after they were moved away",
     mr_cmd_reopen},
    {"send", "[FILE...]", 0, MR_CLI_MAX_WORDS,
     BIT (FOLLOW) | BIT (RATE) | BIT (LOOP) | BIT (TO) | BIT (PRODUCER),
     "Send lines to the acknowledged socket; a second run goes on where the first one ended",
     mr_cmd_send},
    {"audit", "[DATA_DIR]", 0, 1, BIT (JSON) | BIT (DEEP),
     "Show what became of every record, and whether it adds up", mr_cmd_audit},
    {"dead", "ls|show|replay|rm [ID...|all]", 1, MR_CLI_MAX_WORDS, BIT (JSON) | BIT (TO),
     "List, show, send again or remove dead letters", mr_cmd_dead},
    {"events", "[TOPIC...]", 0, 16, BIT (JSON), "Print events as they come, topics by prefix",
     mr_cmd_events},
    {"logs", "[WORKER...]", 0, MR_CLI_MAX_WORDS, BIT (FOLLOW) | BIT (LINES),
     "Print the logs of all workers in the order of time", mr_cmd_logs},
    {"log", "ls|show|check|cut [DIR] [BATCH...|POSITION]", 1, MR_CLI_MAX_WORDS,
     BIT (JSON) | BIT (YES), "Look into journals and spools, verify them, cut one that is damaged",
     mr_cmd_log},
    {"check", "[FILE]", 0, 1, 0, "Check a configuration and show all its faults", mr_cmd_check},
    {"chaos", "", 0, 0, BIT (FOR) | BIT (KILL) | BIT (EVERY) | BIT (RATE) | BIT (SEED) | BIT (JSON),
     "Prove here that nothing is lost or doubled, on a chain of its own that is killed at random",
     mr_cmd_chaos},
    {"completion", "bash|zsh|fish", 1, 1, 0, "Print the completions for a shell",
     mr_cmd_completion},
    {"version", "", 0, 0, 0, "Print the version", mr_cmd_version},
    {"help", "[COMMAND]", 0, 1, 0, "Print this list, or a command's options", mr_cmd_help},
    {.name = NULL},
};

const mr_command_t *
mr_commands (void)
{
    return commands;
}

bool
mr_cli_may_look (const mr_cli_t *cli, const char *dir)
{
    if (access (dir, R_OK | X_OK) == 0 || errno == ENOENT) {
        return true;
    }
    (void)mr_cli_fail (cli, MR_EXIT_FAILED,
                       "cannot look into %s: %s; ask as the user who started it", dir,
                       strerror (errno));
    return false;
}

int
mr_cli_code (mr_status_t status)
{
    switch (status) {
    case MR_OK:
        return MR_EXIT_OK;
    case MR_AGAIN:
        return MR_EXIT_TEMPORARY;
    case MR_INVALID:
        return MR_EXIT_USAGE;
    case MR_CONFIG:
        return MR_EXIT_CONFIG;
    case MR_CLOSED:
    case MR_SYSTEM:
        break;
    }
    return MR_EXIT_FAILED;
}

int
mr_cli_fail (const mr_cli_t *cli, int code, const char *format, ...)
{
    char text[8192];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    char *rest = text;
    for (const char *line = strsep (&rest, "\n"); line != NULL; line = strsep (&rest, "\n")) {
        if (cli != NULL && cli->command != NULL) {
            fprintf (stderr, "millrace %s: %s\n", cli->command->name, line);
        } else {
            fprintf (stderr, "millrace: %s\n", line);
        }
    }
    return code;
}

int
mr_cli_load (const mr_cli_t *cli, mr_config_t **ret_config, mr_plan_t *ret_plan)
{
    mr_error_t err;
    mr_config_t *config = NULL;
    mr_status_t status = mr_config_load (cli->config, NULL, &config, &err);
    if (status == MR_OK) {
        status = mr_plan_read (config, ret_plan, &err);
    }
    if (status != MR_OK) {
        mr_config_destroy (&config);
        fprintf (stderr, "%s\n", err.text);
        return mr_cli_code (status);
    }
    if (ret_config != NULL) {
        *ret_config = config;
    } else {
        mr_config_destroy (&config);
    }
    return 0;
}

int
mr_cmd_version (mr_cli_t *cli)
{
    (void)cli;
    puts ("millrace " MR_VERSION);
    return MR_EXIT_OK;
}

int
mr_cmd_help (mr_cli_t *cli)
{
    const mr_command_t *command = NULL;
    if (cli->word_count == 1) {
        for (command = commands; command->name != NULL; command++) {
            if (strcmp (command->name, cli->words[0]) == 0) {
                break;
            }
        }
        if (command->name == NULL) {
            return mr_cli_fail (cli, MR_EXIT_USAGE, "no command \"%s\"", cli->words[0]);
        }
    }
    mr_cli_help (command);
    return MR_EXIT_OK;
}

int
mr_cli_main (int argc, char **argv)
{
    mr_cli_t cli = {0};
    mr_error_t err;
    if (mr_cli_parse (argc, argv, &cli, &err) != MR_OK) {
        return mr_cli_fail (&cli, MR_EXIT_USAGE, "%s", err.text);
    }
    if (cli.set[MR_CLI_HELP] || cli.command == NULL) {
        mr_cli_help (cli.command);
        return MR_EXIT_OK;
    }
    zsys_handler_set (NULL); /* czmq would catch SIGINT and SIGTERM otherwise */
    int code = cli.command->run (&cli);
    if (fflush (stdout) != 0 && code == MR_EXIT_OK) {
        code = mr_cli_fail (&cli, MR_EXIT_FAILED, "cannot write: %s", strerror (errno));
    }
    return code;
}
