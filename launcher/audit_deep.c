/* `millrace audit --deep`: the proof from every byte, as an object and in words. */
#include "common/delivery/deep.h"
#include "launcher/audit.h"
#include "launcher/audit_absent.h"
#include "launcher/deepsink.h"
#include "launcher/drops.h"
#include "launcher/humane.h"
#include "launcher/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAULTS_MOST = 1000 }; /* in the object; `fault_count` has all */

typedef struct deep_reading {
    json_t *journals;
    json_t *spools;
    json_t *sinks;
    json_t *absent;
    json_t *faults;
    json_int_t fault_count;
    json_int_t unrouted;
    mr_drops_t drops;
} deep_reading_t;

static json_t *
hex (uint64_t value)
{
    char text[17];
    snprintf (text, sizeof text, "%016" PRIx64, value);
    return json_string (text);
}

static void
set (json_t *row, const char *key, uint64_t value)
{
    json_object_set_new (row, key, json_integer ((json_int_t)value));
}

static json_t *
row_of (const char *stage, int slot)
{
    char worker[32];
    snprintf (worker, sizeof worker, "%s.%d", stage, slot);
    return json_pack ("{s:s}", "worker", worker);
}

/* ---- what is found ---- */

static void
on_fault (void *arg, const mr_deep_fault_t *fault)
{
    deep_reading_t *reading = arg;
    if (++reading->fault_count > FAULTS_MOST) {
        return;
    }
    json_t *row = json_object ();
    json_object_set_new (row, "what", json_string (fault->what));
    if (fault->journal != 0) {
        json_object_set_new (row, "journal", hex (fault->journal));
    }
    if (fault->seq != 0) {
        set (row, "seq", fault->seq);
    }
    if (fault->file[0] != '\0') {
        json_object_set_new (row, "file", json_string (fault->file));
        set (row, "offset", fault->offset);
    }
    json_array_append_new (reading->faults, row);
}

static void
on_journal (void *arg, const mr_deep_journal_t *journal)
{
    deep_reading_t *reading = arg;
    const mr_tally_t *tally = &journal->tally;
    json_t *row = row_of ("ingest", journal->slot);
    json_object_set_new (row, "journal", hex (tally->journal));
    set (row, "watermark", tally->watermark);
    set (row, "proved_from", journal->from);
    set (row, "batches", journal->batches);
    set (row, "compared", journal->compared);
    set (row, "harmless_damage", journal->damaged);
    set (row, "received", tally->received);
    set (row, "settled_in", tally->settled_in);
    set (row, "exported", tally->exported);
    set (row, "filtered", tally->filtered);
    set (row, "dead", tally->dead);
    set (row, "lost", tally->lost);
    set (row, "in_flight", tally->received - tally->settled_in);
    set (row, "gone_batches", tally->gone);
    json_object_set_new (row, "balanced", json_boolean (mr_tally_balanced (tally)));
    json_array_append_new (reading->journals, row);
}

static void
on_spool (void *arg, const mr_deep_spool_t *spool)
{
    deep_reading_t *reading = arg;
    json_t *row = row_of ("exporter", spool->slot);
    set (row, "segments", spool->segments);
    set (row, "batches", spool->batches);
    set (row, "bytes", spool->bytes);
    json_array_append_new (reading->spools, row);
}

static void
on_sink (void *arg, const mr_deepsink_t *sink)
{
    deep_reading_t *reading = arg;
    if (strcmp (sink->name, MR_CURSOR_UNROUTED) == 0) { /* no sink: its cursor was judged */
        reading->unrouted += (json_int_t)sink->state.delivered;
        return;
    }
    json_t *row = row_of ("exporter", sink->slot);
    if (!sink->overtaken) {
        mr_drops_add (&reading->drops, sink->slot, &sink->state);
    }
    json_object_set_new (row, "name", json_string (sink->name));
    set (row, "delivered", sink->state.delivered);
    set (row, "dropped", sink->state.dropped);
    set (row, "compared_rows", sink->rows);
    set (row, "compared_bytes", sink->bytes);
    if (sink->journal != 0) {
        json_object_set_new (row, "compared_from_journal", hex (sink->journal));
        set (row, "compared_from", sink->seq);
    }
    if (sink->note[0] != '\0') {
        json_object_set_new (row, "note", json_string (sink->note));
    }
    json_array_append_new (reading->sinks, row);
}

