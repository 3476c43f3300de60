/* completion: what shells need to complete commands, options and names, from the same tables. The
 * names of stages and workers depend on the configuration: the shell asks for them when they are
 * wanted, with `millrace completion workers` and `millrace completion stages`. */
#include "launcher/cli.h"

#include <stdio.h>
#include <string.h>

/* ---- names, one a line ---- */

static void
print_slot (const mr_worker_info_t *info, void *arg)
{
    const mr_plan_t *plan = arg;
    int stage = mr_plan_find (plan, info->stage);
    if (info->alive && stage >= 0 && info->slot >= plan->stages[stage].workers) {
        printf ("%s\n", info->name);
    }
}

static int
print_stages (mr_cli_t *cli)
{
    mr_plan_t plan;
    int code = mr_cli_load (cli, NULL, &plan);
    for (int i = 0; code == 0 && i < plan.stage_count; i++) {
        printf ("%s=\n", plan.stages[i].name);
    }
    return code;
}

static int
print_workers (mr_cli_t *cli)
{
    mr_plan_t plan;
    int code = mr_cli_load (cli, NULL, &plan);
    if (code != 0) {
        return code;
    }
    for (int i = 0; i < plan.stage_count; i++) {
        printf ("%s\n", plan.stages[i].name);
        for (int slot = 0; slot < plan.stages[i].workers; slot++) {
            printf ("%s.%d\n", plan.stages[i].name, slot);
        }
    }
    printf ("monitor\n");
    (void)!mr_worker_each (plan.run_dir, print_slot, &plan, NULL); /* none run: none beyond these */
    return MR_EXIT_OK;
}

/* ---- what a command's arguments are, by its line in the table ---- */

static void
print_commands (void)
{
    for (const mr_command_t *row = mr_commands (); row->name != NULL; row++) {
        printf ("%s%s", row == mr_commands () ? "" : " ", row->name);
    }
}

static bool
begins (const char *text, const char *with)
{
    return strncmp (text, with, strlen (with)) == 0;
}

/* The name by which the shell asks for them; NULL: they are fixed, or files. */
static const char *
asked_names (const mr_command_t *row)
{
    if (begins (row->arguments, "STAGE=")) {
        return "stages";
    }
    bool workers = begins (row->arguments, "STAGE[") || begins (row->arguments, "[WORKER");
    return workers ? "workers" : NULL;
}

/* Print the fixed ones. False: there are none. */
static bool
print_fixed (const mr_command_t *row)
{
    if (begins (row->arguments, "[COMMAND")) {
        print_commands ();
        return true;
    }
    if (row->arguments[0] < 'a' || row->arguments[0] > 'z') {
        return false;
    }
    for (const char *at = row->arguments; *at != '\0' && *at != ' '; at++) {
        putchar (*at == '|' ? ' ' : *at);
    }
    return true;
}

static bool
takes_files (const mr_command_t *row)
{
    return begins (row->arguments, "[FILE");
}

/* ---- bash ---- */

static void
print_bash_command (const mr_command_t *row)
{
    const char *asked = asked_names (row);
    printf ("    %s) options='", row->name);
    mr_cli_option_names (row, " ");
    printf ("' names=");
    if (asked != NULL) {
        printf ("$(_millrace_ask %s \"$config\")", asked);
    } else {
        printf ("'");
        (void)print_fixed (row);
        printf ("'");
    }
    printf ("%s ;;\n", takes_files (row) ? " files=1" : "");
}

/* `-c|--config`. */
static void
print_pattern (const mr_cli_option_row_t *row)
{
    printf ("%s%s%s", row->letter != NULL ? row->letter : "", row->letter != NULL ? "|" : "",
            row->name);
}

/* What comes behind an option that takes a value: files by the shell's own completion, one of a
 * fixed set, with a comma several, or nothing that could be offered. */
static void
print_bash_values (void)
{
    printf ("    case $before in\n");
    for (int i = 0; i < MR_CLI_OPTIONS; i++) {
        const mr_cli_option_row_t *row = mr_cli_option_row ((mr_cli_option_t)i);
        if (row->value == NULL) {
            continue;
        }
        printf ("    ");
        print_pattern (row);
        if (strcmp (row->value, "FILE") == 0) {
            printf (") return ;;\n");
        } else if (row->choices != NULL) {
            printf (")\n"
                    "        [[ $word != *,* ]] || prefix=${word%%,*},\n"
                    "        COMPREPLY=($(compgen -P \"$prefix\" -W '%s' -- "
                    "\"${word#\"$prefix\"}\"))\n"
                    "        return ;;\n",
                    row->choices);
        } else {
            printf (") compopt +o default 2>/dev/null; return ;;\n");
        }
    }
    printf ("    esac\n");
}

/* Find the command and the configuration among the words before the one at hand. */
static void
print_bash_search (void)
{
    printf ("    for ((i = 1; i < COMP_CWORD; i++)); do\n"
            "        case ${COMP_WORDS[i]} in\n"
            "        -c|--config)\n"
            "            [[ ${COMP_WORDS[i+1]} != = ]] || ((i++))\n"
            "            ((i++)); config=${COMP_WORDS[i]/#\\~/$HOME} ;;\n");
    for (int i = 0; i < MR_CLI_OPTIONS; i++) {
        const mr_cli_option_row_t *row = mr_cli_option_row ((mr_cli_option_t)i);
        if (row->value != NULL && i != MR_CLI_CONFIG) {
            printf ("        ");
            print_pattern (row);
            printf (") [[ ${COMP_WORDS[i+1]} != = ]] || ((i++)); ((i++)) ;;\n");
        }
    }
    printf ("        -*) ;;\n"
            "        *) command=${command:-${COMP_WORDS[i]}} ;;\n"
            "        esac\n"
            "    done\n");
}

