#include "monitor/snapshot.h"

#include "common/base/buffer.h"
#include "common/base/log.h"
#include "common/wire/jsonwriter.h"
#include "monitor/fields.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION = 1, MAX_BYTES = 512 << 20 };

/* ---- save ---- */

/* A life as its counters event would be now: what came after the last one is in it. */
static void
write_life (mr_jsonwriter_t *json, const mr_life_t *life)
{
    mr_counters_t now = life->counters;
    if (now.domain[0] == '\0' || mr_life_tallies (life, &now.operations) != MR_OK) {
        return;
    }
    now.stamp.event_seq = life->last_seq;
    if (now.state[0] == '\0') {
        memcpy (now.state, "unknown", sizeof "unknown");
    }
    mr_counters_write (json, NULL, &now);
    mr_tallies_release (&now.operations);
}

static void
write_operation (mr_jsonwriter_t *json, const mr_operation_t *operation)
{
    const mr_durations_t *durations = &operation->durations;
    mr_jsonwriter_open (json, operation->key, '{');
    mr_jsonwriter_u64 (json, "count", durations->count);
    mr_jsonwriter_double (json, "sum_ms", durations->sum_ms);
    mr_jsonwriter_open (json, "kept_ms", '[');
    size_t first = (durations->next + MR_DURATIONS_KEPT - durations->used) % MR_DURATIONS_KEPT;
    for (size_t i = 0; i < durations->used; i++) {
        mr_jsonwriter_double (json, NULL, durations->kept[(first + i) % MR_DURATIONS_KEPT]);
    }
    mr_jsonwriter_close (json, ']');
    mr_jsonwriter_close (json, '}');
}

static mr_status_t
encode (const mr_registry_t *registry, int64_t wall_ns, mr_buffer_t *out)
{
    mr_jsonwriter_t json;
    mr_jsonwriter_init (&json, out);
    mr_jsonwriter_open (&json, NULL, '{');
    mr_jsonwriter_u64 (&json, "version", VERSION);
    mr_jsonwriter_time (&json, "ts", wall_ns);
    mr_jsonwriter_u64 (&json, "events", registry->events);
    mr_jsonwriter_u64 (&json, "malformed", registry->malformed);
    mr_jsonwriter_u64 (&json, "missed", registry->missed);
    mr_jsonwriter_u64 (&json, "late", registry->late);
    mr_counters_write_operations (&json, "ended", &registry->ended);
    mr_counters_write_ledger (&json, "ended_ledger", &registry->ended_ledger);
    mr_jsonwriter_u64 (&json, "ended_latency_count", registry->ended_latency.count);
    mr_jsonwriter_double (&json, "ended_latency_sum_ms", registry->ended_latency.sum_ms);
    mr_jsonwriter_open (&json, "lives", '[');
    for (size_t i = 0; i < registry->life_count; i++) {
        write_life (&json, registry->lives[i]);
    }
    mr_jsonwriter_close (&json, ']');
    mr_jsonwriter_open (&json, "operations", '{');
    for (size_t i = 0; i < registry->operation_count; i++) {
        write_operation (&json, registry->operations[i]);
    }
    mr_jsonwriter_close (&json, '}');
    mr_jsonwriter_open (&json, "totals", '[');
    for (size_t i = 0; i < registry->totals_count; i++) {
        mr_totals_write (&json, NULL, registry->totals[i]);
    }
    mr_jsonwriter_close (&json, ']');
    mr_jsonwriter_close (&json, '}');
    return mr_jsonwriter_finish (&json);
}

static mr_status_t
write_file (const char *path, const mr_buffer_t *text, mr_error_t *err)
{
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) {
        return mr_error_errno (err, "cannot write %s", path);
    }
    size_t written = 0;
    while (written < text->size) {
        ssize_t bytes = write (fd, text->data + written, text->size - written);
        if (bytes < 0 && errno == EINTR) {
            continue;
        }
        if (bytes < 0) {
            mr_status_t status = mr_error_errno (err, "cannot write %s", path);
            close (fd);
            return status;
        }
        written += (size_t)bytes;
    }
    return close (fd) == 0 ? MR_OK : mr_error_errno (err, "cannot write %s", path);
}

mr_status_t
mr_snapshot_save (const mr_registry_t *registry, const char *path, int64_t wall_ns, mr_error_t *err)
{
    char fresh[PATH_MAX];
    snprintf (fresh, sizeof fresh, "%s.new", path);
    mr_buffer_t text;
    mr_buffer_init (&text, MAX_BYTES);
    mr_status_t status = encode (registry, wall_ns, &text);
    if (status == MR_OK) {
        status = write_file (fresh, &text, err);
    } else {
        mr_error_set (err, "cannot write %s: more than %d bytes, or out of memory", path,
                      MAX_BYTES);
        status = MR_SYSTEM;
    }
    mr_buffer_release (&text);
    if (status == MR_OK && rename (fresh, path) != 0) {
        status = mr_error_errno (err, "cannot rename %s", fresh);
    }
    if (status != MR_OK) {
        unlink (fresh);
    }
    return status;
}