/* What was dropped is in a spool, but not exported. */
static void
take_drops (json_t *journals, const mr_drops_t *drops)
{
    size_t index;
    json_t *row;
    json_array_foreach (journals, index, row)
    {
        uint64_t id = strtoull (json_string_value (json_object_get (row, "journal")), NULL, 16);
        uint64_t exported = (uint64_t)json_integer_value (json_object_get (row, "exported"));
        uint64_t dropped = mr_drops_of (drops, id);
        dropped = dropped < exported ? dropped : exported;
        set (row, "exported", exported - dropped);
        set (row, "dropped", dropped);
    }
}

static void
look_for_journals (deep_reading_t *reading)
{
    static const mr_deep_fault_t none = {
        .what = "no journal is there, though spools hold batches: put the journals back"};
    size_t index;
    const json_t *row;
    json_array_foreach (reading->spools, index, row)
    {
        if (json_array_size (reading->journals) == 0 &&
            json_integer_value (json_object_get (row, "batches")) > 0) {
            on_fault (reading, &none);
            return;
        }
    }
}

static void
judge_absent (deep_reading_t *reading)
{
    size_t index;
    const json_t *row;
    json_array_foreach (reading->absent, index, row)
    {
        mr_deep_fault_t fault = {.seq = 0};
        if (!json_is_true (json_object_get (row, "balanced"))) {
            char text[MR_AUDIT_ABSENT_TEXT_BYTES];
            mr_audit_absent_text (row, text);
            snprintf (fault.what, sizeof fault.what, "%s", text);
            on_fault (reading, &fault);
        }
    }
}

mr_status_t
mr_audit_read_deep (const char *data_dir, const mr_config_t *config, json_t **ret_audit,
                    mr_error_t *err)
{
    deep_reading_t *reading = calloc (1, sizeof *reading);
    if (reading == NULL) {
        return mr_error_errno (err, "audit");
    }
    reading->faults = json_array ();
    reading->journals = json_array ();
    reading->spools = json_array ();
    reading->sinks = json_array ();
    mr_deep_visitor_t visitor = {on_fault, on_journal, on_spool, reading};
    mr_deepsink_visitor_t sinks = {on_fault, on_sink, reading};
    mr_status_t status = mr_deep_read (data_dir, &visitor, err);
    if (status == MR_OK) {
        status = mr_deepsink_read (data_dir, config, &sinks, err);
    }
    if (status == MR_OK) {
        status = mr_audit_absent (data_dir, &reading->absent, err);
    }
    take_drops (reading->journals, &reading->drops);
    look_for_journals (reading);
    judge_absent (reading);
    json_t *audit = json_object ();
    json_object_set_new (audit, "balanced", json_boolean (reading->fault_count == 0));
    json_object_set_new (audit, "fault_count", json_integer (reading->fault_count));
    json_object_set_new (audit, "unrouted", json_integer (reading->unrouted));
    json_object_set_new (audit, "faults", reading->faults);
    json_object_set_new (audit, "journals", reading->journals);
    json_object_set_new (audit, "absent_journals", reading->absent);
    json_object_set_new (audit, "spools", reading->spools);
    json_object_set_new (audit, "sinks", reading->sinks);
    free (reading);
    if (status != MR_OK) {
        json_decref (audit);
        return status;
    }
    *ret_audit = audit;
    return MR_OK;
}

/* ---- in words ---- */

static const char *
text_of (const json_t *row, const char *key)
{
    const char *text = json_string_value (json_object_get (row, key));
    return text != NULL ? text : "";
}

static uint64_t
value_of (const json_t *row, const char *key)
{
    return (uint64_t)json_integer_value (json_object_get (row, key));
}

static void
put_count (char cell[MR_TABLE_CELL_BYTES], const json_t *row, const char *key)
{
    mr_humane_count ((double)value_of (row, key), cell, MR_TABLE_CELL_BYTES);
}

static void
print_table (mr_table_t *table)
{
    mr_buffer_t text;
    mr_buffer_init (&text, 1 << 20);
    if (table->row_count > 0 && mr_table_format (table, false, &text) == MR_OK) {
        fwrite (text.data, 1, text.size, stdout);
    }
    mr_buffer_release (&text);
    mr_table_release (table);
}

