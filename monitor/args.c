#include "monitor/args.h"

#include "common/base/status.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static void
print_help (void)
{
    printf ("usage: millrace-monitor [-c FILE] [--check]\n\n"
            "Watches the pipeline: the event bus, its figures over HTTP, a page, /metrics.\n\n"
            "  -c, --config FILE   configuration (else $MILLRACE_CONF, else conf/millrace.ini)\n"
            "      --check         check the configuration, start nothing\n"
            "      --quiet         log to the log file only, not to stderr\n"
            "      --ready-fd FD   write a newline to this descriptor when ready\n"
            "  -h, --help   -V, --version\n\n"
            "SIGTERM and SIGINT stop it; SIGHUP reopens the log file.\n"
            "Exit codes: 0 ok, 1 failed, 64 usage, 70 bug, 75 port taken or another monitor runs,\n"
            "78 bad configuration.\n");
}

static int
usage (const char *what, const char *value)
{
    fprintf (stderr, "millrace-monitor: %s \"%s\"; try --help\n", what, value);
    return MR_EXIT_USAGE;
}

static bool
parse_descriptor (const char *text, int *ret_fd)
{
    char *end;
    long number = strtol (text, &end, 10);
    if (end == text || *end != '\0' || number < 0 || number > 1 << 20) {
        return false;
    }
    *ret_fd = (int)number;
    return true;
}

int
mr_monitor_args_parse (int argc, char **argv, mr_monitor_args_t *ret_args)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"ready-fd", required_argument, NULL, 'r'},
        {"check", no_argument, NULL, 'k'},
        {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    const char *from_environment = getenv ("MILLRACE_CONF");
    mr_monitor_args_t args = {
        .config_path = from_environment != NULL ? from_environment : "conf/millrace.ini",
        .ready_fd = -1,
    };
    opterr = 0;
    for (int option; (option = getopt_long (argc, argv, "c:hV", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            args.config_path = optarg;
            break;
        case 'r':
            if (!parse_descriptor (optarg, &args.ready_fd)) {
                return usage ("not a descriptor:", optarg);
            }
            break;
        case 'k':
            args.check = true;
            break;
        case 'q':
            args.quiet = true;
            break;
        case 'h':
            print_help ();
            return MR_EXIT_OK;
        case 'V':
            printf ("millrace-monitor %s\n", MR_VERSION);
            return MR_EXIT_OK;
        default:
            return usage ("unknown or incomplete option", argv[optind - 1]);
        }
    }
    if (optind < argc) {
        return usage ("unexpected argument", argv[optind]);
    }
    *ret_args = args;
    return -1;
}
