#include "launcher/audit.h"

#include "common/base/slots.h"
#include "common/delivery/tally.h"
#include "common/delivery/tally_sinks.h"
#include "launcher/audit_absent.h"
#include "launcher/cli.h"
#include "launcher/drops.h"
#include "launcher/humane.h"
#include "launcher/logdirs.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct reading {
    const mr_config_t *config;
    json_t *sinks;
    json_t *absent;
    mr_drops_t drops;
    uint64_t unrouted;  /* records that no sink takes, so far, ... */
    uint64_t unrouting; /* ... and those that are still to be looked at */
    bool unbalanced;    /* of their books */
    json_t *missing;    /* ingest workers that have a window and no journal */
} reading_t;

/* ---- journals ---- */

static json_t *
journal_of (int slot, const mr_tally_t *tally, uint64_t dropped)
{
    char worker[32];
    char id[17];
    snprintf (worker, sizeof worker, "ingest.%d", slot);
    snprintf (id, sizeof id, "%016" PRIx64, tally->journal);
    dropped = dropped < tally->exported ? dropped : tally->exported;
    return json_pack (
        "{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b}", "worker",
        worker, "journal", id, "received", (json_int_t)tally->received, "exported",
        (json_int_t)(tally->exported - dropped), "filtered", (json_int_t)tally->filtered, "dead",
        (json_int_t)tally->dead, "dropped", (json_int_t)dropped, "lost", (json_int_t)tally->lost,
        "in_flight", (json_int_t)(tally->received - tally->settled_in), "ahead",
        (json_int_t)tally->ahead, "batches", (json_int_t)tally->top, "watermark",
        (json_int_t)tally->watermark, "settled_in", (json_int_t)tally->settled_in, "replayed",
        (json_int_t)tally->replayed, "duplicates_refused", (json_int_t)tally->refused,
        "unknown_through", (json_int_t)tally->unknown, "gone_batches", (json_int_t)tally->gone,
        "balanced", (int)mr_tally_balanced (tally));
}

static void
note_missing (reading_t *reading, int slot)
{
    char worker[32];
    snprintf (worker, sizeof worker, "ingest.%d", slot);
    json_array_append_new (reading->missing, json_string (worker));
}

static mr_status_t
read_journals (const char *data_dir, reading_t *reading, json_t *journals, mr_error_t *err)
{
    const mr_drops_t *drops = &reading->drops;
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        mr_tally_t tally;
        char window[PATH_MAX + 32];
        snprintf (window, sizeof window, "%s/ingest.%d.window", data_dir, slot);
        bool has_window = access (window, F_OK) == 0; /* first: a journal is made before */
        mr_status_t status = mr_tally_read (data_dir, slot, &tally, err);
        if (status == MR_OK) {
            json_array_append_new (journals,
                                   journal_of (slot, &tally, mr_drops_of (drops, tally.journal)));
        } else if (status != MR_CLOSED) {
            return status;
        } else if (has_window) {
            note_missing (reading, slot);
        }
    }
    return MR_OK;
}

/* ---- sinks ---- */

static bool
is_removed (const mr_config_t *config, const char *name)
{
    const mr_config_section_t *section = NULL;
    if (config == NULL || strcmp (name, MR_CURSOR_DEAD_STORE) == 0) {
        return false;
    }
    while ((section = mr_config_next_section (config, "sink", section)) != NULL) {
        if (strcmp (mr_config_section_name (section), name) == 0) {
            return false;
        }
    }
    return true;
}

/* Whether some sink takes every record, so that nobody counts what is left over. */
static bool
takes_all (const mr_config_t *config)
{
    const mr_config_section_t *section = NULL;
    while (config != NULL && (section = mr_config_next_section (config, "sink", section)) != NULL) {
        if (mr_config_number (section, "input") == MR_CURSOR_RECORDS &&
            mr_config_text (section, "match") == NULL) {
            return true;
        }
    }
    return false;
}

static void
add_unrouted (reading_t *reading, const mr_tally_sink_t *sink)
{
    reading->unrouted += sink->state.delivered;
    if (!sink->overtaken && !takes_all (reading->config)) {
        reading->unrouting += sink->pending;
        reading->unbalanced = reading->unbalanced || !sink->balanced;
    }
}

