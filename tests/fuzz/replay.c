/* replay: run a harness over the files of its corpus, without libFuzzer. Each input is tried whole
 * and, while it is small, cut at every length. Usage: replay-NAME FOLDER */
#include "tests/fuzz/harness.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CUT_BYTES = 512, EXIT_USAGE = 64 };

/* Each run has its own allocation, so that a read past the end is seen. */
static void
run (const uint8_t *data, size_t bytes)
{
    uint8_t *copy = malloc (bytes > 0 ? bytes : 1);
    if (copy == NULL) {
        abort ();
    }
    memcpy (copy, data, bytes);
    LLVMFuzzerTestOneInput (copy, bytes);
    free (copy);
}

static uint8_t *
read_whole (const char *path, size_t bytes)
{
    uint8_t *data = malloc (bytes + 1);
    FILE *file = fopen (path, "rb");
    if (data == NULL || file == NULL || fread (data, 1, bytes, file) != bytes) {
        fprintf (stderr, "cannot read %s: %s\n", path, strerror (errno));
        exit (1);
    }
    fclose (file);
    return data;
}

static void
replay_file (const char *path, size_t bytes)
{
    uint8_t *data = read_whole (path, bytes);
    for (size_t cut = 0; cut < bytes && cut < CUT_BYTES; cut++) {
        run (data, cut);
    }
    run (data, bytes);
    free (data);
}

static int
replay_folder (const char *folder)
{
    DIR *listing = opendir (folder);
    if (listing == NULL) {
        fprintf (stderr, "cannot open %s: %s\n", folder, strerror (errno));
        return -1;
    }
    int files = 0;
    const struct dirent *entry;
    while ((entry = readdir (listing)) != NULL) {
        char path[PATH_MAX];
        struct stat status;
        snprintf (path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat (path, &status) == 0 && S_ISREG (status.st_mode)) {
            replay_file (path, (size_t)status.st_size);
            files++;
        }
    }
    closedir (listing);
    return files;
}

int
main (int argc, char **argv)
{
    if (argc != 2) {
        fprintf (stderr, "usage: %s FOLDER\n", argv[0]);
        return EXIT_USAGE;
    }
    int files = replay_folder (argv[1]);
    if (files == 0) {
        fprintf (stderr, "%s holds no input\n", argv[1]);
    }
    printf ("replayed %d inputs\n", files);
    return files > 0 ? 0 : 1;
}
