/* send: the lines of files, or of standard input, to the acknowledged socket. */
#include "common/base/clock.h"
#include "common/base/endpoint.h"
#include "common/wire/producer.h"
#include "launcher/cli.h"
#include "launcher/feed.h"
#include "launcher/humane.h"
#include "launcher/probe.h"
#include "launcher/router.h"
#include "launcher/sendlock.h"
#include "launcher/sendplaces.h"
#include "launcher/terminal.h"
#include "launcher/watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { CONNECT_MS = 30000, BAR_CELLS = 30, PRODUCER_BYTES = 40 };

typedef struct show {
    bool terminal;
    bool begun; /* at least one file could be opened */
    int64_t start_ns;
} show_t;

static double
seconds_since (int64_t start_ns)
{
    double seconds = (double)(mr_clock_mono_ns () - start_ns) / (double)MR_NS_PER_S;
    return seconds > 0.001 ? seconds : 0.001;
}

static bool
on_tick (void *arg, const mr_feed_counts_t *counts, const mr_lines_t *lines)
{
    const show_t *show = arg;
    if (show->terminal) {
        char acknowledged[32];
        char rate[32];
        char bar[BAR_CELLS + 1] = "";
        int64_t size = mr_lines_size (lines);
        mr_humane_count ((double)counts->acknowledged, acknowledged, sizeof acknowledged);
        mr_humane_count ((double)counts->acknowledged / seconds_since (show->start_ns), rate,
                         sizeof rate);
        double share = size > 0 ? (double)mr_lines_offset (lines) / (double)size : 0;
        int cells = (int)(share * BAR_CELLS);
        memset (bar, '.', BAR_CELLS);
        memset (bar, '#', (size_t)(cells < BAR_CELLS ? cells : BAR_CELLS));
        if (size > 0) {
            fprintf (stderr, "\r[%s] %3.0f %%  %s acknowledged, %s/s\033[K", bar, 100 * share,
                     acknowledged, rate);
        } else {
            fprintf (stderr, "\r%s acknowledged, %s/s\033[K", acknowledged, rate);
        }
    }
    return !mr_watch_interrupted ();
}

static void
print_summary (const show_t *show, const mr_feed_counts_t *counts)
{
    char sent[32];
    char acknowledged[32];
    char refused[32];
    char rate[32];
    double seconds = seconds_since (show->start_ns);
    if (show->terminal) {
        fprintf (stderr, "\r\033[K");
    }
    mr_humane_count ((double)counts->sent, sent, sizeof sent);
    mr_humane_count ((double)counts->acknowledged, acknowledged, sizeof acknowledged);
    mr_humane_count ((double)counts->refused, refused, sizeof refused);
    mr_humane_count ((double)counts->acknowledged / seconds, rate, sizeof rate);
    printf ("sent %s, acknowledged %s, refused %s, in %.1f s (%s/s)\n", sent, acknowledged, refused,
            seconds, rate);
    if (counts->skipped > 0) {
        mr_humane_count ((double)counts->skipped, sent, sizeof sent);
        printf ("skipped %s that were acknowledged before\n", sent);
    }
}

/* Who waits for something that may never come is told so. */
static void
say_what_is_waited_for (const mr_cli_t *cli, const mr_feed_options_t *options)
{
    char how_long[48] = "until somebody does";
    if (mr_probe (options->endpoint) != MR_CLOSED) {
        return;
    }
    if (options->connect_ms > 0) {
        snprintf (how_long, sizeof how_long, "up to %g s", (double)options->connect_ms / 1000);
    }
    (void)mr_cli_fail (cli, 0, "nobody listens at %s; waiting %s (`millrace up` starts the chain)",
                       options->endpoint, how_long);
}

/* Followed, it begins with what is left of files that were rotated meanwhile. */
static mr_status_t
open_lines (const char *path, const mr_feed_options_t *options, mr_lines_t **ret_lines,
            mr_error_t *err)
{
    char whole[PATH_MAX];
    if (strcmp (path, "-") == 0 || !mr_sendplaces_path (path, whole)) {
        return mr_lines_open (path, options->follow, ret_lines, err);
    }
    if (options->follow && options->places != NULL) {
        mr_resume_find (options->places, whole, options->resume);
        if (options->resume->count > 0) {
            unsigned count = options->resume->count;
            options->resume->count = 0; /* the lines have them now */
            return mr_lines_open_files (whole, options->resume->files, count, ret_lines, err);
        }
    }
    return mr_lines_open (whole, options->follow, ret_lines, err);
}

/* What only one send is to work on: the producer's name, else the file. False: each run has numbers
 * of its own. */
static bool
lock_name (const char *path, const mr_feed_options_t *options, char ret_name[PATH_MAX])
{
    struct stat status;
    if (options->places == NULL) {
        return false;
    }
    if (options->producer != NULL) {
        snprintf (ret_name, PATH_MAX, "the name %s", options->producer);
        return true;
    }
    return strcmp (path, "-") != 0 && mr_sendplaces_path (path, ret_name) &&
           strncmp (ret_name, "/dev/", 5) != 0 && strncmp (ret_name, "/proc/", 6) != 0 &&
           (stat (ret_name, &status) != 0 || S_ISREG (status.st_mode));
}

