#include "monitor/registry.h"

#include "monitor/lives.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The operations that exist from the start, so that every report has its full shape before any
 * traffic. A stage that is not built in gets "handle", which the skeleton gives every stage. */
static const char *
known_operation (const char *stage)
{
    static const char *const known[][2] = {
        {"ingest", "receive"},
        {"exporter", "spool"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp (known[i][0], stage) == 0) {
            return known[i][1];
        }
    }
    return "handle";
}

static mr_status_t
add_stage (mr_registry_t *self, const char *stage, mr_error_t *err)
{
    size_t bytes = strlen (stage);
    if (self->chain_count == MR_REGISTRY_STAGES || !mr_fields_is_name (stage, bytes)) {
        mr_error_set (err, "chain: bad stage %s, or more than %d stages", stage,
                      MR_REGISTRY_STAGES);
        return MR_INVALID;
    }
    memcpy (self->chain[self->chain_count++], stage, bytes + 1);
    char key[MR_TALLY_KEY_BYTES];
    snprintf (key, sizeof key, "%s.%s", stage, known_operation (stage));
    return mr_registry_operation (self, key) != NULL ? MR_OK : MR_SYSTEM;
}

mr_status_t
mr_registry_new (const char *const *stages, size_t count, mr_registry_t **ret_registry,
                 mr_error_t *err)
{
    mr_registry_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    mr_status_t status = MR_OK;
    for (size_t i = 0; status == MR_OK && i < count; i++) {
        status = add_stage (self, stages[i], err);
    }
    if (status != MR_OK) {
        mr_registry_destroy (&self);
        return status;
    }
    *ret_registry = self;
    return MR_OK;
}

void
mr_registry_destroy (mr_registry_t **self_p)
{
    mr_registry_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    for (size_t i = 0; i < self->life_count; i++) {
        mr_life_destroy (&self->lives[i]);
    }
    for (size_t i = 0; i < self->operation_count; i++) {
        free (self->operations[i]);
    }
    for (size_t i = 0; i < self->totals_count; i++) {
        mr_totals_destroy (&self->totals[i]);
    }
    mr_tallies_release (&self->ended);
    free (self->lives);
    free (self->operations);
    free (self->workers);
    free (self);
    *self_p = NULL;
}

mr_operation_t *
mr_registry_operation (mr_registry_t *self, const char *key)
{
    for (size_t i = 0; i < self->operation_count; i++) {
        if (strcmp (self->operations[i]->key, key) == 0) {
            return self->operations[i];
        }
    }
    if (self->operation_count == MR_TALLY_MAX_KEYS || strlen (key) >= MR_TALLY_KEY_BYTES) {
        return NULL;
    }
    mr_operation_t **operations =
        realloc (self->operations, (self->operation_count + 1) * sizeof (mr_operation_t *));
    if (operations == NULL) {
        return NULL;
    }
    self->operations = operations;
    mr_operation_t *operation = calloc (1, sizeof *operation);
    if (operation != NULL) {
        memcpy (operation->key, key, strlen (key) + 1);
        operations[self->operation_count++] = operation;
    }
    return operation;
}

static size_t
place_in_chain (const mr_registry_t *self, const char *stage)
{
    for (size_t i = 0; i < self->chain_count; i++) {
        if (strcmp (self->chain[i], stage) == 0) {
            return i;
        }
    }
    return self->chain_count;
}

static bool
comes_after (const mr_registry_t *self, const mr_worker_info_t *left, const mr_worker_info_t *right)
{
    size_t a = place_in_chain (self, left->stage);
    size_t b = place_in_chain (self, right->stage);
    if (a != b) {
        return a > b;
    }
    int order = strcmp (left->stage, right->stage);
    return order != 0 ? order > 0 : left->slot > right->slot;
}

