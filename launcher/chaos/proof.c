#include "launcher/chaos/proof.h"

#include "common/runtime/worker.h"
#include "launcher/audit.h"
#include "launcher/chaos/scratch.h"
#include "launcher/lines.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The last row of each worker and producer. */
typedef struct rows {
    size_t producers;
    uint64_t last[MR_CHAOS_SLOTS][MR_ORACLE_PRODUCERS];
} rows_t;

static bool
is_there (const char *path)
{
    return access (path, F_OK) == 0;
}

static mr_status_t
read_records (const char *folder, mr_oracle_t *oracle, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    char path[PATH_MAX];
    for (int slot = 0; slot < MR_CHAOS_SLOTS && status == MR_OK; slot++) {
        mr_scratch_sink (folder, slot, path);
        if (is_there (path)) {
            status = mr_oracle_read_sink (oracle, path, err);
        }
        mr_scratch_dead (folder, slot, path);
        if (status == MR_OK && is_there (path)) {
            status = mr_oracle_read_dead (oracle, path, err);
        }
    }
    return status;
}

/* ---- metrics ---- */

static void
take_row (void *arg, const char *line, size_t bytes)
{
    rows_t *rows = arg;
    char stage[MR_WORKER_NAME_BYTES];
    int slot;
    json_t *row = json_loadb (line, bytes, JSON_ALLOW_NUL, NULL);
    const char *worker = json_string_value (json_object_get (row, "worker"));
    const char *p = json_string_value (json_object_get (json_object_get (row, "labels"), "p"));
    size_t producer = p != NULL ? (size_t)strtoul (p, NULL, 10) : rows->producers;
    if (worker != NULL && mr_worker_parse_name (worker, stage, &slot) == MR_OK && slot >= 0 &&
        slot < MR_CHAOS_SLOTS && producer < rows->producers) {
        rows->last[slot][producer] = (uint64_t)json_number_value (json_object_get (row, "value"));
    }
    json_decref (row);
}

static mr_status_t
read_metrics (const char *folder, size_t producers, mr_proof_t *proof, mr_error_t *err)
{
    mr_status_t status = MR_OK;
    rows_t rows = {.producers = producers};
    for (int slot = 0; slot < MR_CHAOS_SLOTS && status == MR_OK; slot++) {
        char path[PATH_MAX];
        mr_scratch_rows (folder, slot, path);
        if (is_there (path)) {
            status = mr_lines_each (path, take_row, &rows, err);
        }
    }
    proof->metrics_agree = true;
    for (size_t p = 0; p < producers; p++) {
        uint64_t sum = 0;
        for (int slot = 0; slot < MR_CHAOS_SLOTS; slot++) {
            sum += rows.last[slot][p];
        }
        if (sum != proof->records.exported_of[p]) {
            proof->metrics_agree = false;
            snprintf (proof->metrics, sizeof proof->metrics,
                      "metrics count %" PRIu64 " records of producer %zu, the sink has %" PRIu64,
                      sum, p, proof->records.exported_of[p]);
        }
    }
    return status;
}

/* ---- audit ---- */

static uint64_t
number (const json_t *audit, const char *key)
{
    return (uint64_t)json_integer_value (json_object_get (audit, key));
}

static mr_status_t
read_audit (const char *folder, mr_proof_t *proof, mr_error_t *err)
{
    char data_dir[PATH_MAX];
    json_t *audit = NULL;
    snprintf (data_dir, sizeof data_dir, "%.4000s/data", folder);
    mr_status_t status = mr_audit_read (data_dir, NULL, &audit, err);
    if (status == MR_OK) {
        proof->balanced = json_is_true (json_object_get (audit, "balanced")) &&
                          number (audit, "in_flight") == 0 && number (audit, "pending") == 0 &&
                          number (audit, "received") == proof->records.made;
        proof->replayed = number (audit, "replayed");
        proof->refused = number (audit, "duplicates_refused");
        json_decref (audit);
    }
    return status;
}

/* ---- the whole ---- */

mr_status_t
mr_proof_read (const char *folder, const uint64_t *made, size_t producers, mr_proof_t *ret_proof,
               mr_error_t *err)
{
    mr_proof_t proof = {0};
    mr_oracle_t *oracle = mr_oracle_new (made, producers);
    if (oracle == NULL) {
        return mr_error_errno (err, "cannot check the records");
    }
    mr_status_t status = read_records (folder, oracle, err);
    proof.records = mr_oracle_verdict (oracle);
    mr_oracle_destroy (&oracle);
    if (status == MR_OK) {
        status = read_metrics (folder, producers, &proof, err);
    }
    if (status == MR_OK) {
        status = read_audit (folder, &proof, err);
    }
    if (status == MR_OK) {
        *ret_proof = proof;
    }
    return status;
}

bool
mr_proof_holds (const mr_proof_t *self)
{
    const mr_oracle_verdict_t *records = &self->records;
    return records->lost == 0 && records->doubled == 0 && records->strangers == 0 &&
           records->misplaced == 0 && self->metrics_agree && self->balanced;
}

static void
add_words (mr_error_t *words, const char *more)
{
    size_t used = strlen (words->text);
    snprintf (words->text + used, sizeof words->text - used, "%s%s", used > 0 ? "; " : "", more);
}

static void
add_count (mr_error_t *words, const char *what, uint64_t count)
{
    char text[64];
    if (count > 0) {
        snprintf (text, sizeof text, "%s %" PRIu64, what, count);
        add_words (words, text);
    }
}

void
mr_proof_words (const mr_proof_t *self, mr_error_t *ret_words)
{
    ret_words->text[0] = '\0';
    add_count (ret_words, "lost", self->records.lost);
    add_count (ret_words, "doubled", self->records.doubled);
    add_count (ret_words, "lines that nobody sent", self->records.strangers);
    add_count (ret_words, "in the wrong place", self->records.misplaced);
    if (self->records.first[0] != '\0') {
        add_words (ret_words, self->records.first);
    }
    if (!self->metrics_agree) {
        add_words (ret_words, self->metrics);
    }
    if (!self->balanced) {
        add_words (ret_words, "the audit does not balance");
    }
}
