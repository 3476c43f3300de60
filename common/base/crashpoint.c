#include "common/base/crashpoint.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARM_BYTES = 128, MAX_PRINTED = 1024 };

/* The linker gathers every point's name between these two; weak, as there may be none. */
extern const char *const __start_mr_crash_table[] __attribute__ ((weak));
extern const char *const __stop_mr_crash_table[] __attribute__ ((weak));

static pthread_once_t loaded = PTHREAD_ONCE_INIT;
static char armed[ARM_BYTES]; /* the name alone */
static unsigned long armed_nth;
static const char *armed_file;
static atomic_ulong armed_passes;
static atomic_ulong file_passes;

/* "NAME[:NTH]" -> name in place, returns NTH (1 when left out). */
static unsigned long
split_nth (char *text)
{
    text[strcspn (text, "\r\n \t")] = '\0';
    char *colon = strchr (text, ':');
    if (colon == NULL) {
        return 1;
    }
    *colon = '\0';
    unsigned long nth = strtoul (colon + 1, NULL, 10);
    return nth == 0 ? 1 : nth;
}

static void
arm (const char *text)
{
    snprintf (armed, sizeof armed, "%s", text != NULL ? text : "");
    armed_nth = split_nth (armed);
    atomic_store (&armed_passes, 0);
}

static void
load (void)
{
    arm (getenv ("MILLRACE_CRASH"));
    armed_file = getenv ("MILLRACE_CRASH_FILE");
}

void
mr_crash_arm (const char *text)
{
    pthread_once (&loaded, load);
    arm (text);
}

/* Whether a text "NAME[:NTH] [PID]" speaks of another process. */
static bool
means_another (const char *text)
{
    const char *pid = strchr (text, ' ');
    return pid != NULL && strtol (pid, NULL, 10) != (long)getpid ();
}

/* The file is claimed by the one process that manages to remove it. */
static bool
file_says_die (const char *name)
{
    char text[ARM_BYTES];
    int fd = open (armed_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read (fd, text, sizeof text - 1);
    close (fd);
    if (got <= 0) {
        return false;
    }
    text[got] = '\0';
    if (means_another (text)) {
        return false;
    }
    unsigned long nth = split_nth (text);
    if (strcmp (text, name) != 0 || atomic_fetch_add (&file_passes, 1) + 1 < nth) {
        return false;
    }
    return unlink (armed_file) == 0;
}

bool
mr_crash_hit (const char *name)
{
    pthread_once (&loaded, load);
    if (armed[0] != '\0' && strcmp (armed, name) == 0 &&
        atomic_fetch_add (&armed_passes, 1) + 1 == armed_nth) {
        return true;
    }
    return armed_file != NULL && file_says_die (name);
}

void
mr_crash_now (void)
{
    raise (SIGKILL);
    _exit (137); /* not reached: SIGKILL cannot be blocked */
}

static int
compare_names (const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;
    return strcmp (*left, *right);
}

size_t
mr_crash_names (const char **names, size_t capacity)
{
    uintptr_t start = (uintptr_t)__start_mr_crash_table;
    size_t total = ((uintptr_t)__stop_mr_crash_table - start) / sizeof (const char *);
    const char **all = total > 0 ? malloc (total * sizeof *all) : NULL;
    if (all == NULL) {
        return 0;
    }
    memcpy (all, __start_mr_crash_table, total * sizeof *all);
    qsort (all, total, sizeof *all, compare_names);
    size_t count = 0;
    for (size_t i = 0; i < total; i++) {
        if (i > 0 && strcmp (all[i], all[i - 1]) == 0) {
            continue;
        }
        if (count < capacity) {
            names[count] = all[i];
        }
        count++;
    }
    free (all);
    return count;
}

void
mr_crash_print (void)
{
    const char *names[MAX_PRINTED];
    size_t count = mr_crash_names (names, MAX_PRINTED);
    for (size_t i = 0; i < count && i < MAX_PRINTED; i++) {
        puts (names[i]);
    }
}
