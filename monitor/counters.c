#include "monitor/counters.h"

#include <string.h>

static mr_status_t
read_types (const json_t *types, mr_tally_t *tally, mr_error_t *err)
{
    const char *name;
    json_t *count;
    json_object_foreach ((json_t *)types, name, count)
    {
        if (!mr_fields_is_name (name, strlen (name)) || !json_is_integer (count) ||
            json_integer_value (count) < 0) {
            mr_error_set (err, "counters: bad error_types of %s", tally->key);
            return MR_INVALID;
        }
        mr_status_t status = mr_tally_type (tally, name, (uint64_t)json_integer_value (count));
        if (status != MR_OK) {
            mr_error_set (err, "counters: out of memory");
            return status;
        }
    }
    return MR_OK;
}

static mr_status_t
read_operation (const char *name, const json_t *value, mr_tallies_t *tallies, mr_error_t *err)
{
    mr_fields_t fields;
    mr_fields_init (&fields, value, "counters: operation", err);
    mr_tally_t read = {.count = 0};
    mr_fields_u64 (&fields, "count", &read.count);
    mr_fields_u64 (&fields, "records", &read.records);
    mr_fields_u64 (&fields, "errors", &read.errors);
    const json_t *types = mr_fields_object (&fields, "error_types");
    if (fields.status != MR_OK) {
        return fields.status;
    }
    mr_tally_t *tally = mr_tallies_get (tallies, name);
    if (tally == NULL) {
        mr_error_set (err, "counters: more than %d operations", MR_TALLY_MAX_KEYS);
        return MR_INVALID;
    }
    tally->count = read.count;
    tally->records = read.records;
    tally->errors = read.errors;
    return read_types (types, tally, err);
}

mr_status_t
mr_counters_read_operations (const json_t *object, mr_tallies_t *ret_tallies, mr_error_t *err)
{
    mr_tallies_t tallies;
    mr_tallies_init (&tallies);
    const char *name;
    json_t *value;
    mr_status_t status = MR_OK;
    json_object_foreach ((json_t *)object, name, value)
    {
        if (!mr_fields_is_key (name, strlen (name), MR_TALLY_KEY_BYTES)) {
            mr_error_set (err, "counters: bad operation");
            status = MR_INVALID;
        } else {
            status = read_operation (name, value, &tallies, err);
        }
        if (status != MR_OK) {
            mr_tallies_release (&tallies);
            return status;
        }
    }
    *ret_tallies = tallies;
    return MR_OK;
}

void
mr_counters_read_ledger (const json_t *object, mr_ledger_t *ret_ledger, mr_fields_t *faults)
{
    mr_fields_t fields;
    mr_fields_init (&fields, object, "ledger", faults->err);
    mr_fields_u64 (&fields, "received", &ret_ledger->received);
    mr_fields_u64 (&fields, "exported", &ret_ledger->exported);
    mr_fields_u64 (&fields, "filtered", &ret_ledger->filtered);
    mr_fields_u64 (&fields, "dead", &ret_ledger->dead);
    mr_fields_u64 (&fields, "dropped", &ret_ledger->dropped);
    mr_fields_optional_u64 (&fields, "lost", &ret_ledger->lost);
    mr_fields_u64 (&fields, "in_flight", &ret_ledger->in_flight);
    mr_fields_optional_u64 (&fields, "in_flight_batches", &ret_ledger->in_flight_batches);
    if (faults->status == MR_OK) {
        faults->status = fields.status;
    }
}

static void
read_latency (const json_t *object, mr_latency_t *ret_latency, mr_fields_t *faults)
{
    mr_fields_t fields;
    mr_fields_init (&fields, object, "latency", faults->err);
    mr_fields_u64 (&fields, "count", &ret_latency->count);
    mr_fields_double (&fields, "sum_ms", 0, &ret_latency->sum_ms);
    mr_fields_double (&fields, "p50_ms", 0, &ret_latency->p50_ms);
    mr_fields_double (&fields, "p95_ms", 0, &ret_latency->p95_ms);
    mr_fields_double (&fields, "p99_ms", 0, &ret_latency->p99_ms);
    mr_fields_double (&fields, "max_ms", 0, &ret_latency->max_ms);
    if (faults->status == MR_OK) {
        faults->status = fields.status;
    }
}

/* Missing, or no text: as empty. Cut before a character that would not be whole. */
static void
read_text (const json_t *event, const char *key, char ret_text[MR_COUNTERS_TEXT_BYTES])
{
    const char *text = json_string_value (json_object_get (event, key));
    size_t bytes = text != NULL ? strlen (text) : 0;
    if (bytes >= MR_COUNTERS_TEXT_BYTES) {
        bytes = MR_COUNTERS_TEXT_BYTES - 1;
        while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80) {
            bytes--;
        }
    }
    snprintf (ret_text, MR_COUNTERS_TEXT_BYTES, "%.*s", (int)bytes, text != NULL ? text : "");
}

