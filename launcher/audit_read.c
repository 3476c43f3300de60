#include "launcher/audit.h"

#include "common/base/slots.h"
#include "common/delivery/tally.h"
#include "common/delivery/tally_sinks.h"
#include "launcher/audit_absent.h"
#include "launcher/drops.h"

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
    uint64_t rows;      /* that sinks had, or were due to get, before the journals were read */
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
add_drops (void *arg, const mr_tally_sink_t *sink)
{
    reading_t *reading = arg;
    if (strcmp (sink->name, MR_CURSOR_UNROUTED) != 0) {
        reading->rows += sink->state.delivered + sink->pending;
        if (!sink->overtaken) {
            mr_drops_add (&reading->drops, sink->slot, &sink->state);
        }
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
is_unproved (const reading_t *reading, const json_t *journals)
{
    return json_array_size (journals) == 0 && reading->rows > 0;
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
                    json_array_size (reading->missing) == 0 && !is_unproved (reading, journals);
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

/* What sinks dropped is read before the journals, so that it was spooled by then; what they have
 * still to get after them, so that nothing that a journal calls settled is missing there. */
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
    mr_status_t status = mr_tally_sinks (data_dir, add_drops, reading, err);
    if (status == MR_OK) {
        status = read_journals (data_dir, reading, journals, err);
    }
    if (status == MR_OK) {
        status = mr_tally_sinks (data_dir, add_sink, reading, err);
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
