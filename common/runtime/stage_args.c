#include "common/runtime/stage_args.h"

#include "common/base/crashpoint.h"
#include "common/runtime/worker.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_help (const mr_stage_ops_t *ops)
{
    printf ("usage: millrace-%s [-c FILE] [-n SLOT] [--check]\n\n%s\n\n", ops->name, ops->help);
    printf ("  -c, --config FILE   configuration (else $MILLRACE_CONF, else conf/millrace.ini)\n"
            "  -n, --slot SLOT     which worker of the stage this is, from 0 (default 0)\n"
            "      --check         check the configuration, start nothing\n"
            "      --quiet         log to the log file only, not to stderr\n"
            "      --ready-fd FD   write a newline to this descriptor when ready\n"
            "  -h, --help   -V, --version\n\n"
            "SIGTERM drains and stops, a second one stops at once; SIGHUP reopens files.\n"
            "Exit codes: 0 ok, 1 failed, 64 usage, 70 bug, 75 temporary, 78 bad configuration.\n");
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
usage (const mr_stage_ops_t *ops, const char *what, const char *value)
{
    fprintf (stderr, "millrace-%s: %s \"%s\"; try --help\n", ops->name, what, value);
    return MR_EXIT_USAGE;
}

int
mr_stage_args_parse (int argc, char **argv, const mr_stage_ops_t *ops, mr_stage_args_t *ret_args)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"slot", required_argument, NULL, 'n'},
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
    const char *from_environment = getenv ("MILLRACE_CONF");
    mr_stage_args_t args = {
        .config_path = from_environment != NULL ? from_environment : "conf/millrace.ini",
        .ready_fd = -1,
    };
    opterr = 0;
    for (int option; (option = getopt_long (argc, argv, "c:n:hV", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            args.config_path = optarg;
            break;
        case 'n':
            if (!parse_number (optarg, MR_WORKER_MAX_SLOTS - 1, &args.slot)) {
                return usage (ops, "a slot is a number from 0 to 62, not", optarg);
            }
            break;
        case 'r':
            if (!parse_number (optarg, 1 << 20, &args.ready_fd)) {
                return usage (ops, "not a descriptor:", optarg);
            }
            break;
        case 'k':
            args.check = true;
            break;
        case 'q':
            args.quiet = true;
            break;
        case 'p':
            mr_crash_print ();
            return MR_EXIT_OK;
        case 'h':
            print_help (ops);
            return MR_EXIT_OK;
        case 'V':
            printf ("millrace-%s %s\n", ops->name, MR_VERSION);
            return MR_EXIT_OK;
        default:
            return usage (ops, "unknown or incomplete option", argv[optind - 1]);
        }
    }
    if (optind < argc) {
        return usage (ops, "unexpected argument", argv[optind]);
    }
    *ret_args = args;
    return -1;
}
