/* What the intake says of itself. */
#include "stages/ingest/intake.h"

#include "common/wire/jsontext.h"
#include "stages/ingest/intake_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint64_t
mr_intake_journaled (const mr_intake_t *self)
{
    return mr_journal_info (self->journal).top_seq;
}

uint64_t
mr_intake_durable (const mr_intake_t *self)
{
    return self->syncer != NULL ? mr_journal_synced_seq (self->journal)
                                : mr_intake_journaled (self);
}

size_t
mr_intake_max_record (const mr_intake_t *self)
{
    return self->max_record;
}

mr_producers_t *
mr_intake_producers (mr_intake_t *self)
{
    return self->memory.producers;
}

/* Why producers wait for the journal's disk; "" if they do not. */
static mr_status_t
append_waiting (const mr_intake_t *self, mr_buffer_t *json)
{
    char failure[256] = "";
    char text[320] = "";
    if (self->syncer != NULL) {
        mr_syncer_failure (self->syncer, failure);
    }
    const char *why = self->full ? self->full_why : failure;
    if (why[0] != '\0') {
        snprintf (text, sizeof text, "%s, producers wait: %s", mr_intake_trouble (self), why);
    }
    mr_status_t status = mr_buffer_printf (json, ",\"waiting\":");
    return status == MR_OK ? mr_jsontext_string (json, text, strlen (text)) : status;
}

mr_status_t
mr_intake_counters (const mr_intake_t *self, mr_buffer_t *json)
{
    mr_journal_info_t books = mr_journal_info (self->journal);
    mr_spool_sum_t c = mr_tally_follower_read (self->spooled);
    uint64_t settled = c.exported + c.filtered + c.dead + books.lost;
    mr_status_t status = mr_buffer_printf (
        json,
        ",\"ledger\":{\"received\":%" PRIu64 ",\"exported\":%" PRIu64 ",\"filtered\":%" PRIu64
        ",\"dead\":%" PRIu64 ",\"dropped\":0,\"lost\":%" PRIu64 ",\"in_flight\":%" PRIu64
        ",\"in_flight_batches\":%" PRIu32 "}",
        books.received, c.exported, c.filtered, c.dead, books.lost,
        books.received > settled ? books.received - settled : 0,
        mr_sender_in_flight (self->sender));
    if (status != MR_OK) {
        return status;
    }
    status = mr_buffer_printf (
        json,
        ",\"journal\":{\"id\":\"%016" PRIx64 "\",\"received\":%" PRIu64 ",\"batches\":%" PRIu64
        ",\"watermark\":%" PRIu64 ",\"in_flight_batches\":%" PRIu32 ",\"replayed\":%" PRIu64
        ",\"full\":%s}",
        books.id, books.received, books.top_seq, mr_sender_watermark (self->sender),
        mr_sender_in_flight (self->sender), mr_sender_replayed (self->sender),
        self->full ? "true" : "false");
    return status == MR_OK ? append_waiting (self, json) : status;
}