mr_status_t
mr_counters_decode (const json_t *event, mr_counters_t *ret_counters, mr_error_t *err)
{
    mr_counters_t counters = {.pid = 0};
    mr_fields_t fields;
    mr_fields_init (&fields, event, "counters", err);
    mr_fields_stamp (&fields, &counters.stamp);
    mr_fields_name (&fields, "domain", counters.domain);
    mr_fields_name (&fields, "state", counters.state);
    mr_fields_u64 (&fields, "pid", &counters.pid);
    mr_fields_u64 (&fields, "slot", &counters.slot);
    mr_fields_u64 (&fields, "uptime_ms", &counters.uptime_ms);
    mr_fields_u64 (&fields, "blocked_ms", &counters.blocked_ms);
    mr_fields_u64 (&fields, "callback_failures", &counters.callback_failures);
    read_text (event, "waiting", counters.waiting);
    read_text (event, "failing", counters.failing);
    const json_t *operations = mr_fields_object (&fields, "operations");
    const json_t *ledger = json_object_get (event, "ledger");
    if (ledger != NULL && fields.status == MR_OK) {
        counters.has_ledger = true;
        mr_counters_read_ledger (ledger, &counters.ledger, &fields);
    }
    const json_t *latency = json_object_get (event, "latency");
    if (latency != NULL && fields.status == MR_OK) {
        counters.has_latency = true;
        read_latency (latency, &counters.latency, &fields);
    }
    if (fields.status == MR_OK) {
        fields.status = mr_counters_read_operations (operations, &counters.operations, err);
    }
    if (fields.status == MR_OK) {
        *ret_counters = counters;
    }
    return fields.status;
}

void
mr_counters_release (mr_counters_t *self)
{
    mr_tallies_release (&self->operations);
}

void
mr_counters_write_operations (mr_jsonwriter_t *json, const char *key,
                              const mr_tallies_t *operations)
{
    mr_jsonwriter_open (json, key, '{');
    for (size_t i = 0; i < operations->count; i++) {
        const mr_tally_t *tally = &operations->items[i];
        mr_jsonwriter_open (json, tally->key, '{');
        mr_jsonwriter_u64 (json, "count", tally->count);
        mr_jsonwriter_u64 (json, "records", tally->records);
        mr_jsonwriter_u64 (json, "errors", tally->errors);
        mr_jsonwriter_open (json, "error_types", '{');
        for (size_t j = 0; j < tally->type_count; j++) {
            mr_jsonwriter_u64 (json, tally->types[j].name, tally->types[j].count);
        }
        mr_jsonwriter_close (json, '}');
        mr_jsonwriter_close (json, '}');
    }
    mr_jsonwriter_close (json, '}');
}

void
mr_counters_write_ledger (mr_jsonwriter_t *json, const char *key, const mr_ledger_t *ledger)
{
    mr_jsonwriter_open (json, key, '{');
    mr_jsonwriter_u64 (json, "received", ledger->received);
    mr_jsonwriter_u64 (json, "exported", ledger->exported);
    mr_jsonwriter_u64 (json, "filtered", ledger->filtered);
    mr_jsonwriter_u64 (json, "dead", ledger->dead);
    mr_jsonwriter_u64 (json, "dropped", ledger->dropped);
    mr_jsonwriter_u64 (json, "lost", ledger->lost);
    mr_jsonwriter_u64 (json, "in_flight", ledger->in_flight);
    mr_jsonwriter_u64 (json, "in_flight_batches", ledger->in_flight_batches);
    mr_jsonwriter_close (json, '}');
}

static void
write_latency (mr_jsonwriter_t *json, const mr_latency_t *latency)
{
    mr_jsonwriter_open (json, "latency", '{');
    mr_jsonwriter_u64 (json, "count", latency->count);
    mr_jsonwriter_figure (json, "sum_ms", latency->sum_ms);
    mr_jsonwriter_figure (json, "p50_ms", latency->p50_ms);
    mr_jsonwriter_figure (json, "p95_ms", latency->p95_ms);
    mr_jsonwriter_figure (json, "p99_ms", latency->p99_ms);
    mr_jsonwriter_figure (json, "max_ms", latency->max_ms);
    mr_jsonwriter_close (json, '}');
}

void
mr_counters_write (mr_jsonwriter_t *json, const char *key, const mr_counters_t *counters)
{
    mr_jsonwriter_open (json, key, '{');
    mr_jsonwriter_text (json, "domain", counters->domain);
    mr_jsonwriter_text (json, "worker", counters->stamp.worker);
    mr_jsonwriter_hex (json, "incarnation", counters->stamp.incarnation);
    mr_jsonwriter_u64 (json, "event_seq", counters->stamp.event_seq);
    mr_jsonwriter_time (json, "ts", counters->stamp.ts_ns);
    mr_jsonwriter_u64 (json, "pid", counters->pid);
    mr_jsonwriter_u64 (json, "slot", counters->slot);
    mr_jsonwriter_text (json, "state", counters->state);
    mr_jsonwriter_u64 (json, "uptime_ms", counters->uptime_ms);
    mr_jsonwriter_u64 (json, "blocked_ms", counters->blocked_ms);
    mr_jsonwriter_u64 (json, "callback_failures", counters->callback_failures);
    mr_jsonwriter_text (json, "waiting", counters->waiting);
    mr_jsonwriter_text (json, "failing", counters->failing);
    mr_counters_write_operations (json, "operations", &counters->operations);
    if (counters->has_ledger) {
        mr_counters_write_ledger (json, "ledger", &counters->ledger);
    }
    if (counters->has_latency) {
        write_latency (json, &counters->latency);
    }
    mr_jsonwriter_close (json, '}');
}
