#include "common/base/seglog_walk.h"
#include "common/delivery/ceiling.h"
#include "common/delivery/dirlock.h"
#include "common/delivery/journal.h"
#include "launcher/cli.h"
#include "launcher/humane.h"
#include "launcher/logcheck.h"
#include "launcher/logdirs.h"
#include "launcher/logview.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What a verb does with one log. Returns the exit code. */
typedef int log_fn (mr_cli_t *cli, const char *dir);

static int
failed (const mr_cli_t *cli, const char *dir, mr_status_t status, const mr_error_t *err)
{
    if (status == MR_CLOSED) {
        return mr_cli_fail (cli, MR_EXIT_FAILED, "%s: there is no log", dir);
    }
    return mr_cli_fail (cli, status == MR_AGAIN ? MR_EXIT_TEMPORARY : MR_EXIT_FAILED, "%s",
                        err->text);
}

/* ---- verbs ---- */

static int
list (mr_cli_t *cli, const char *dir)
{
    mr_error_t err;
    if (!cli->set[MR_CLI_JSON]) {
        printf ("%s\n", dir);
    }
    mr_status_t status = mr_logview_list (dir, cli->set[MR_CLI_JSON], &err);
    return status == MR_OK ? MR_EXIT_OK : failed (cli, dir, status, &err);
}

static int
check (mr_cli_t *cli, const char *dir)
{
    mr_error_t err;
    uint64_t faults = 0;
    mr_status_t status = mr_logcheck (dir, cli->set[MR_CLI_JSON], &faults, &err);
    if (status != MR_OK) {
        return failed (cli, dir, status, &err);
    }
    return faults == 0 ? MR_EXIT_OK : MR_EXIT_FAILED;
}

static int
show (mr_cli_t *cli, const char *dir)
{
    int code = MR_EXIT_OK;
    for (int i = 2; i < cli->word_count; i++) {
        mr_logview_batch_t batch;
        mr_error_t err;
        unsigned found = 0;
        if (mr_logview_parse_batch (cli->words[i], &batch) != MR_OK) {
            return mr_cli_fail (cli, MR_EXIT_USAGE,
                                "%s: write a batch as its number, 17, or JOURNAL-17",
                                cli->words[i]);
        }
        mr_status_t status = mr_logview_show (dir, &batch, cli->set[MR_CLI_JSON], &found, &err);
        if (status != MR_OK) {
            return failed (cli, dir, status, &err);
        }
        if (found == 0) {
            code =
                mr_cli_fail (cli, MR_EXIT_FAILED, "%s: batch %s is not in it", dir, cli->words[i]);
        }
    }
    return code;
}

/* ---- cut ---- */

static const char *
count (uint64_t value, char text[32])
{
    mr_humane_count ((double)value, text, 32);
    return text;
}

static void
say_rest (const mr_logcheck_rest_t *rest, bool done)
{
    char batches[32];
    char records[32];
    char bytes[32];
    printf ("%s from %" PRIu64 " on: %s batches with %s records, %s bytes\n",
            done ? "cut" : "would be cut", rest->position, count (rest->batches, batches),
            count (rest->records, records), count (rest->bytes, bytes));
    if (rest->batches > 0) {
        printf ("%s\n", rest->kind == MR_JOURNAL_KIND
                            ? "acknowledged records among them that are in no spool yet are lost; "
                              "the audit counts those that are as exported, but not as received"
                            : "their records are lost to all sinks that have not got so far; the "
                              "audit does not balance without them");
    }
}

/* The log is ours: nobody writes in it. */
static int
cut_locked (mr_cli_t *cli, const char *dir, uint64_t position)
{
    mr_error_t err;
    mr_logcheck_rest_t rest;
    mr_status_t status = mr_logcheck_behind (dir, position, &rest, &err);
    if (status != MR_OK) {
        return failed (cli, dir, status, &err);
    }
    if (!cli->set[MR_CLI_YES]) {
        say_rest (&rest, false);
        return mr_cli_fail (cli, MR_EXIT_FAILED, "nothing was cut; --yes cuts");
    }
    if (rest.kind == MR_JOURNAL_KIND) {
        status = mr_ceiling_distrust (dir, &err); /* numbers of what is cut must not come again */
    }
    if (status == MR_OK) {
        status = mr_seglog_cut (dir, NULL, position, &err);
    }
    if (status != MR_OK) {
        return failed (cli, dir, status, &err);
    }
    say_rest (&rest, true);
    printf ("kept beside the log as *.cut\n");
    return MR_EXIT_OK;
}

