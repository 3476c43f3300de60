/* The registry's intake: which event means what. */
#include "monitor/lives.h"
#include "monitor/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
starts_with (const char *text, const char *prefix)
{
    return strncmp (text, prefix, strlen (prefix)) == 0;
}

static mr_status_t
out_of_memory (mr_error_t *err)
{
    mr_error_set (err, "out of memory");
    return MR_SYSTEM;
}

static mr_status_t
count_event (mr_registry_t *self, mr_life_t *life, const mr_event_t *event, mr_error_t *err)
{
    char key[MR_TALLY_KEY_BYTES];
    snprintf (key, sizeof key, "%s.%s", event->domain, event->operation);
    mr_operation_t *operation = mr_registry_operation (self, key);
    mr_tally_t *tally = mr_tallies_get (&life->since, event->operation);
    if (operation == NULL || tally == NULL) {
        return out_of_memory (err);
    }
    memcpy (life->counters.domain, event->domain, sizeof life->counters.domain);
    switch (event->kind) {
    case MR_EVENT_SUCCESS:
        tally->count++;
        tally->records += event->count;
        mr_durations_add (&operation->durations, event->duration_ms);
        return MR_OK;
    case MR_EVENT_ERROR:
        tally->errors++;
        self->failures[self->failure_count++ % MR_REGISTRY_FAILURES] = *event;
        return mr_tally_type (tally, event->error_type, event->count) == MR_OK
                   ? MR_OK
                   : out_of_memory (err);
    }
    MR_ASSERT (!"event kind");
}

static mr_status_t
take_event (mr_registry_t *self, const mr_raw_event_t *raw, int64_t mono_ns, mr_error_t *err)
{
    mr_event_t event;
    mr_status_t status = mr_event_decode (raw->topic, raw->json, raw->bytes, &event, err);
    if (status != MR_OK) {
        return status;
    }
    mr_stamp_t stamp = {
        .incarnation = event.incarnation,
        .event_seq = event.event_seq,
        .ts_ns = event.ts_ns,
    };
    memcpy (stamp.worker, event.worker, sizeof stamp.worker);
    mr_life_t *life = NULL;
    status = mr_lives_see (self, &stamp, mono_ns, &life);
    return status == MR_OK ? count_event (self, life, &event, err) : status;
}

/* All operations that counters name exist from then on, though no event of them has come. */
static void
note_operations (mr_registry_t *self, const mr_counters_t *counters)
{
    for (size_t i = 0; i < counters->operations.count; i++) {
        char key[MR_EVENT_NAME_BYTES + MR_TALLY_KEY_BYTES];
        snprintf (key, sizeof key, "%s.%s", counters->domain, counters->operations.items[i].key);
        (void)mr_registry_operation (self, key);
    }
}

static mr_status_t
take_counters (mr_registry_t *self, const json_t *event, int64_t mono_ns, mr_error_t *err)
{
    mr_counters_t counters;
    mr_status_t status = mr_counters_decode (event, &counters, err);
    if (status != MR_OK) {
        return status;
    }
    mr_life_t *life = NULL;
    status = mr_lives_see (self, &counters.stamp, mono_ns, &life);
    if (status == MR_OK) {
        note_operations (self, &counters);
        mr_life_replace (life, &counters);
    } else if (status == MR_SYSTEM) {
        status = out_of_memory (err);
    }
    mr_counters_release (&counters);
    return status;
}

static mr_status_t
keep_totals (mr_registry_t *self, mr_totals_t *totals)
{
    for (size_t i = 0; i < self->totals_count; i++) {
        if (strcmp (self->totals[i]->stamp.worker, totals->stamp.worker) == 0) {
            mr_totals_destroy (&self->totals[i]);
            self->totals[i] = totals;
            return MR_OK;
        }
    }
    if (self->totals_count == MR_REGISTRY_TOTALS) {
        mr_totals_destroy (&totals);
        return MR_SYSTEM;
    }
    self->totals[self->totals_count++] = totals;
    return MR_OK;
}

