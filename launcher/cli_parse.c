#include "launcher/cli.h"

#include "common/base/option.h"
#include "common/runtime/program_args.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIT(option) (1U << MR_CLI_##option)

enum {
    MAX_COMMANDS = 32,
    MAX_TIMEOUT_S = 86400,
    COMMON = BIT (CONFIG) | BIT (TIMEOUT) | BIT (HELP)
};

static const mr_cli_option_row_t rows[MR_CLI_OPTIONS] = {
    [MR_CLI_CONFIG] = {"--config", "-c", "FILE",
                       "configuration (else $MILLRACE_CONF, else conf/millrace.ini, "
                       "else /etc/millrace/millrace.ini)"},
    [MR_CLI_TIMEOUT] = {"--timeout", NULL, "S", "give up waiting after S seconds (exit 99)"},
    [MR_CLI_HELP] = {"--help", "-h", NULL, "print this"},
    [MR_CLI_DETACH] = {"--detach", "-d", NULL, "return once the chain runs"},
    [MR_CLI_NOW] = {"--now", NULL, NULL, "kill instead of draining"},
    [MR_CLI_JSON] = {"--json", NULL, NULL, "print JSON"},
    [MR_CLI_FOLLOW] = {"--follow", "-f", NULL, "go on as the file grows"},
    [MR_CLI_RATE] = {"--rate", NULL, "N", "at most N records a second"},
    [MR_CLI_LOOP] = {"--loop", NULL, NULL, "begin again at the end, until Ctrl-C"},
    [MR_CLI_TO] = {"--to", NULL, "ENDPOINT", "another socket than that of `[ingest] router`"},
    [MR_CLI_PRODUCER] = {"--producer", NULL, "ID",
                         "name under which records are numbered (else made from the file)"},
    [MR_CLI_FOR] = {"--for", NULL, "TIME", "how long, such as 60s (the default) or 10m"},
    [MR_CLI_KILL] = {"--kill", NULL, "all|STAGE,...",
                     "kill workers of these stages and do nothing else (default all: everything)",
                     "all ingest processor metrics exporter monitor launcher"},
    [MR_CLI_EVERY] = {"--every", NULL, "TIME", "from one to the next (default 20 to 250 ms)"},
    [MR_CLI_SEED] = {"--seed", NULL, "N", "what happens in which order (default: a new one)"},
    [MR_CLI_LINES] = {"--lines", "-n", "N", "begin with the last N lines of each log"},
    [MR_CLI_DEEP] = {"--deep", NULL, NULL, "read every byte and prove it batch by batch"},
    [MR_CLI_YES] = {"--yes", NULL, NULL, "do it, without a question"},
};

static mr_status_t
unknown (const char *what, const char *word, const char *const *names, mr_error_t *err)
{
    const char *nearest = mr_option_nearest (word, names);
    if (nearest != NULL) {
        mr_error_set (err, "unknown %s %s; nearest: %s", what, word, nearest);
    } else {
        mr_error_set (err, "unknown %s %s; `millrace help` lists them", what, word);
    }
    return MR_INVALID;
}

static mr_status_t
find_command (const char *word, const mr_command_t **ret_command, mr_error_t *err)
{
    const char *names[MAX_COMMANDS + 1];
    int count = 0;
    for (const mr_command_t *row = mr_commands (); row->name != NULL; row++) {
        if (strcmp (row->name, word) == 0) {
            *ret_command = row;
            return MR_OK;
        }
        names[count++] = row->name;
    }
    names[count] = NULL;
    return unknown ("command", word, names, err);
}

/* An option's index, or -1. `--name=value` matches up to the equals sign. */
static int
find_option (const char *word)
{
    size_t bytes = strcspn (word, "=");
    for (int i = 0; i < MR_CLI_OPTIONS; i++) {
        if ((strlen (rows[i].name) == bytes && strncmp (rows[i].name, word, bytes) == 0) ||
            (rows[i].letter != NULL && strncmp (rows[i].letter, word, 2) == 0 && word[1] != '-')) {
            return i;
        }
    }
    return -1;
}

