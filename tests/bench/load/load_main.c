/* bench_load VERB --key=value ... [FILE...]: see load.h. */
#include "tests/bench/load/load.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USAGE = 64 };

static const struct option known[] = {
    {"mode", required_argument, NULL, 'm'},    {"to", required_argument, NULL, 't'},
    {"name", required_argument, NULL, 'n'},    {"first", required_argument, NULL, 'f'},
    {"records", required_argument, NULL, 'r'}, {"skip", required_argument, NULL, 's'},
    {"bytes", required_argument, NULL, 'b'},   {"chunk", required_argument, NULL, 'c'},
    {"window", required_argument, NULL, 'w'},  {"rate", required_argument, NULL, 'R'},
    {"timeout", required_argument, NULL, 'T'}, {NULL, 0, NULL, 0},
};

static bool
set (mr_load_options_t *options, int key, const char *value)
{
    switch (key) {
    case 'm':
        options->mode = value;
        return true;
    case 't':
        options->to = value;
        return true;
    case 'n':
        options->name = value;
        return true;
    case 'f':
        options->first = strtoull (value, NULL, 10);
        return options->first > 0;
    case 'r':
        options->records = strtoull (value, NULL, 10);
        return options->records > 0;
    case 's':
        options->skip = strtoull (value, NULL, 10);
        return true;
    case 'b':
        options->bytes = strtoull (value, NULL, 10);
        return options->bytes >= MR_LOAD_MIN_BYTES && options->bytes <= MR_LOAD_MAX_BYTES;
    case 'c':
        options->chunk = (unsigned)strtoul (value, NULL, 10);
        return options->chunk > 0;
    case 'w':
        options->window = (unsigned)strtoul (value, NULL, 10);
        return options->window > 0;
    case 'R':
        options->rate = strtod (value, NULL);
        return options->rate >= 0;
    case 'T':
        options->timeout_s = (unsigned)strtoul (value, NULL, 10);
        return true;
    default:
        return false;
    }
}

static int
run (const char *verb, const mr_load_options_t *options)
{
    static const struct {
        const char *name;
        int (*run) (const mr_load_options_t *options);
    } verbs[] = {
        {"count", mr_load_count}, {"write", mr_load_write}, {"expect", mr_load_expect},
        {"send", mr_load_send},   {"check", mr_load_check}, {"watch", mr_load_watch},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp (verb, verbs[i].name) == 0) {
            return verbs[i].run (options);
        }
    }
    fprintf (stderr, "load: no verb %s: count, write, expect, send, check, watch\n", verb);
    return USAGE;
}

int
main (int argc, char **argv)
{
    mr_load_options_t options = {
        .mode = "push",
        .to = "",
        .name = "bench",
        .first = 1,
        .records = 1000000,
        .bytes = 250,
        .chunk = 256,
        .window = 16,
        .timeout_s = 60,
    };
    int key;
    while ((key = getopt_long (argc, argv, "", known, NULL)) != -1) {
        if (!set (&options, key, optarg)) {
            fprintf (stderr, "load: bad option\n");
            return USAGE;
        }
    }
    if (optind == argc) {
        fprintf (
            stderr,
            "usage: bench_load count|write|expect|send|check|watch [--KEY=VALUE...] [FILE...]\n");
        return USAGE;
    }
    if (options.rate > 0 && options.bytes < MR_LOAD_STAMP_BYTES) {
        fprintf (stderr, "load: a paced record has at least %d bytes\n", MR_LOAD_STAMP_BYTES);
        return USAGE;
    }
    options.files = (const char **)&argv[optind + 1];
    options.file_count = argc - optind - 1;
    if (strcmp (argv[optind], "watch") == 0 && options.file_count != 1) {
        fprintf (stderr, "load: watch takes one file\n");
        return USAGE;
    }
    return run (argv[optind], &options);
}
