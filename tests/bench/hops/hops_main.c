/* bench_hops hops|receive --key=value ...: see hops.h. */
#include "tests/bench/hops/hops.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USAGE = 64, LEAST_BYTES = 16, MOST_BYTES = 1 << 20 };

static const struct option known[] = {
    {"dir", required_argument, NULL, 'd'},   {"records", required_argument, NULL, 'r'},
    {"bytes", required_argument, NULL, 'b'}, {"chunk", required_argument, NULL, 'c'},
    {"hops", required_argument, NULL, 'h'},  {NULL, 0, NULL, 0},
};

static int
usage (void)
{
    fprintf (stderr, "usage: bench_hops hops|receive --dir=DIR [--records=N] [--bytes=N] "
                     "[--chunk=N] [--hops=1..8]\n");
    return USAGE;
}

int
main (int argc, char **argv)
{
    mr_hops_options_t options = {.records = 1000000, .bytes = 220, .chunk = 1, .hops = 3};
    int key;
    while ((key = getopt_long (argc, argv, "", known, NULL)) != -1) {
        unsigned long value = key != 'd' && optarg != NULL ? strtoul (optarg, NULL, 10) : 0;
        switch (key) {
        case 'd':
            options.dir = optarg;
            break;
        case 'r':
            options.records = value;
            break;
        case 'b':
            options.bytes = value;
            break;
        case 'c':
            options.chunk = (unsigned)value;
            break;
        case 'h':
            options.hops = (unsigned)value;
            break;
        default:
            return usage ();
        }
    }
    if (optind + 1 != argc || options.dir == NULL || options.records == 0 || options.chunk == 0 ||
        options.bytes < LEAST_BYTES || options.bytes > MOST_BYTES || options.hops == 0 ||
        options.hops > MR_HOPS_MOST) {
        return usage ();
    }
    if (strcmp (argv[optind], "hops") == 0) {
        return mr_hops_run (&options);
    }
    return strcmp (argv[optind], "receive") == 0 ? mr_hops_receive (&options) : usage ();
}
