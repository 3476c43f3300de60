#include "launcher/leftover.h"

#include "common/delivery/journal.h"
#include "common/delivery/spool.h"
#include "common/delivery/tally.h"
#include "common/delivery/tally_sinks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool
mr_leftover_may (const char *stage)
{
    return strcmp (stage, "ingest") == 0 || strcmp (stage, "exporter") == 0;
}

static bool
in_journal (const mr_plan_t *plan, int slot, char text[MR_LEFTOVER_BYTES])
{
    mr_error_t err;
    mr_tally_t tally;
    mr_status_t status = mr_tally_read (plan->data_dir, slot, &tally, &err);
    if (status == MR_OK) {
        snprintf (text, MR_LEFTOVER_BYTES, "%" PRIu64 " records of its journal are on their way",
                  tally.received - tally.settled_in);
        return tally.received > tally.settled_in;
    }
    snprintf (text, MR_LEFTOVER_BYTES, "records of its journal are on their way");
    return status != MR_CLOSED;
}

static void
take_sink (void *arg, const mr_tally_sink_t *sink)
{
    char *text = arg; /* MR_LEFTOVER_BYTES */
    size_t used = strlen (text);
    if (sink->overtaken || strcmp (sink->name, MR_CURSOR_UNROUTED) == 0) {
        return;
    }
    if (sink->rows_due) {
        snprintf (text + used, MR_LEFTOVER_BYTES - used,
                  "%sthe last rows of its metrics are not in sink %s", used > 0 ? ", " : "",
                  sink->name);
    } else if (sink->pending > 0) {
        snprintf (text + used, MR_LEFTOVER_BYTES - used, "%s%" PRIu64 " rows are not in sink %s",
                  used > 0 ? ", " : "", sink->pending, sink->name);
    }
}

static bool
in_spool (const mr_plan_t *plan, int slot, char text[MR_LEFTOVER_BYTES])
{
    mr_error_t err = {.text = ""};
    text[0] = '\0';
    if (mr_tally_sinks_of (plan->data_dir, slot, take_sink, text, &err) != MR_OK &&
        text[0] == '\0') {
        snprintf (text, MR_LEFTOVER_BYTES, "rows may not be in its sinks");
    }
    return text[0] != '\0';
}

bool
mr_leftover (const mr_plan_t *plan, const char *stage, int slot, char ret_text[MR_LEFTOVER_BYTES])
{
    char dir[PATH_MAX];
    bool first = strcmp (stage, "ingest") == 0;
    ret_text[0] = '\0';
    if (!mr_leftover_may (stage)) {
        return false;
    }
    (first ? mr_journal_path : mr_spool_path) (plan->data_dir, slot, dir);
    if (access (dir, F_OK) != 0) {
        return false;
    }
    return first ? in_journal (plan, slot, ret_text) : in_spool (plan, slot, ret_text);
}
