/* completion: what shells need to complete commands and options, from the same tables. */
#include "launcher/cli.h"

#include <stdio.h>
#include <string.h>

static void
print_names (void)
{
    for (const mr_command_t *row = mr_commands (); row->name != NULL; row++) {
        printf ("%s%s", row == mr_commands () ? "" : " ", row->name);
    }
}

static void
print_bash (void)
{
    printf ("_millrace () {\n"
            "    local word=${COMP_WORDS[COMP_CWORD]} command= i\n"
            "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
            "        case \" ");
    print_names ();
    printf (" \" in *\" ${COMP_WORDS[i]} \"*) command=${COMP_WORDS[i]}; break ;; esac\n"
            "    done\n"
            "    case $command in\n"
            "    '') COMPREPLY=($(compgen -W '");
    print_names ();
    printf ("' -- \"$word\")) ;;\n");
    for (const mr_command_t *row = mr_commands (); row->name != NULL; row++) {
        printf ("    %s) COMPREPLY=($(compgen -W '", row->name);
        mr_cli_option_names (row, " ");
        printf ("' -- \"$word\")) ;;\n");
    }
    printf ("    esac\n"
            "}\n"
            "complete -o default -F _millrace millrace\n");
}

static void
print_zsh (void)
{
    printf ("#compdef millrace\nautoload -U +X bashcompinit && bashcompinit\n");
    print_bash ();
}

static void
print_fish (void)
{
    for (const mr_command_t *row = mr_commands (); row->name != NULL; row++) {
        printf ("complete -c millrace -n __fish_use_subcommand -a %s -d '%s'\n", row->name,
                row->help);
        printf ("complete -c millrace -n '__fish_seen_subcommand_from %s' -a '", row->name);
        mr_cli_option_names (row, " ");
        printf ("'\n");
    }
}

int
mr_cmd_completion (mr_cli_t *cli)
{
    const struct {
        const char *shell;
        void (*print) (void);
    } shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++) {
        if (strcmp (cli->words[0], shells[i].shell) == 0) {
            shells[i].print ();
            return MR_EXIT_OK;
        }
    }
    return mr_cli_fail (cli, MR_EXIT_USAGE, "%s: there are bash, zsh and fish", cli->words[0]);
}