static mr_status_t
take_totals (mr_registry_t *self, const json_t *event, int64_t mono_ns, mr_error_t *err)
{
    mr_totals_t *totals = NULL;
    mr_status_t status = mr_totals_decode (event, &totals, err);
    if (status != MR_OK) {
        return status;
    }
    mr_life_t *life = NULL;
    status = mr_lives_see (self, &totals->stamp, mono_ns, &life);
    if (status != MR_OK) {
        mr_totals_destroy (&totals);
        return status;
    }
    return keep_totals (self, totals);
}

/* Events of another kind: only that they came. */
static mr_status_t
take_other (mr_registry_t *self, const json_t *event, int64_t mono_ns, mr_error_t *err)
{
    mr_fields_t fields;
    mr_stamp_t stamp;
    mr_fields_init (&fields, event, "event", err);
    mr_fields_stamp (&fields, &stamp);
    if (fields.status != MR_OK) {
        return fields.status;
    }
    mr_life_t *life = NULL;
    return mr_lives_see (self, &stamp, mono_ns, &life);
}

/* "counters.processor.1" carries what processor.1 says. */
static mr_status_t
check_topic (const char *topic, const json_t *event, mr_error_t *err)
{
    const char *worker = json_string_value (json_object_get (event, "worker"));
    const char *dot = strchr (topic, '.');
    if (worker == NULL || dot == NULL || strcmp (dot + 1, worker) != 0) {
        mr_error_set (err, "event: bad worker, or not that of its topic");
        return MR_INVALID;
    }
    return MR_OK;
}

static mr_status_t
take_json (mr_registry_t *self, const char *topic, const json_t *event, int64_t mono_ns,
           mr_error_t *err)
{
    if (starts_with (topic, "counters.")) {
        mr_status_t status = check_topic (topic, event, err);
        return status == MR_OK ? take_counters (self, event, mono_ns, err) : status;
    }
    if (starts_with (topic, "totals.")) {
        mr_status_t status = check_topic (topic, event, err);
        return status == MR_OK ? take_totals (self, event, mono_ns, err) : status;
    }
    if (starts_with (topic, "state.") || starts_with (topic, "launcher.")) {
        return take_other (self, event, mono_ns, err);
    }
    mr_error_set (err, "event: unknown topic %s", topic);
    return MR_INVALID;
}

mr_status_t
mr_registry_event (mr_registry_t *self, const mr_raw_event_t *raw, int64_t mono_ns, mr_error_t *err)
{
    mr_status_t status;
    if (raw->bytes > MR_EVENT_MAX_BYTES) {
        mr_error_set (err, "event: %zu bytes, limit %d", raw->bytes, MR_EVENT_MAX_BYTES);
        status = MR_INVALID;
    } else if (starts_with (raw->topic, "success.") || starts_with (raw->topic, "error.")) {
        status = take_event (self, raw, mono_ns, err);
    } else {
        json_error_t reason;
        json_t *event =
            json_loadb (raw->json, raw->bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &reason);
        if (event == NULL) {
            mr_error_set (err, "event: bad JSON at byte %d: %s", reason.position, reason.text);
            status = MR_INVALID;
        } else {
            status = take_json (self, raw->topic, event, mono_ns, err);
            json_decref (event);
        }
    }
    if (status == MR_INVALID) {
        self->malformed++;
    } else {
        self->events++;
    }
    return status == MR_CLOSED ? MR_OK : status;
}

mr_status_t
mr_registry_restore (mr_registry_t *self, const json_t *counters, mr_error_t *err)
{
    mr_status_t status = take_counters (self, counters, 0, err);
    return status == MR_CLOSED ? MR_OK : status;
}

mr_status_t
mr_registry_restore_totals (mr_registry_t *self, const json_t *totals, mr_error_t *err)
{
    mr_totals_t *read = NULL;
    mr_status_t status = mr_totals_decode (totals, &read, err);
    return status == MR_OK ? keep_totals (self, read) : status;
}