static void
print_journals (const json_t *journals)
{
    static const char *const titles[] = {"JOURNAL",  ">RECEIVED", ">EXPORTED", ">FILTERED",
                                         ">DEAD",    ">DROPPED",  ">LOST",     ">IN FLIGHT",
                                         ">BATCHES", ">FROM"};
    static const char *const keys[] = {"received", "exported",  "filtered", "dead",       "dropped",
                                       "lost",     "in_flight", "batches",  "proved_from"};
    mr_table_t table;
    mr_table_init (&table, titles, sizeof titles / sizeof *titles);
    size_t index;
    const json_t *journal;
    json_array_foreach (journals, index, journal)
    {
        mr_table_row_t *row = mr_table_add (&table);
        if (row == NULL) {
            break;
        }
        snprintf (row->cells[0], sizeof row->cells[0], "%s", text_of (journal, "worker"));
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            put_count (row->cells[i + 1], journal, keys[i]);
        }
    }
    print_table (&table);
}

static void
print_sinks (const json_t *sinks)
{
    static const char *const titles[] = {"SINK",   ">DELIVERED", ">DROPPED", ">COMPARED",
                                         ">BYTES", ">FROM",      "NOTE"};
    mr_table_t table;
    mr_table_init (&table, titles, sizeof titles / sizeof *titles);
    size_t index;
    const json_t *sink;
    json_array_foreach (sinks, index, sink)
    {
        mr_table_row_t *row = mr_table_add (&table);
        if (row == NULL) {
            break;
        }
        snprintf (row->cells[0], sizeof row->cells[0], "%.36s of %.20s", text_of (sink, "name"),
                  text_of (sink, "worker"));
        put_count (row->cells[1], sink, "delivered");
        put_count (row->cells[2], sink, "dropped");
        put_count (row->cells[3], sink, "compared_rows");
        put_count (row->cells[4], sink, "compared_bytes");
        if (json_object_get (sink, "compared_from") != NULL) {
            put_count (row->cells[5], sink, "compared_from");
        }
        snprintf (row->cells[6], sizeof row->cells[6], "%.60s", text_of (sink, "note"));
    }
    print_table (&table);
}

static void
print_fault (const json_t *fault)
{
    printf ("fault:");
    if (json_object_get (fault, "journal") != NULL) {
        printf (" journal %s", text_of (fault, "journal"));
    }
    if (json_object_get (fault, "seq") != NULL) {
        printf (" batch %" PRIu64, value_of (fault, "seq"));
    }
    if (json_object_get (fault, "file") != NULL) {
        printf (" %s offset %" PRIu64, text_of (fault, "file"), value_of (fault, "offset"));
    }
    printf (": %s\n", text_of (fault, "what"));
}

static uint64_t
sum_of (const json_t *rows, const char *key)
{
    uint64_t sum = 0;
    size_t index;
    const json_t *row;
    json_array_foreach (rows, index, row)
    {
        sum += value_of (row, key);
    }
    return sum;
}

int
mr_audit_print_deep (const json_t *audit)
{
    const json_t *journals = json_object_get (audit, "journals");
    const json_t *faults = json_object_get (audit, "faults");
    uint64_t count = value_of (audit, "fault_count");
    const json_t *sinks = json_object_get (audit, "sinks");
    uint64_t batches = 0;
    size_t index;
    const json_t *row;
    json_array_foreach (json_object_get (audit, "spools"), index, row)
    {
        batches += value_of (row, "batches");
    }
    print_journals (journals);
    print_sinks (sinks);
    mr_audit_absent_print (json_object_get (audit, "absent_journals"), true);
    json_array_foreach (faults, index, row)
    {
        print_fault (row);
    }
    char read[32];
    char compared[32];
    char delivered[32];
    mr_humane_count ((double)batches, read, sizeof read);
    mr_humane_count ((double)sum_of (sinks, "compared_rows"), compared, sizeof compared);
    mr_humane_count ((double)sum_of (sinks, "delivered"), delivered, sizeof delivered);
    printf ("deep audit: %s batches read in spools, %s of %s rows of sinks compared, ", read,
            compared, delivered);
    if (count == 0) {
        printf ("nothing wrong in them: balanced\n");
        return MR_EXIT_OK;
    }
    printf ("%" PRIu64 " fault%s: NOT balanced\n", count, count == 1 ? "" : "s");
    return MR_EXIT_FAILED;
}
