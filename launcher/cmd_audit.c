#include "launcher/audit.h"

#include "launcher/audit_absent.h"
#include "launcher/cli.h"
#include "launcher/humane.h"
#include "launcher/logdirs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *
number (const json_t *audit, const char *key, char text[32])
{
    mr_humane_count ((double)json_integer_value (json_object_get (audit, key)), text, 32);
    return text;
}

static void
print_equation (const char *who, const json_t *counts)
{
    char a[32];
    char b[32];
    char c[32];
    char d[32];
    char e[32];
    char f[32];
    char g[32];
    bool balanced = json_is_true (json_object_get (counts, "balanced"));
    printf ("%s: received %s = exported %s + filtered %s + dead %s + dropped %s", who,
            number (counts, "received", a), number (counts, "exported", b),
            number (counts, "filtered", c), number (counts, "dead", d),
            number (counts, "dropped", e));
    if (json_integer_value (json_object_get (counts, "lost")) > 0) {
        printf (" + lost %s", number (counts, "lost", g));
    }
    printf (" + in flight %s: %s\n", number (counts, "in_flight", f),
            balanced ? "balanced" : "NOT balanced");
}

/* What of the journals is not there, though it should be. */
static void
print_gone (const json_t *audit)
{
    size_t index;
    const json_t *row;
    char through[32];
    char gone[32];
    json_array_foreach (json_object_get (audit, "journals"), index, row)
    {
        if (json_integer_value (json_object_get (row, "unknown_through")) > 0) {
            printf ("%s: batches up to %s are under way, and its journal ends before them: its "
                    "end was taken away\n",
                    json_string_value (json_object_get (row, "worker")),
                    number (row, "unknown_through", through));
        }
        json_int_t batches = json_integer_value (json_object_get (row, "gone_batches"));
        if (batches > 0) {
            printf ("cannot be balanced: %s batch%s of %s's journal %s damaged, and it is not "
                    "known how many records %s held; ingest's log names %s\n",
                    number (row, "gone_batches", gone), batches == 1 ? "" : "es",
                    json_string_value (json_object_get (row, "worker")),
                    batches == 1 ? "was" : "were", batches == 1 ? "it" : "they",
                    batches == 1 ? "it" : "them");
        }
    }
    json_array_foreach (json_object_get (audit, "journals_missing"), index, row)
    {
        printf ("%s has a window and no journal: put its journal back, nothing proves its records "
                "without\n",
                json_string_value (row));
    }
}

/* A sink that the configuration does not have any more. */
static void
print_removed (const json_t *sink)
{
    char pending[32];
    char dropped[32];
    json_int_t dropped_rows = json_integer_value (json_object_get (sink, "dropped"));
    printf (
        "%s of %s, not in the configuration any more: %s rows of the spool were not delivered to "
        "it, and nothing is waited for%s%s\n",
        json_string_value (json_object_get (sink, "name")),
        json_string_value (json_object_get (sink, "worker")), number (sink, "pending", pending),
        dropped_rows > 0 ? "; dropped before: " : "",
        dropped_rows > 0 ? number (sink, "dropped", dropped) : "");
}

/* Sinks of which there is something to say. */
static void
print_sinks (const json_t *sinks)
{
    size_t index;
    const json_t *sink;
    json_array_foreach (sinks, index, sink)
    {
        bool balanced = json_is_true (json_object_get (sink, "balanced"));
        bool rejected = json_integer_value (json_object_get (sink, "rejected")) > 0;
        char pending[32];
        char dropped[32];
        char refused[32];
        if (json_integer_value (json_object_get (sink, "pending")) > 0 ||
            json_integer_value (json_object_get (sink, "dropped")) > 0 || rejected || !balanced) {
            if (json_is_true (json_object_get (sink, "removed"))) {
                print_removed (sink);
                continue;
            }
            printf ("%s of %s: pending %s, dropped %s%s%s%s\n",
                    json_string_value (json_object_get (sink, "name")),
                    json_string_value (json_object_get (sink, "worker")),
                    number (sink, "pending", pending), number (sink, "dropped", dropped),
                    rejected ? ", rejected " : "",
                    rejected ? number (sink, "rejected", refused) : "",
                    balanced ? "" : ": NOT balanced");
        }
    }
}

static int
code_of (const json_t *audit)
{
    return json_is_true (json_object_get (audit, "balanced")) ? MR_EXIT_OK : MR_EXIT_FAILED;
}

static bool
had_rows (const json_t *sinks)
{
    size_t index;
    const json_t *sink;
    json_array_foreach (sinks, index, sink)
    {
        if (json_integer_value (json_object_get (sink, "delivered")) > 0 ||
            json_integer_value (json_object_get (sink, "pending")) > 0) {
            return true;
        }
    }
    return false;
}