static mr_status_t
unknown_option (const char *word, mr_error_t *err)
{
    const char *names[MR_CLI_OPTIONS + 1];
    for (int i = 0; i < MR_CLI_OPTIONS; i++) {
        names[i] = rows[i].name;
    }
    names[MR_CLI_OPTIONS] = NULL;
    return unknown ("option", word, names, err);
}

static mr_status_t
parse_number (const char *option, const char *text, double max, double *ret_value, mr_error_t *err)
{
    char *end;
    double value = strtod (text, &end);
    if (end == text || *end != '\0' || !isfinite (value) || value <= 0 || value > max) {
        mr_error_set (err, "%s: \"%s\" is not a number above 0 and up to %.0f", option, text, max);
        return MR_INVALID;
    }
    *ret_value = value;
    return MR_OK;
}

/* argv[*index] is an option; take its value too. */
static mr_status_t
take_option (int argc, char **argv, int *index, mr_cli_t *cli, mr_error_t *err)
{
    const char *word = argv[*index];
    int option = find_option (word);
    if (option < 0) {
        return unknown_option (word, err);
    }
    const mr_cli_option_row_t *row = &rows[option];
    bool is_long = word[1] == '-';
    const char *value = NULL;
    if (is_long && strchr (word, '=') != NULL) {
        value = strchr (word, '=') + 1;
    } else if (!is_long && word[2] != '\0') {
        value = word + 2; /* -cFILE */
    }
    if (row->value == NULL && value != NULL) {
        mr_error_set (err, "%s takes no value", row->name);
        return MR_INVALID;
    }
    if (row->value != NULL && value == NULL) {
        if (*index + 1 >= argc) {
            mr_error_set (err, "%s needs a value: %s %s", row->name, row->name, row->value);
            return MR_INVALID;
        }
        value = argv[++*index];
    }
    cli->set[option] = true;
    cli->values[option] = value;
    return MR_OK;
}

static mr_status_t
check_command (mr_cli_t *cli, mr_error_t *err)
{
    const mr_command_t *command = cli->command;
    for (int i = 0; i < MR_CLI_OPTIONS; i++) {
        if (cli->set[i] && !mr_cli_takes_option (command, (mr_cli_option_t)i)) {
            mr_error_set (err, "there is no %s here; `millrace help %s` lists the options",
                          rows[i].name, command->name);
            return MR_INVALID;
        }
    }
    if (cli->word_count < command->min_words || cli->word_count > command->max_words) {
        char why[128] = "an argument is missing";
        if (cli->word_count > command->max_words) {
            snprintf (why, sizeof why, "\"%.64s\" is one too many", cli->words[command->max_words]);
        }
        mr_error_set (err, "%s; usage: millrace %s [options]%s%s", why, command->name,
                      command->arguments[0] != '\0' ? " " : "", command->arguments);
        return MR_INVALID;
    }
    double number;
    if (cli->set[MR_CLI_TIMEOUT]) {
        mr_status_t status =
            parse_number ("--timeout", cli->values[MR_CLI_TIMEOUT], MAX_TIMEOUT_S, &number, err);
        if (status != MR_OK) {
            return status;
        }
        cli->timeout_ms = number < 0.001 ? 1 : (int64_t)(number * 1000);
    }
    if (cli->set[MR_CLI_RATE]) {
        return parse_number ("--rate", cli->values[MR_CLI_RATE], 1e9, &cli->rate, err);
    }
    return MR_OK;
}

static mr_status_t
take_word (mr_cli_t *cli, const char *word, mr_error_t *err)
{
    if (cli->command == NULL) {
        return find_command (word, &cli->command, err);
    }
    if (cli->word_count == MR_CLI_MAX_WORDS) {
        mr_error_set (err, "more than %d arguments", MR_CLI_MAX_WORDS);
        return MR_INVALID;
    }
    cli->words[cli->word_count++] = word;
    return MR_OK;
}

static bool
is_version (const char *word)
{
    return strcmp (word, "--version") == 0 || strcmp (word, "-V") == 0;
}