/* ---- load ---- */

static mr_status_t
read_operation (mr_registry_t *registry, const char *key, const json_t *value, mr_error_t *err)
{
    mr_fields_t fields;
    mr_durations_t durations;
    mr_durations_init (&durations);
    mr_fields_init (&fields, value, key, err);
    const json_t *kept = mr_fields_array (&fields, "kept_ms");
    if (!mr_fields_is_key (key, strlen (key), MR_TALLY_KEY_BYTES)) {
        return mr_fields_fault (&fields, "operation");
    }
    for (size_t i = 0; fields.status == MR_OK && i < json_array_size (kept); i++) {
        double ms = json_number_value (json_array_get (kept, i));
        if (!json_is_number (json_array_get (kept, i)) || !(ms >= 0) || !isfinite (ms)) {
            return mr_fields_fault (&fields, "kept_ms");
        }
        mr_durations_add (&durations, ms);
    }
    mr_fields_u64 (&fields, "count", &durations.count);
    mr_fields_double (&fields, "sum_ms", 0, &durations.sum_ms);
    if (fields.status != MR_OK) {
        return fields.status;
    }
    mr_operation_t *operation = mr_registry_operation (registry, key);
    if (operation == NULL) {
        return mr_fields_fault (&fields, "operation");
    }
    operation->durations = durations;
    return MR_OK;
}

static mr_status_t
read_lists (mr_registry_t *registry, const json_t *snapshot, mr_error_t *err)
{
    const char *key;
    json_t *value;
    size_t i;
    mr_status_t status = MR_OK;
    json_object_foreach (json_object_get (snapshot, "operations"), key, value)
    {
        if (status == MR_OK) {
            status = read_operation (registry, key, value, err);
        }
    }
    json_array_foreach (json_object_get (snapshot, "lives"), i, value)
    {
        if (status == MR_OK) {
            status = mr_registry_restore (registry, value, err);
        }
    }
    json_array_foreach (json_object_get (snapshot, "totals"), i, value)
    {
        if (status == MR_OK) {
            status = mr_registry_restore_totals (registry, value, err);
        }
    }
    return status;
}

static mr_status_t
read_snapshot (mr_registry_t *registry, const json_t *snapshot, mr_error_t *err)
{
    mr_fields_t fields;
    uint64_t version = 0;
    mr_fields_init (&fields, snapshot, "snapshot", err);
    mr_fields_u64 (&fields, "version", &version);
    if (fields.status == MR_OK && version != VERSION) {
        mr_error_set (err, "snapshot: version %llu, this program reads %d",
                      (unsigned long long)version, VERSION);
        return MR_INVALID;
    }
    const json_t *ended = mr_fields_object (&fields, "ended");
    const json_t *ledger = mr_fields_object (&fields, "ended_ledger");
    mr_fields_u64 (&fields, "ended_latency_count", &registry->ended_latency.count);
    mr_fields_double (&fields, "ended_latency_sum_ms", 0, &registry->ended_latency.sum_ms);
    (void)mr_fields_array (&fields, "lives");
    (void)mr_fields_array (&fields, "totals");
    (void)mr_fields_object (&fields, "operations");
    if (fields.status == MR_OK) {
        mr_counters_read_ledger (ledger, &registry->ended_ledger, &fields);
    }
    mr_status_t status = fields.status;
    if (status == MR_OK) {
        status = mr_counters_read_operations (ended, &registry->ended, err);
    }
    if (status == MR_OK) {
        status = read_lists (registry, snapshot, err);
    }
    /* Last: restoring counts as taking in. */
    mr_fields_u64 (&fields, "events", &registry->events);
    mr_fields_u64 (&fields, "malformed", &registry->malformed);
    mr_fields_u64 (&fields, "missed", &registry->missed);
    mr_fields_u64 (&fields, "late", &registry->late);
    return status == MR_OK ? fields.status : status;
}

mr_status_t
mr_snapshot_load (mr_registry_t *registry, const char *path, mr_error_t *err)
{
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? MR_CLOSED : mr_error_errno (err, "cannot read %s", path);
    }
    FILE *file = fdopen (fd, "r");
    if (file == NULL) {
        close (fd);
        return mr_error_errno (err, "cannot read %s", path);
    }
    json_error_t reason;
    json_t *snapshot = json_loadf (file, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &reason);
    fclose (file);
    mr_status_t status = MR_INVALID;
    if (snapshot == NULL) {
        mr_error_set (err, "bad JSON at byte %d: %s", reason.position, reason.text);
    } else {
        status = read_snapshot (registry, snapshot, err);
        json_decref (snapshot);
    }
    if (status == MR_INVALID) {
        char aside[PATH_MAX];
        snprintf (aside, sizeof aside, "%s.bad", path);
        if (rename (path, aside) == 0) {
            mr_error_prefix (err, "%s was broken and is set aside as %s", path, aside);
        } else {
            mr_error_prefix (err, "%s is broken", path);
        }
    }
    return status;
}