static int
cut (mr_cli_t *cli, const char *dir)
{
    char *end;
    uint64_t position = strtoull (cli->words[2], &end, 10);
    if (cli->words[2][0] < '0' || cli->words[2][0] > '9' || *end != '\0') {
        return mr_cli_fail (cli, MR_EXIT_USAGE,
                            "%s: write the position of a frame, as `log ls` "
                            "shows it",
                            cli->words[2]);
    }
    int lock = -1;
    mr_error_t err;
    mr_status_t status = mr_dirlock_take (dir, 0, &lock, &err);
    if (status != MR_OK) {
        return failed (cli, dir, status, &err);
    }
    int code = cut_locked (cli, dir, position);
    mr_dirlock_release (lock);
    return code;
}

/* ---- the command ---- */

static bool
is_directory (const char *path)
{
    struct stat st;
    return stat (path, &st) == 0 && S_ISDIR (st.st_mode);
}

typedef struct each {
    mr_cli_t *cli;
    log_fn *act;
    int code;
    bool found; /* a log */
} each_t;

static bool
act_on (void *arg, const char *dir)
{
    each_t *each = arg;
    each->found = true;
    int code = each->act (each->cli, dir);
    each->code = code != MR_EXIT_OK ? code : each->code;
    return true;
}

static const char *
data_dir_of (mr_cli_t *cli, mr_config_t **ret_config, int *ret_code)
{
    mr_plan_t plan;
    *ret_code = mr_cli_load (cli, ret_config, &plan);
    if (*ret_code == MR_EXIT_OK && !mr_cli_may_look (cli, plan.data_dir)) {
        *ret_code = MR_EXIT_FAILED;
    }
    return *ret_code == MR_EXIT_OK
               ? mr_config_text (mr_config_section (*ret_config, "pipeline"), "data_dir")
               : NULL;
}

/* A directory, or the name of one in the data directory. Words from 1 on for ls and check, which
 * take several; the others take one. */
static int
act_on_words (mr_cli_t *cli, log_fn *act, int last)
{
    mr_config_t *config = NULL;
    int code = MR_EXIT_OK;
    for (int i = 1; i <= last; i++) {
        char path[PATH_MAX];
        int one = MR_EXIT_OK;
        snprintf (path, sizeof path, "%s", cli->words[i]);
        if (!is_directory (path)) {
            const char *data_dir =
                config != NULL ? mr_config_text (mr_config_section (config, "pipeline"), "data_dir")
                               : data_dir_of (cli, &config, &one);
            if (data_dir == NULL) {
                return one;
            }
            snprintf (path, sizeof path, "%s/%s", data_dir, cli->words[i]);
        }
        one = is_directory (path)
                  ? act (cli, path)
                  : mr_cli_fail (cli, MR_EXIT_FAILED, "%s: there is no such directory, nor %s",
                                 cli->words[i], path);
        code = one != MR_EXIT_OK ? one : code;
    }
    mr_config_destroy (&config);
    return code;
}

static int
act_on_all (mr_cli_t *cli, log_fn *act)
{
    mr_config_t *config = NULL;
    each_t each = {.cli = cli, .act = act};
    const char *data_dir = data_dir_of (cli, &config, &each.code);
    if (data_dir != NULL) {
        mr_logdirs_each (data_dir, act_on, &each);
        if (!each.found && !cli->set[MR_CLI_JSON]) {
            printf ("%s: there is no journal and no spool in it yet\n", data_dir);
        }
    }
    mr_config_destroy (&config);
    return each.code;
}

int
mr_cmd_log (mr_cli_t *cli)
{
    static const struct {
        const char *name;
        log_fn *act;
        int min_words;
        int max_words;
        bool many; /* takes several logs, or none for all */
    } verbs[] = {
        {"ls", list, 1, MR_CLI_MAX_WORDS, true},
        {"show", show, 3, MR_CLI_MAX_WORDS, false},
        {"check", check, 1, MR_CLI_MAX_WORDS, true},
        {"cut", cut, 3, 3, false},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp (cli->words[0], verbs[i].name) != 0) {
            continue;
        }
        if (cli->word_count < verbs[i].min_words || cli->word_count > verbs[i].max_words) {
            break;
        }
        return cli->word_count == 1
                   ? act_on_all (cli, verbs[i].act)
                   : act_on_words (cli, verbs[i].act, verbs[i].many ? cli->word_count - 1 : 1);
    }
    return mr_cli_fail (cli, MR_EXIT_USAGE,
                        "write `log ls [DIR...]`, `log show DIR BATCH...`, `log check [DIR...]` or "
                        "`log cut DIR POSITION`");
}