static void
print_bash (void)
{
    printf ("_millrace_ask () {\n"
            "    \"${COMP_WORDS[0]/#\\~/$HOME}\" completion \"$1\" ${2:+-c \"$2\"} 2>/dev/null\n"
            "}\n"
            "_millrace () {\n"
            "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
            "    local command= config= options= names= files= prefix= i\n"
            "    COMPREPLY=()\n"
            "    if [[ $word == = || $before == = ]]; then\n" /* --name=value is three words */
            "        [[ $before != = ]] || before=${COMP_WORDS[COMP_CWORD-2]}\n"
            "        [[ $word != = ]] || word=\n"
            "        [[ $before == -* ]] || return\n"
            "    fi\n");
    print_bash_values ();
    print_bash_search ();
    printf ("    case $command in\n"
            "    '') names='");
    print_commands ();
    printf ("' options='--help --version' ;;\n");
    for (const mr_command_t *row = mr_commands (); row->name != NULL; row++) {
        print_bash_command (row);
    }
    printf ("    esac\n"
            "    case $word,$names,$files in\n"
            "    -*|,,|[!,]*,,) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
            "    *) COMPREPLY=($(compgen -W \"$names\" -- \"$word\")) ;;\n"
            "    esac\n"
            "    case ${COMPREPLY[0]-} in *=) compopt -o nospace 2>/dev/null ;; esac\n"
            "}\n"
            "complete -o default -F _millrace millrace\n");
}

static void
print_zsh (void)
{
    printf ("#compdef millrace\nautoload -U +X bashcompinit && bashcompinit\n");
    print_bash ();
    /* zsh knows "no space after it" for a whole call only; and a file that is loaded at the first
     * Tab has to answer that one, too. */
    printf ("_millrace_zsh () {\n"
            "    local -a nospace\n"
            "    (( ${words[(I)scale]} )) && nospace=(-o nospace)\n"
            "    _bash_complete -o default $nospace -F _millrace\n"
            "}\n"
            "compdef _millrace_zsh millrace\n"
            "[[ ${funcstack[1]-} != _millrace ]] || _millrace_zsh\n");
}

/* ---- fish ---- */

static void
print_fish_option (const mr_command_t *command, const mr_cli_option_row_t *row)
{
    printf ("complete -c millrace -n '__fish_seen_subcommand_from %s' -l %s", command->name,
            row->name + 2);
    if (row->letter != NULL) {
        printf (" -s %s", row->letter + 1);
    }
    if (row->choices != NULL) {
        printf (" -x -a '(__fish_append , %s)'", row->choices);
    } else if (row->value != NULL) {
        printf (" -x");
    }
    printf (" -d \"%s\"\n", row->help);
}

static void
print_fish_command (const mr_command_t *row)
{
    const char *asked = asked_names (row);
    printf ("complete -c millrace -f -n __fish_use_subcommand -a %s -d \"%s\"\n", row->name,
            row->help);
    printf ("complete -c millrace%s -n '__fish_seen_subcommand_from %s' -a '",
            takes_files (row) ? "" : " -f", row->name);
    if (asked != NULL) {
        printf ("(__millrace_ask %s)", asked);
    } else {
        (void)print_fixed (row);
    }
    printf ("'\n");
    for (int i = 0; i < MR_CLI_OPTIONS; i++) {
        if (i != MR_CLI_CONFIG && mr_cli_takes_option (row, (mr_cli_option_t)i)) {
            print_fish_option (row, mr_cli_option_row ((mr_cli_option_t)i));
        }
    }
}

static void
print_fish (void)
{
    printf ("function __millrace_ask\n"
            "    set -l words (commandline -opc)\n"
            "    set -l at (contains -i -- -c $words; or contains -i -- --config $words)\n"
            "    set -l config\n"
            "    test -n \"$at\"; and set config -c $words[(math $at + 1)]\n"
            "    command millrace completion $argv[1] $config 2>/dev/null\n"
            "end\n");
    for (const mr_command_t *row = mr_commands (); row->name != NULL; row++) {
        print_fish_command (row);
    }
    printf ("complete -c millrace -s c -l config -r -F -d 'configuration'\n");
}

static int
print_script (void (*print) (void))
{
    print ();
    return MR_EXIT_OK;
}

int
mr_cmd_completion (mr_cli_t *cli)
{
    const char *word = cli->words[0];
    if (strcmp (word, "bash") == 0) {
        return print_script (print_bash);
    }
    if (strcmp (word, "zsh") == 0) {
        return print_script (print_zsh);
    }
    if (strcmp (word, "fish") == 0) {
        return print_script (print_fish);
    }
    if (strcmp (word, "workers") == 0) {
        return print_workers (cli);
    }
    if (strcmp (word, "stages") == 0) {
        return print_stages (cli);
    }
    return mr_cli_fail (cli, MR_EXIT_USAGE, "%s: there are bash, zsh and fish", word);
}
