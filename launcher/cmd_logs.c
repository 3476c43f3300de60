/* logs: LOG_DIR/<worker>.log of all workers, merged by time; then, with -f, what is added. */
#include "launcher/cli.h"
#include "launcher/lines.h"
#include "launcher/watch.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LOGS = 1024, TIME_BYTES = 27, STEP_MS = 200, DEFAULT_LINES = 1000 };

typedef struct log {
    char path[PATH_MAX];
    mr_lines_t *lines;
    char time[TIME_BYTES + 1]; /* of the pending line; lines without one follow their elders */
    char *pending;             /* the next line to print; owned; NULL: none now */
    size_t capacity;
    uint64_t hide; /* so many lines are too old to be shown */
} log_t;

typedef struct logs {
    log_t *list;
    int count;
    bool follow;
    const mr_cli_t *cli;
} logs_t;

static void
release (logs_t *logs)
{
    for (int i = 0; i < logs->count; i++) {
        mr_lines_close (&logs->list[i].lines);
        free (logs->list[i].pending);
    }
    free (logs->list);
    logs->list = NULL;
    logs->count = 0;
}

static bool
is_wanted (const mr_cli_t *cli, const char *worker)
{
    for (int i = 0; i < cli->word_count; i++) {
        size_t bytes = strlen (cli->words[i]);
        /* A stage's name means all of its workers. */
        if (strncmp (cli->words[i], worker, bytes) == 0 &&
            (worker[bytes] == '\0' || worker[bytes] == '.')) {
            return true;
        }
    }
    return cli->word_count == 0;
}

static bool
is_known (const logs_t *logs, const char *path)
{
    for (int i = 0; i < logs->count; i++) {
        if (strcmp (logs->list[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

static uint64_t
count_lines (const char *path)
{
    mr_lines_t *lines = NULL;
    mr_error_t err;
    const char *line;
    size_t bytes;
    uint64_t count = 0;
    if (mr_lines_open (path, false, &lines, &err) == MR_OK) {
        while (mr_lines_next (lines, &line, &bytes, &err) == MR_OK) {
            count++;
        }
        mr_lines_close (&lines);
    }
    return count;
}

static void
add_log (logs_t *logs, const char *path, uint64_t shown)
{
    mr_error_t err;
    log_t *list = realloc (logs->list, (size_t)(logs->count + 1) * sizeof (log_t));
    if (list == NULL) {
        return;
    }
    logs->list = list;
    log_t *log = &list[logs->count];
    memset (log, 0, sizeof *log);
    snprintf (log->path, sizeof log->path, "%s", path);
    uint64_t lines = count_lines (path);
    log->hide = lines > shown ? lines - shown : 0;
    if (mr_lines_open (path, logs->follow, &log->lines, &err) != MR_OK) {
        (void)mr_cli_fail (logs->cli, 0, "%s", err.text);
        return;
    }
    logs->count++;
}

/* Find log files that are not open yet. */
static int
find_logs (logs_t *logs, const mr_plan_t *plan, uint64_t shown)
{
    DIR *dir = opendir (plan->log_dir);
    if (dir == NULL) {
        return errno == ENOENT ? 0 : -1;
    }
    const struct dirent *entry;
    while ((entry = readdir (dir)) != NULL && logs->count < MAX_LOGS) {
        size_t bytes = strlen (entry->d_name);
        char worker[NAME_MAX + 1];
        char path[PATH_MAX];
        if (bytes <= 4 || strcmp (entry->d_name + bytes - 4, ".log") != 0) {
            continue;
        }
        snprintf (worker, sizeof worker, "%.*s", (int)(bytes - 4), entry->d_name);
        int length = snprintf (path, sizeof path, "%s/%s", plan->log_dir, entry->d_name);
        if (length < PATH_MAX && is_wanted (logs->cli, worker) && !is_known (logs, path)) {
            add_log (logs, path, shown);
        }
    }
    closedir (dir);
    return 0;
}

/* Have a line in hand, if there is one. */
static void
advance (log_t *log)
{
    mr_error_t err;
    const char *line;
    size_t bytes;
    while (log->pending == NULL && mr_lines_next (log->lines, &line, &bytes, &err) == MR_OK) {
        if (log->hide > 0) {
            log->hide--;
            continue;
        }
        log->pending = strndup (line, bytes);
        if (log->pending != NULL && bytes > TIME_BYTES && line[TIME_BYTES - 1] == 'Z') {
            snprintf (log->time, sizeof log->time, "%.*s", TIME_BYTES, line);
        }
    }
}

/* Print all that there is now, the oldest first. */
static void
print_all (logs_t *logs)
{
    while (!mr_watch_interrupted ()) {
        log_t *oldest = NULL;
        for (int i = 0; i < logs->count; i++) {
            log_t *log = &logs->list[i];
            advance (log);
            if (log->pending != NULL && (oldest == NULL || strcmp (log->time, oldest->time) < 0)) {
                oldest = log;
            }
        }
        if (oldest == NULL) {
            break;
        }
        puts (oldest->pending);
        free (oldest->pending);
        oldest->pending = NULL;
    }
    fflush (stdout);
}

static void
follow (logs_t *logs, const mr_plan_t *plan)
{
    while (!mr_watch_interrupted () && !ferror (stdout)) {
        (void)poll (NULL, 0, STEP_MS);
        (void)find_logs (logs, plan, UINT64_MAX);
        for (int i = 0; i < logs->count; i++) {
            (void)mr_lines_change (logs->list[i].lines);
        }
        print_all (logs);
    }
}

int
mr_cmd_logs (mr_cli_t *cli)
{
    mr_plan_t plan;
    uint64_t shown = DEFAULT_LINES;
    int code = mr_cli_load (cli, NULL, &plan);
    if (code != 0) {
        return code;
    }
    if (cli->set[MR_CLI_LINES]) {
        char *end;
        shown = strtoull (cli->values[MR_CLI_LINES], &end, 10);
        if (end == cli->values[MR_CLI_LINES] || *end != '\0') {
            return mr_cli_fail (cli, MR_EXIT_USAGE, "--lines: \"%s\" is not a number",
                                cli->values[MR_CLI_LINES]);
        }
    }
    logs_t logs = {.follow = cli->set[MR_CLI_FOLLOW], .cli = cli};
    mr_watch_signals ();
    if (find_logs (&logs, &plan, shown) != 0) {
        return mr_cli_fail (cli, MR_EXIT_FAILED, "cannot read %s: %s", plan.log_dir,
                            strerror (errno));
    }
    if (logs.count == 0 && !logs.follow) {
        code = mr_cli_fail (cli, MR_EXIT_FAILED, "no such log in %s", plan.log_dir);
    }
    print_all (&logs);
    if (logs.follow) {
        follow (&logs, &plan);
    }
    release (&logs);
    return code;
}
