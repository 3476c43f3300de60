#include "launcher/audit.h"

#include "common/base/ledger.h"
#include "launcher/cli.h"
#include "launcher/humane.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_TRIES = 50 };

static uint64_t
settled (const mr_ledger_counts_t *counts)
{
    return counts->exported + counts->filtered + counts->dead + counts->dropped;
}

/* Records are on their way if and only if batches are. */
static bool
is_balanced (const mr_ledger_counts_t *counts)
{
    return settled (counts) <= counts->received && counts->batches_done <= counts->batches &&
           (settled (counts) < counts->received) == (counts->batches_done < counts->batches);
}

static json_t *
journal_of (const char *worker, const mr_ledger_counts_t *counts)
{
    char id[17];
    snprintf (id, sizeof id, "%016" PRIx64, counts->journal);
    return json_pack ("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b}", "worker", worker,
                      "journal", id, "received", (json_int_t)counts->received, "exported",
                      (json_int_t)counts->exported, "filtered", (json_int_t)counts->filtered,
                      "dead", (json_int_t)counts->dead, "dropped", (json_int_t)counts->dropped,
                      "in_flight", (json_int_t)(counts->received - settled (counts)), "batches",
                      (json_int_t)counts->batches, "batches_done", (json_int_t)counts->batches_done,
                      "replayed", (json_int_t)counts->replayed, "duplicates_refused",
                      (json_int_t)counts->refused, "balanced", (int)is_balanced (counts));
}

static int
is_ledger (const struct dirent *entry)
{
    size_t bytes = strlen (entry->d_name);
    return strncmp (entry->d_name, "ingest.", 7) == 0 && bytes > 14 &&
           strcmp (entry->d_name + bytes - 7, ".ledger") == 0;
}

/* A living ingest changes one counter after another: what looks unbalanced is read again. */
static mr_status_t
read_settled (const char *path, mr_ledger_counts_t *counts, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    for (int i = 0; i < READ_TRIES && status == MR_OK; i++) {
        status = mr_ledger_read (path, counts, err);
        if (status != MR_OK || is_balanced (counts)) {
            break;
        }
        (void)poll (NULL, 0, 1);
    }
    return status;
}

static mr_status_t
read_journals (const char *data_dir, json_t *journals, mr_error_t *err)
{
    struct dirent **entries = NULL;
    int count = scandir (data_dir, &entries, is_ledger, versionsort);
    if (count < 0) {
        return errno == ENOENT ? MR_OK : mr_error_errno (err, "cannot read %s", data_dir);
    }
    mr_status_t status = MR_OK;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        char worker[256];
        mr_ledger_counts_t counts;
        int length = snprintf (path, sizeof path, "%s/%s", data_dir, entries[i]->d_name);
        snprintf (worker, sizeof worker, "%.*s", (int)(strlen (entries[i]->d_name) - 7),
                  entries[i]->d_name);
        if (status == MR_OK && length < PATH_MAX) {
            status = read_settled (path, &counts, err);
            if (status == MR_OK) {
                json_array_append_new (journals, journal_of (worker, &counts));
            }
        }
        free (entries[i]);
    }
    free (entries);
    return status;
}

mr_status_t
mr_audit_read (const char *data_dir, json_t **ret_audit, mr_error_t *err)
{
    /* pending counts what sinks have yet to take from the spool; without a spool it is 0. */
    static const char *const sums[] = {
        "received", "exported", "filtered",           "dead", "dropped", "in_flight",
        "pending",  "replayed", "duplicates_refused",
    };
    json_t *journals = json_array ();
    mr_status_t status = read_journals (data_dir, journals, err);
    if (status != MR_OK) {
        json_decref (journals);
        return status;
    }
    json_t *audit = json_object ();
    bool balanced = true;
    size_t index;
    const json_t *journal;
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++) {
        json_int_t sum = 0;
        json_array_foreach (journals, index, journal)
        {
            sum += json_integer_value (json_object_get (journal, sums[i]));
        }
        json_object_set_new (audit, sums[i], json_integer (sum));
    }
    json_array_foreach (journals, index, journal)
    {
        balanced = balanced && json_is_true (json_object_get (journal, "balanced"));
    }
    json_object_set_new (audit, "balanced", json_boolean (balanced));
    json_object_set_new (audit, "journals", journals);
    json_object_set_new (audit, "sinks", json_array ());
    *ret_audit = audit;
    return MR_OK;
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
    bool balanced = json_is_true (json_object_get (counts, "balanced"));
    printf (
        "%s: received %s = exported %s + filtered %s + dead %s + dropped %s + in flight %s: %s\n",
        who, number (counts, "received", a), number (counts, "exported", b),
        number (counts, "filtered", c), number (counts, "dead", d), number (counts, "dropped", e),
        number (counts, "in_flight", f), balanced ? "balanced" : "NOT balanced");
}

int
mr_audit_print (const json_t *audit)
{
    const json_t *journals = json_object_get (audit, "journals");
    size_t index;
    const json_t *journal;
    char replayed[32];
    char refused[32];
    if (json_array_size (journals) == 0) {
        printf ("audit: nothing was received yet\n");
        return MR_EXIT_OK;
    }
    if (json_array_size (journals) > 1) {
        json_array_foreach (journals, index, journal)
        {
            print_equation (json_string_value (json_object_get (journal, "worker")), journal);
        }
    }
    print_equation ("audit", audit);
    if (json_integer_value (json_object_get (audit, "replayed")) > 0 ||
        json_integer_value (json_object_get (audit, "duplicates_refused")) > 0) {
        printf ("batches replayed %s, stale copies refused %s\n",
                number (audit, "replayed", replayed),
                number (audit, "duplicates_refused", refused));
    }
    return json_is_true (json_object_get (audit, "balanced")) ? MR_EXIT_OK : MR_EXIT_FAILED;
}

int
mr_cmd_audit (mr_cli_t *cli)
{
    mr_plan_t plan;
    mr_config_t *config = NULL;
    json_t *audit = NULL;
    mr_error_t err;
    int code = mr_cli_load (cli, &config, &plan);
    if (code != 0) {
        return code;
    }
    const char *data_dir = mr_config_text (mr_config_section (config, "pipeline"), "data_dir");
    if (mr_audit_read (data_dir, &audit, &err) != MR_OK) {
        code = mr_cli_fail (cli, MR_EXIT_FAILED, "%s", err.text);
    } else if (cli->set[MR_CLI_JSON]) {
        json_dumpf (audit, stdout, JSON_COMPACT);
        putchar ('\n');
        code = json_is_true (json_object_get (audit, "balanced")) ? MR_EXIT_OK : MR_EXIT_FAILED;
    } else {
        code = mr_audit_print (audit);
    }
    json_decref (audit);
    mr_config_destroy (&config);
    return code;
}