/* 0, or the exit code: another one is at it. */
static int
lock_file (const mr_cli_t *cli, const char *path, const mr_feed_options_t *options, int *ret_fd)
{
    char name[PATH_MAX];
    char who[48] = "";
    long pid;
    *ret_fd = -1;
    if (!lock_name (path, options, name) ||
        mr_sendlock_take (options->places, name, ret_fd, &pid) == MR_OK) {
        return 0;
    }
    if (pid > 0) {
        snprintf (who, sizeof who, " (process %ld)", pid);
    }
    return mr_cli_fail (cli, MR_EXIT_TEMPORARY,
                        "another send%s works on %s; try again when it has ended", who, name);
}

static int
send_lines (const mr_cli_t *cli, const char *path, const mr_feed_options_t *options, show_t *show,
            mr_feed_counts_t *counts)
{
    mr_error_t err;
    mr_lines_t *lines = NULL;
    if (open_lines (path, options, &lines, &err) != MR_OK) {
        return mr_cli_fail (cli, MR_EXIT_FAILED, "%s", err.text);
    }
    if (!show->begun) {
        say_what_is_waited_for (cli, options);
    }
    show->begun = true;
    mr_feed_options_t mine = *options;
    char once[MR_LINES_NAME_BYTES];
    if (mine.loop && mine.producer == NULL) {
        /* Going round and round has no place in the file to come back to. */
        snprintf (once, sizeof once, MR_PRODUCER_ONCE "loop-%" PRIx64,
                  (uint64_t)mr_clock_wall_ns ());
        mine.producer = once;
    }
    mr_status_t status = mr_feed (&mine, lines, (mr_feed_watcher_t){on_tick, show}, counts, &err);
    mr_lines_close (&lines);
    if (status == MR_OK) {
        return MR_EXIT_OK;
    }
    if (show->terminal) {
        fprintf (stderr, "\r\033[K");
    }
    if (status == MR_AGAIN && mr_probe (options->endpoint) == MR_CLOSED) {
        return mr_cli_fail (cli, MR_EXIT_TIMEOUT, "nobody listens at %s; `millrace up` starts it",
                            options->endpoint);
    }
    return mr_cli_fail (cli, status == MR_AGAIN ? MR_EXIT_TIMEOUT : MR_EXIT_FAILED, "%s", err.text);
}

static int
send_file (const mr_cli_t *cli, const char *path, const mr_feed_options_t *options, show_t *show,
           mr_feed_counts_t *counts)
{
    int lock;
    int code = lock_file (cli, path, options, &lock);
    if (code == 0) {
        code = send_lines (cli, path, options, show, counts);
        mr_sendlock_release (lock);
    }
    return code;
}

int
mr_cmd_send (mr_cli_t *cli)
{
    mr_router_t router;
    mr_resume_t resume = {.count = 0};
    char places[PATH_MAX];
    mr_feed_options_t options = {
        .endpoint = router.endpoint,
        .resume = &resume,
        .producer = cli->set[MR_CLI_PRODUCER] ? cli->values[MR_CLI_PRODUCER] : NULL,
        .loop = cli->set[MR_CLI_LOOP],
        .follow = cli->set[MR_CLI_FOLLOW],
        .rate = cli->rate,
        .timeout_ms = cli->timeout_ms,
        .connect_ms = cli->timeout_ms > 0       ? cli->timeout_ms
                      : cli->set[MR_CLI_FOLLOW] ? 0
                                                : CONNECT_MS,
    };
    if (cli->word_count > 1 && (cli->set[MR_CLI_FOLLOW] || cli->set[MR_CLI_LOOP])) {
        return mr_cli_fail (cli, MR_EXIT_USAGE, "--follow and --loop take one file");
    }
    if (cli->word_count > 1 && options.producer != NULL) {
        return mr_cli_fail (cli, MR_EXIT_USAGE, "--producer takes one file: each has its own");
    }
    if (options.producer != NULL &&
        (options.producer[0] == '\0' || strlen (options.producer) > PRODUCER_BYTES)) {
        return mr_cli_fail (cli, MR_EXIT_USAGE, "--producer: a name of 1 to %d bytes",
                            PRODUCER_BYTES);
    }
    int code = mr_router_find (cli, &router);
    if (code != 0) {
        return code;
    }
    options.max_record = router.max_record;
    options.places = !options.loop && mr_sendplaces_dir (&router, places) ? places : NULL;
    mr_feed_counts_t counts = {0};
    show_t show = {.terminal = mr_terminal_is (stderr), .start_ns = mr_clock_mono_ns ()};
    mr_watch_signals ();
    int files = cli->word_count > 0 ? cli->word_count : 1;
    for (int i = 0; i < files && code == 0 && !mr_watch_interrupted (); i++) {
        const char *path = cli->word_count > 0 ? cli->words[i] : "-";
        code = send_file (cli, path, &options, &show, &counts);
    }
    mr_resume_release (&resume);
    if (show.begun) {
        print_summary (&show, &counts);
    }
    bool endless = cli->set[MR_CLI_FOLLOW] || cli->set[MR_CLI_LOOP];
    if (code == 0 && (counts.refused > 0 || (mr_watch_interrupted () && !endless))) {
        code = MR_EXIT_FAILED;
    }
    return code;
}
