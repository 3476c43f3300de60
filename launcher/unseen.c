#include "launcher/unseen.h"

#include "common/base/clock.h"
#include "common/delivery/journal.h"
#include "common/delivery/spool.h"
#include "launcher/client.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    NAMES_BYTES = 400,
    LOOK_MS = 50,
    ALL_MS = 1500, /* from the first that shows itself to the last, all looking once a second */
};

/* The holder's pid; 0: nobody holds it, -1: somebody whose pid does not stand there. */
static long
holder_of (const char *dir)
{
    char path[PATH_MAX + 8];
    char text[32] = "";
    snprintf (path, sizeof path, "%s/lock", dir);
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    long pid = 0;
    if (fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) {
        ssize_t bytes = pread (fd, text, sizeof text - 1, 0);
        pid = bytes > 0 ? strtol (text, NULL, 10) : 0;
        pid = pid > 0 ? pid : -1;
    }
    close (fd);
    return pid;
}

static void
add (char names[NAMES_BYTES], size_t *used, const char *stage, int slot, const char *dir)
{
    char pid[32] = "";
    long holder = holder_of (dir);
    if (holder == 0 || *used >= NAMES_BYTES - 1) {
        return;
    }
    if (holder > 0) {
        snprintf (pid, sizeof pid, " pid %ld", holder);
    }
    *used += (size_t)snprintf (names + *used, NAMES_BYTES - *used, "%s%s.%d%s",
                               *used > 0 ? ", " : "", stage, slot, pid);
}

bool
mr_unseen (const mr_plan_t *plan, char ret_text[MR_UNSEEN_BYTES])
{
    char dir[PATH_MAX];
    char names[NAMES_BYTES] = "";
    size_t used = 0;
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        mr_journal_path (plan->data_dir, slot, dir);
        add (names, &used, "ingest", slot, dir);
    }
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        mr_spool_path (plan->data_dir, slot, dir);
        add (names, &used, "exporter", slot, dir);
    }
    if (used == 0) {
        return false;
    }
    snprintf (ret_text, MR_UNSEEN_BYTES,
              "nobody is to be seen in %.2000s, but somebody writes in %.2000s (%s): if the "
              "configuration had another run_dir when they were started, name that one again to "
              "reach them; else `kill` them, which drains",
              plan->run_dir, plan->data_dir, names);
    return true;
}

static void
pause_a_moment (void)
{
    nanosleep (&(struct timespec){.tv_nsec = LOOK_MS * MR_NS_PER_MS}, NULL);
}

bool
mr_unseen_still (const mr_plan_t *plan, int64_t timeout_ms, char ret_text[MR_UNSEEN_BYTES])
{
    mr_worker_info_t launcher;
    int64_t end_ns = mr_clock_mono_ns () + timeout_ms * MR_NS_PER_MS;
    bool waited = false;
    while (mr_client_alive (plan) == 0 && mr_unseen (plan, ret_text)) {
        if (mr_clock_mono_ns () >= end_ns) {
            return true;
        }
        waited = true;
        pause_a_moment ();
    }
    end_ns = mr_clock_mono_ns () + ALL_MS * MR_NS_PER_MS;
    while (waited && mr_client_alive (plan) > 0 && !mr_client_launcher (plan, &launcher) &&
           mr_clock_mono_ns () < end_ns) {
        pause_a_moment ();
    }
    return false;
}