mr_status_t
mr_registry_workers (mr_registry_t *self, const mr_worker_info_t *workers, size_t count)
{
    mr_worker_info_t *sorted = calloc (count + 1, sizeof *sorted);
    if (sorted == NULL) {
        return MR_SYSTEM;
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && comes_after (self, &sorted[at - 1], &workers[i]); at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = workers[i];
    }
    free (self->workers);
    self->workers = sorted;
    self->worker_count = count;
    return MR_OK;
}

/* Copy the totals of the ended lives, then add the others. */
mr_status_t
mr_registry_tallies (const mr_registry_t *self, mr_tallies_t *ret_tallies)
{
    mr_tallies_t sum;
    mr_tallies_init (&sum);
    mr_status_t status = MR_OK;
    for (size_t i = 0; status == MR_OK && i < self->operation_count; i++) {
        status = mr_tallies_get (&sum, self->operations[i]->key) != NULL ? MR_OK : MR_SYSTEM;
    }
    if (status == MR_OK) {
        status = mr_tallies_add (&sum, NULL, &self->ended);
    }
    for (size_t i = 0; status != MR_SYSTEM && i < self->life_count; i++) {
        status = mr_life_add (self->lives[i], &sum);
    }
    if (status == MR_SYSTEM) {
        mr_tallies_release (&sum);
        return status;
    }
    *ret_tallies = sum;
    return MR_OK;
}

/* Latency's sums are of all lives; its quantiles are of those that live, or, when none does, of
 * those that ended: the last figures are better than none. */
static void
add_latency (mr_latency_t *sum, const mr_latency_t *from, bool quantiles)
{
    sum->count += from->count;
    sum->sum_ms += from->sum_ms;
    if (quantiles) {
        sum->p50_ms = from->p50_ms > sum->p50_ms ? from->p50_ms : sum->p50_ms;
        sum->p95_ms = from->p95_ms > sum->p95_ms ? from->p95_ms : sum->p95_ms;
        sum->p99_ms = from->p99_ms > sum->p99_ms ? from->p99_ms : sum->p99_ms;
        sum->max_ms = from->max_ms > sum->max_ms ? from->max_ms : sum->max_ms;
    }
}

/* A ledger belongs to a journal, which outlives the lives of its worker: the latest one speaks for
 * all, and after its death still does. */
bool
mr_registry_is_latest (const mr_registry_t *self, const mr_life_t *life)
{
    const mr_stamp_t *own = &life->counters.stamp;
    for (size_t i = 0; i < self->life_count; i++) {
        const mr_stamp_t *other = &self->lives[i]->counters.stamp;
        if (other->ts_ns > own->ts_ns && self->lives[i]->counters.has_ledger &&
            strcmp (other->worker, own->worker) == 0) {
            return false;
        }
    }
    return true;
}

static bool
an_exporter_lives (const mr_registry_t *self)
{
    for (size_t i = 0; i < self->life_count; i++) {
        const mr_life_t *life = self->lives[i];
        if (life->counters.has_latency && mr_registry_lives (self, life)) {
            return true;
        }
    }
    return false;
}

void
mr_registry_pipeline (const mr_registry_t *self, mr_pipeline_t *ret_pipeline)
{
    mr_pipeline_t sum = {.ledger = self->ended_ledger, .latency = self->ended_latency};
    bool living_only = an_exporter_lives (self);
    for (size_t i = 0; i < self->life_count; i++) {
        const mr_life_t *life = self->lives[i];
        bool lives = mr_registry_lives (self, life);
        if (life->counters.has_ledger && mr_registry_is_latest (self, life)) {
            mr_ledger_add (&sum.ledger, &life->counters.ledger, true);
        }
        if (life->counters.has_latency) {
            add_latency (&sum.latency, &life->counters.latency, lives || !living_only);
        }
    }
    sum.completed = sum.ledger.exported + sum.ledger.filtered;
    sum.failed = sum.ledger.dead + sum.ledger.lost;
    *ret_pipeline = sum;
}
