#include "launcher/audit_absent.h"

#include "common/delivery/absent.h"
#include "launcher/humane.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { TRIES = 20, PAUSE_MS = 2 };

static void
add_row (void *arg, const mr_absent_t *absent)
{
    char worker[32];
    char id[17];
    snprintf (worker, sizeof worker, "ingest.%d", absent->slot);
    snprintf (id, sizeof id, "%016" PRIx64, absent->journal);
    json_array_append_new (
        arg, json_pack ("{s:s,s:o,s:I,s:I,s:I,s:o,s:b}", "journal", id, "worker",
                        absent->slot < 0 ? json_null () : json_string (worker), "exported",
                        (json_int_t)absent->exported, "filtered", (json_int_t)absent->filtered,
                        "dead", (json_int_t)absent->dead, "unsettled",
                        absent->known ? json_integer ((json_int_t)absent->unsettled) : json_null (),
                        "balanced", (int)mr_absent_is_settled (absent)));
}

mr_status_t
mr_audit_absent (const char *data_dir, json_t **ret_rows, mr_error_t *err)
{
    json_t *rows = json_array ();
    mr_status_t status = MR_AGAIN;
    for (int i = 0; i < TRIES && status == MR_AGAIN; i++) {
        if (i > 0) {
            nanosleep (&(struct timespec){.tv_nsec = PAUSE_MS * 1000000}, NULL);
        }
        status = mr_absent_each (data_dir, add_row, rows, err);
    }
    if (status != MR_OK) {
        json_decref (rows);
        return status;
    }
    *ret_rows = rows;
    return MR_OK;
}

static json_int_t
value_of (const json_t *row, const char *key)
{
    return json_integer_value (json_object_get (row, key));
}

void
mr_audit_absent_text (const json_t *row, char ret_text[MR_AUDIT_ABSENT_TEXT_BYTES])
{
    const char *worker = json_string_value (json_object_get (row, "worker"));
    const json_t *unsettled = json_object_get (row, "unsettled");
    char spooled[32];
    char batches[32];
    char what[128];
    mr_humane_count (
        (double)(value_of (row, "exported") + value_of (row, "filtered") + value_of (row, "dead")),
        spooled, sizeof spooled);
    mr_humane_count ((double)json_integer_value (unsettled), batches, sizeof batches);
    if (json_is_null (unsettled)) {
        snprintf (what, sizeof what,
                  "nobody knows whether that was all: put the journal back, stopped, to find out");
    } else if (json_integer_value (unsettled) > 0) {
        snprintf (what, sizeof what,
                  "batches of it that were not settled: %s: put the journal back, stopped, or "
                  "they are lost",
                  batches);
    } else {
        snprintf (what, sizeof what, "all of it was settled");
    }
    snprintf (ret_text, MR_AUDIT_ABSENT_TEXT_BYTES,
              "journal %s%s%s is gone; spools hold %s records of it; %s",
              json_string_value (json_object_get (row, "journal")), worker != NULL ? " of " : "",
              worker != NULL ? worker : "", spooled, what);
}

void
mr_audit_absent_print (const json_t *rows, bool settled_only)
{
    size_t index;
    const json_t *row;
    json_array_foreach (rows, index, row)
    {
        char text[MR_AUDIT_ABSENT_TEXT_BYTES];
        bool settled = json_is_true (json_object_get (row, "balanced"));
        if (settled || !settled_only) {
            mr_audit_absent_text (row, text);
            printf ("%s%s\n", text, settled ? "" : ": NOT balanced");
        }
    }
}