mr_status_t
mr_cli_parse (int argc, char **argv, mr_cli_t *ret_cli, mr_error_t *err)
{
    mr_cli_t cli = {0};
    bool only_words = false;
    mr_status_t status = MR_OK;
    for (int i = 1; i < argc && status == MR_OK; i++) {
        if (!only_words && strcmp (argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && is_version (argv[i]) && cli.command == NULL) {
            status = take_word (&cli, "version", err);
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
            status = take_option (argc, argv, &i, &cli, err);
        } else {
            status = take_word (&cli, argv[i], err);
        }
    }
    if (status == MR_OK && cli.command != NULL && !cli.set[MR_CLI_HELP]) {
        status = check_command (&cli, err);
    }
    if (status == MR_OK) {
        cli.config = cli.set[MR_CLI_CONFIG] ? cli.values[MR_CLI_CONFIG] : mr_default_config ();
        *ret_cli = cli;
    }
    ret_cli->command = cli.command;
    return status;
}

enum { LEFT = 24, WIDTH = 79 };

/* Words from the column `at` on, further lines from the column `indent` on. */
static void
print_wrapped (const char *text, int at, int indent)
{
    const char *gap = "";
    for (const char *word = text; *word != '\0';) {
        int bytes = (int)strcspn (word, " ");
        if (at + (int)strlen (gap) + bytes > WIDTH) {
            at = printf ("\n%*s", indent, "") - 1;
            gap = "";
        }
        at += printf ("%s%.*s", gap, bytes, word);
        gap = " ";
        word += bytes + (word[bytes] == ' ');
    }
    putchar ('\n');
}

/* Two columns; where the left one is long, the right one begins below it. */
static void
print_row (const char *left, const char *help)
{
    if (printf ("  %-*s ", LEFT, left) > LEFT + 3) {
        printf ("\n%*s", LEFT + 3, "");
    }
    print_wrapped (help, LEFT + 3, LEFT + 3);
}

static void
print_options (unsigned options)
{
    for (int i = 0; i < MR_CLI_OPTIONS; i++) {
        if (options & (1U << i)) {
            char left[64];
            snprintf (left, sizeof left, "%s%s%s%s%s", rows[i].letter != NULL ? rows[i].letter : "",
                      rows[i].letter != NULL ? ", " : "    ", rows[i].name,
                      rows[i].value != NULL ? " " : "", rows[i].value != NULL ? rows[i].value : "");
            print_row (left, rows[i].help);
        }
    }
}

const mr_cli_option_row_t *
mr_cli_option_row (mr_cli_option_t option)
{
    return &rows[option];
}

bool
mr_cli_takes_option (const mr_command_t *command, mr_cli_option_t option)
{
    return (command->options | COMMON) & (1U << option);
}

void
mr_cli_option_names (const mr_command_t *command, const char *separator)
{
    const char *gap = "";
    for (int i = 0; i < MR_CLI_OPTIONS; i++) {
        if (mr_cli_takes_option (command, (mr_cli_option_t)i)) {
            printf ("%s%s", gap, rows[i].name);
            gap = separator;
        }
    }
}

void
mr_cli_help (const mr_command_t *command)
{
    if (command != NULL) {
        char help[256];
        snprintf (help, sizeof help, "%s.", command->help);
        printf ("usage: millrace %s [options]%s%s\n", command->name,
                command->arguments[0] != '\0' ? " " : "", command->arguments);
        print_wrapped (help, 0, 0);
        putchar ('\n');
        print_options (command->options | COMMON);
        return;
    }
    printf ("usage: millrace COMMAND [options] [arguments]\n\n");
    for (const mr_command_t *row = mr_commands (); row->name != NULL; row++) {
        char left[64];
        snprintf (left, sizeof left, "%s%s%s", row->name, row->arguments[0] != '\0' ? " " : "",
                  row->arguments);
        print_row (left, row->help);
    }
    printf ("\nEvery command takes\n");
    print_options (COMMON);
    printf ("\nExit codes: 0 ok, 1 failed, 64 usage, 70 bug, 75 temporary,\n"
            "78 bad configuration, 99 timed out.\n");
}
