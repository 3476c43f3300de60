#include "common/runtime/program_args.h"

#include "common/base/crashpoint.h"
#include "common/base/slots.h"
#include "common/base/status.h"
#include "common/runtime/worker.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const char *
mr_first_file (const char *const *paths)
{
    for (const char *const *path = paths; *path != NULL; path++) {
        if (access (*path, F_OK) == 0) {
            return *path;
        }
    }
    return paths[0];
}

const char *
mr_default_config (void)
{
    static const char *const places[] = {"conf/millrace.ini", "/etc/millrace/millrace.ini", NULL};
    const char *path = getenv ("MILLRACE_CONF");
    return path != NULL && path[0] != '\0' ? path : mr_first_file (places);
}

static void
print_help (const mr_program_t *program)
{
    printf ("usage: millrace-%s [-c FILE]%s [--check]\n\n%s\n\n", program->name,
            program->has_slot ? " [-n SLOT]" : "", program->help);
    printf ("  -c, --config FILE   configuration (else $MILLRACE_CONF, else conf/millrace.ini,\n"
            "                      else /etc/millrace/millrace.ini)\n");
    if (program->has_slot) {
        printf ("  -n, --slot SLOT     which worker of the stage this is, from 0 (default 0)\n");
    }
    printf ("      --check         check the configuration, start nothing\n"
            "      --quiet         log to the log file only, not to stderr\n"
            "      --ready-fd FD   write a newline to this descriptor when ready\n"
            "  -h, --help   -V, --version\n\n"
            "%s\n"
            "Exit codes: 0 ok, 1 failed, 64 usage, 70 bug, 75 %s,\n"
            "78 bad configuration.\n",
            program->signals, program->busy);
}

static bool
parse_number (const char *text, long max, int *ret_number)
{
    char *end;
    long number = strtol (text, &end, 10);
    if (end == text || *end != '\0' || number < 0 || number > max) {
        return false;
    }
    *ret_number = (int)number;
    return true;
}

static int
usage (const mr_program_t *program, const char *what, const char *value)
{
    fprintf (stderr, "millrace-%s: %s \"%s\"; try --help\n", program->name, what, value);
    return MR_EXIT_USAGE;
}

/* The table is without --slot for a program that has none, and so is what getopt knows. */
static const struct option options[] = {
    {"slot", required_argument, NULL, 'n'},
    {"config", required_argument, NULL, 'c'},
    {"ready-fd", required_argument, NULL, 'r'},
    {"check", no_argument, NULL, 'k'},
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
#ifdef MR_CRASH_POINTS
    {"crash-points", no_argument, NULL, 'p'},
#endif
    {NULL, 0, NULL, 0},
};

/* One option. Returns -1 to go on, else the exit code. */
static int
take (const mr_program_t *program, int option, const char *given, mr_program_args_t *args)
{
    switch (option) {
    case 'c':
        args->config_path = optarg;
        return -1;
    case 'n':
        return parse_number (optarg, MR_SLOTS_MAX - 1, &args->slot)
                   ? -1
                   : usage (program, "a slot is a number from 0 to 62, not", optarg);
    case 'r':
        return parse_number (optarg, 1 << 20, &args->ready_fd)
                   ? -1
                   : usage (program, "not a descriptor:", optarg);
    case 'k':
        args->check = true;
        return -1;
    case 'q':
        args->quiet = true;
        return -1;
    case 'p':
        mr_crash_print ();
        return MR_EXIT_OK;
    case 'h':
        print_help (program);
        return MR_EXIT_OK;
    case 'V':
        printf ("millrace-%s %s\n", program->name, MR_VERSION);
        return MR_EXIT_OK;
    default:
        return usage (program, "unknown or incomplete option", given);
    }
}

int
mr_program_args_parse (int argc, char **argv, const mr_program_t *program,
                       mr_program_args_t *ret_args)
{
    mr_program_args_t args = {.config_path = mr_default_config (), .ready_fd = -1};
    const struct option *known = program->has_slot ? options : options + 1;
    const char *letters = program->has_slot ? "c:n:hV" : "c:hV";
    opterr = 0;
    optind = 1;
    for (int option; (option = getopt_long (argc, argv, letters, known, NULL)) != -1;) {
        int code = take (program, option, argv[optind - 1], &args);
        if (code >= 0) {
            return code;
        }
    }
    if (optind < argc) {
        return usage (program, "unexpected argument", argv[optind]);
    }
    *ret_args = args;
    return -1;
}
