#include "launcher/args.h"

#include "common/base/status.h"
#include "common/runtime/program_args.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPT_READY_FD = 256, OPT_FOREGROUND, OPT_ADOPT_ONLY, OPT_QUIET };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"ready-fd", required_argument, NULL, OPT_READY_FD},
    {"foreground", no_argument, NULL, OPT_FOREGROUND},
    {"adopt-only", no_argument, NULL, OPT_ADOPT_ONLY},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void
help (FILE *out)
{
    fputs (
        "usage: millrace-launcher [-c FILE] [--foreground] [--quiet]\n"
        "Starts, restarts, scales and stops the workers of a pipeline. `millrace up` runs it.\n"
        "\n"
        "  -c, --config FILE  configuration (else $MILLRACE_CONF, else conf/millrace.ini,\n"
        "                     else /etc/millrace/millrace.ini)\n"
        "      --foreground   workers inherit stdout, so that a stdout sink has somewhere to go\n"
        "      --adopt-only   start nothing; look after what runs already\n"
        "      --ready-fd N   write a newline to descriptor N once requests are taken\n"
        "      --quiet        log to the log file only, not to stderr\n"
        "  -h, --help   -V, --version\n"
        "\n"
        "SIGTERM, SIGINT: drain the chain and exit 0; a SIGINT after that: kill it.\n"
        "SIGHUP: reopen log files and outputs of all workers.\n",
        out);
}

static int
parse_fd (const char *text, int *ret_fd)
{
    char *end;
    errno = 0;
    long value = strtol (text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0 || value > INT_MAX) {
        fprintf (stderr, "millrace-launcher: --ready-fd: %s is not a descriptor\n", text);
        return MR_EXIT_USAGE;
    }
    *ret_fd = (int)value;
    return -1;
}

int
mr_launcher_args_parse (int argc, char **argv, mr_launcher_args_t *ret_args)
{
    mr_launcher_args_t args = {.config = mr_default_config (), .ready_fd = -1};
    int code = -1;
    int option;
    while (code < 0 && (option = getopt_long (argc, argv, "c:hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            args.config = optarg;
            break;
        case OPT_READY_FD:
            code = parse_fd (optarg, &args.ready_fd);
            break;
        case OPT_FOREGROUND:
            args.foreground = true;
            break;
        case OPT_ADOPT_ONLY:
            args.adopt_only = true;
            break;
        case OPT_QUIET:
            args.quiet = true;
            break;
        case 'V':
            puts ("millrace-launcher " MR_VERSION);
            return MR_EXIT_OK;
        case 'h':
            help (stdout);
            return MR_EXIT_OK;
        default:
            help (stderr);
            return MR_EXIT_USAGE;
        }
    }
    if (code < 0 && optind < argc) {
        fprintf (stderr, "millrace-launcher: %s: takes no arguments\n", argv[optind]);
        code = MR_EXIT_USAGE;
    }
    if (code < 0) {
        *ret_args = args;
    }
    return code;
}
