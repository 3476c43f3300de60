#include "launcher/chaos/victims.h"

#include "launcher/child.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEATH_MS = 10000 };

typedef struct listing {
    mr_victims_t *victims;
    const char *kill;
} listing_t;

bool
mr_victims_among (const char *kill, const char *stage)
{
    size_t bytes = strlen (stage);
    if (strcmp (kill, "all") == 0) {
        return true;
    }
    for (const char *word = kill; *word != '\0'; word += strspn (word, ",")) {
        size_t span = strcspn (word, ",");
        if (span == bytes && memcmp (word, stage, bytes) == 0) {
            return true;
        }
        word += span;
    }
    return false;
}

static void
add (const mr_worker_info_t *info, void *arg)
{
    const listing_t *listing = arg;
    mr_victims_t *victims = listing->victims;
    if (info->alive && victims->count < MR_VICTIMS_MAX &&
        mr_victims_among (listing->kill, info->stage)) {
        snprintf (victims->names[victims->count++], MR_WORKER_NAME_BYTES, "%s", info->name);
    }
}

static int
compare (const void *a, const void *b)
{
    return strcmp (a, b);
}

void
mr_victims_list (const char *run_dir, const char *kill, mr_victims_t *ret_victims)
{
    listing_t listing = {ret_victims, kill};
    ret_victims->count = 0;
    (void)!mr_worker_each (run_dir, add, &listing, NULL);
    qsort (ret_victims->names, (size_t)ret_victims->count, sizeof *ret_victims->names, compare);
}

static bool
wait_gone (const mr_child_t *child)
{
    struct pollfd gone = {.fd = child->pidfd, .events = POLLIN};
    return poll (&gone, 1, DEATH_MS) > 0;
}

bool
mr_victims_signal (const char *run_dir, const char *name, int signal)
{
    mr_child_t child;
    if (mr_child_adopt (run_dir, name, &child, NULL) != MR_OK) {
        return false;
    }
    bool done = mr_child_signal (&child, run_dir, name, signal, NULL) == MR_OK &&
                (signal != SIGKILL || wait_gone (&child));
    mr_child_release (&child);
    return done;
}

int
mr_victims_kill_all (const char *run_dir, mr_victims_fn *fn, void *arg)
{
    mr_victims_t victims = {.count = 0};
    mr_child_t children[MR_VICTIMS_MAX];
    int killed = 0;
    if (mr_victims_signal (run_dir, "launcher", SIGKILL)) { /* it would start the others again */
        killed++;
        if (fn != NULL) {
            fn (arg, "launcher");
        }
    }
    mr_victims_list (run_dir, "all", &victims);
    for (int i = 0; i < victims.count; i++) {
        children[i].pidfd = -1;
        if (mr_child_adopt (run_dir, victims.names[i], &children[i], NULL) == MR_OK &&
            mr_child_signal (&children[i], run_dir, victims.names[i], SIGKILL, NULL) == MR_OK) {
            killed++;
            if (fn != NULL) {
                fn (arg, victims.names[i]);
            }
        }
    }
    for (int i = 0; i < victims.count; i++) {
        if (children[i].pidfd >= 0) {
            (void)wait_gone (&children[i]);
            mr_child_release (&children[i]);
        }
    }
    return killed;
}