static void
add_sink (void *arg, const mr_tally_sink_t *sink)
{
    reading_t *reading = arg;
    if (strcmp (sink->name, MR_CURSOR_UNROUTED) == 0) {
        add_unrouted (reading, sink);
        return;
    }
    json_t *sinks = reading->sinks;
    if (!sink->overtaken) {
        mr_drops_add (&reading->drops, sink->slot, &sink->state);
    }
    char worker[32];
    snprintf (worker, sizeof worker, "exporter.%d", sink->slot);
    bool removed = is_removed (reading->config, sink->name);
    json_array_append_new (
        sinks,
        json_pack ("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:b,s:b}", "name", sink->name, "worker", worker,
                   "delivered", (json_int_t)sink->state.delivered, "unmatched",
                   (json_int_t)sink->state.unmatched, "rejected", (json_int_t)sink->state.rejected,
                   "dropped", (json_int_t)sink->state.dropped, "pending", (json_int_t)sink->pending,
                   "balanced", (int)(sink->balanced || removed), "removed", (int)removed));
}

/* ---- the whole ---- */

static json_int_t
sum_of (const json_t *rows, const char *key)
{
    json_int_t sum = 0;
    size_t index;
    const json_t *row;
    json_array_foreach (rows, index, row)
    {
        sum += json_integer_value (json_object_get (row, key));
    }
    return sum;
}

/* Rows that sinks of the configuration have still to get. */
static json_int_t
pending_of (const json_t *sinks)
{
    json_int_t sum = 0;
    size_t index;
    const json_t *sink;
    json_array_foreach (sinks, index, sink)
    {
        if (!json_is_true (json_object_get (sink, "removed"))) {
            sum += json_integer_value (json_object_get (sink, "pending"));
        }
    }
    return sum;
}

static bool
all_balanced (const json_t *rows)
{
    bool balanced = true;
    size_t index;
    const json_t *row;
    json_array_foreach (rows, index, row)
    {
        balanced = balanced && json_is_true (json_object_get (row, "balanced"));
    }
    return balanced;
}

/* Sinks had rows of journals of which not one is there: nothing proves them. */
static bool
is_unproved (const json_t *journals, const json_t *sinks)
{
    return json_array_size (journals) == 0 &&
           sum_of (sinks, "delivered") + sum_of (sinks, "pending") > 0;
}

static json_t *
whole_of (const reading_t *reading, json_t *journals)
{
    static const char *const sums[] = {
        "received", "exported",  "filtered", "dead",     "dropped",
        "lost",     "in_flight", "ahead",    "replayed", "duplicates_refused",
    };
    json_t *audit = json_object ();
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        json_object_set_new (audit, sums[i], json_integer (sum_of (journals, sums[i])));
    }
    bool balanced = all_balanced (journals) && all_balanced (reading->absent) &&
                    all_balanced (reading->sinks) && !reading->unbalanced &&
                    json_array_size (reading->missing) == 0 &&
                    !is_unproved (journals, reading->sinks);
    json_object_set_new (audit, "unrouted", json_integer ((json_int_t)reading->unrouted));
    json_object_set_new (
        audit, "pending",
        json_integer (pending_of (reading->sinks) + (json_int_t)reading->unrouting));
    json_object_set_new (audit, "balanced", json_boolean (balanced));
    json_object_set (audit, "journals", journals);
    json_object_set (audit, "journals_missing", reading->missing);
    json_object_set (audit, "absent_journals", reading->absent);
    json_object_set (audit, "sinks", reading->sinks);
    return audit;
}

mr_status_t
mr_audit_read (const char *data_dir, const mr_config_t *config, json_t **ret_audit, mr_error_t *err)
{
    reading_t *reading = calloc (1, sizeof *reading);
    if (reading == NULL) {
        return mr_error_errno (err, "audit");
    }
    json_t *journals = json_array ();
    reading->config = config;
    reading->sinks = json_array ();
    reading->missing = json_array ();
    mr_status_t status = mr_tally_sinks (data_dir, add_sink, reading, err);
    if (status == MR_OK) {
        status = read_journals (data_dir, reading, journals, err);
    }
    if (status == MR_OK) {
        status = mr_audit_absent (data_dir, &reading->absent, err);
    }
    if (status == MR_OK) {
        *ret_audit = whole_of (reading, journals);
    }
    json_decref (journals);
    json_decref (reading->sinks);
    json_decref (reading->missing);
    json_decref (reading->absent);
    free (reading);
    return status;
}

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

int
mr_audit_print (const json_t *audit)
{
    const json_t *journals = json_object_get (audit, "journals");
    size_t index;
    const json_t *journal;
    char replayed[32];
    char refused[32];
    mr_audit_absent_print (json_object_get (audit, "absent_journals"), false);
    if (is_unproved (journals, json_object_get (audit, "sinks"))) {
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