int
mr_audit_print (const json_t *audit)
{
    const json_t *journals = json_object_get (audit, "journals");
    size_t index;
    const json_t *journal;
    char replayed[32];
    char refused[32];
    mr_audit_absent_print (json_object_get (audit, "absent_journals"), false);
    if (json_array_size (journals) == 0 && !json_is_true (json_object_get (audit, "balanced")) &&
        had_rows (json_object_get (audit, "sinks"))) {
        printf ("audit: no journal is there, though sinks had records: put the journals back, "
                "nothing proves these records without: NOT balanced\n");
        return MR_EXIT_FAILED;
    }
    if (json_array_size (journals) == 0 &&
        json_array_size (json_object_get (audit, "journals_missing")) > 0) {
        print_gone (audit);
        return MR_EXIT_FAILED;
    }
    if (json_array_size (journals) == 0) {
        printf ("audit: nothing was received yet\n");
        return code_of (audit);
    }
    if (json_array_size (journals) > 1) {
        json_array_foreach (journals, index, journal)
        {
            print_equation (json_string_value (json_object_get (journal, "worker")), journal);
        }
    }
    char unrouted[32];
    char ahead[32];
    print_equation ("audit", audit);
    print_gone (audit);
    if (json_integer_value (json_object_get (audit, "ahead")) > 0) {
        printf ("of those in flight, %s are settled, behind a batch that is not yet; `status` "
                "leaves them out\n",
                number (audit, "ahead", ahead));
    }
    if (json_integer_value (json_object_get (audit, "unrouted")) > 0) {
        printf ("of the exported, %s are unrouted: no sink takes them\n",
                number (audit, "unrouted", unrouted));
    }
    print_sinks (json_object_get (audit, "sinks"));
    if (json_integer_value (json_object_get (audit, "replayed")) > 0 ||
        json_integer_value (json_object_get (audit, "duplicates_refused")) > 0) {
        printf ("batches replayed %s, stale copies refused %s\n",
                number (audit, "replayed", replayed),
                number (audit, "duplicates_refused", refused));
    }
    return code_of (audit);
}

static bool
note_log (void *arg, const char *dir)
{
    (void)dir;
    *(bool *)arg = true;
    return false;
}

/* Whether a directory was named in which nothing ever was of a pipeline. */
static bool
is_foreign (const mr_cli_t *cli, const char *data_dir, const json_t *audit)
{
    bool logs = false;
    mr_logdirs_each (data_dir, note_log, &logs);
    return cli->word_count == 1 && !logs && json_array_size (json_object_get (audit, "sinks")) == 0;
}

/* The data directory that was named, or that of the configuration. NULL: *ret_code says why. */
static const char *
find_data (mr_cli_t *cli, mr_config_t **ret_config, int *ret_code)
{
    mr_plan_t plan;
    const char *named = cli->word_count == 1 ? cli->words[0] : NULL;
    *ret_code = MR_EXIT_OK;
    if (named != NULL && access (named, R_OK | X_OK) != 0) {
        *ret_code =
            mr_cli_fail (cli, MR_EXIT_FAILED, "cannot look into %s: %s", named, strerror (errno));
        return NULL;
    }
    if (named == NULL || cli->set[MR_CLI_CONFIG]) {
        *ret_code = mr_cli_load (cli, ret_config, &plan);
    }
    if (*ret_code == MR_EXIT_OK && named == NULL && !mr_cli_may_look (cli, plan.data_dir)) {
        *ret_code = MR_EXIT_FAILED;
    }
    if (*ret_code != MR_EXIT_OK) {
        return NULL;
    }
    return named != NULL ? named
                         : mr_config_text (mr_config_section (*ret_config, "pipeline"), "data_dir");
}

int
mr_cmd_audit (mr_cli_t *cli)
{
    mr_config_t *config = NULL;
    json_t *audit = NULL;
    mr_error_t err;
    int code;
    const char *data_dir = find_data (cli, &config, &code);
    if (data_dir == NULL) {
        return code;
    }
    bool deep = cli->set[MR_CLI_DEEP];
    mr_status_t status = deep ? mr_audit_read_deep (data_dir, config, &audit, &err)
                              : mr_audit_read (data_dir, config, &audit, &err);
    if (status != MR_OK) {
        code = mr_cli_fail (cli, status == MR_AGAIN ? MR_EXIT_TEMPORARY : MR_EXIT_FAILED, "%s",
                            err.text);
    } else if (is_foreign (cli, data_dir, audit)) {
        code = mr_cli_fail (cli, MR_EXIT_FAILED,
                            "%s: there is no journal, spool or cursor in it; name the data_dir of "
                            "a pipeline that was started",
                            data_dir);
    } else if (cli->set[MR_CLI_JSON]) {
        json_dumpf (audit, stdout, JSON_COMPACT);
        putchar ('\n');
        code = code_of (audit);
    } else {
        code = deep ? mr_audit_print_deep (audit) : mr_audit_print (audit);
    }
    json_decref (audit);
    mr_config_destroy (&config);
    return code;
}
