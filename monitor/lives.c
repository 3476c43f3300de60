#include "monitor/lives.h"

#include "common/base/slots.h"

#include <stdlib.h>
#include <string.h>

void
mr_life_destroy (mr_life_t **self_p)
{
    mr_life_t *self = *self_p;
    if (self == NULL) {
        return;
    }
    mr_counters_release (&self->counters);
    mr_tallies_release (&self->since);
    mr_tallies_release (&self->noted);
    free (self);
    *self_p = NULL;
}

mr_status_t
mr_life_add (const mr_life_t *life, mr_tallies_t *sum)
{
    const char *domain = life->counters.domain;
    mr_status_t status = mr_tallies_add (sum, domain, &life->counters.operations);
    mr_status_t more = mr_tallies_add (sum, domain, &life->since);
    return status != MR_OK ? status : more;
}

mr_status_t
mr_life_tallies (const mr_life_t *life, mr_tallies_t *ret_tallies)
{
    mr_tallies_t sum;
    mr_tallies_init (&sum);
    if (mr_tallies_add (&sum, NULL, &life->counters.operations) == MR_SYSTEM ||
        mr_tallies_add (&sum, NULL, &life->since) == MR_SYSTEM) {
        mr_tallies_release (&sum);
        return MR_SYSTEM;
    }
    *ret_tallies = sum;
    return MR_OK;
}

void
mr_ledger_add (mr_ledger_t *sum, const mr_ledger_t *from, bool in_flight)
{
    sum->received += from->received;
    sum->exported += from->exported;
    sum->filtered += from->filtered;
    sum->dead += from->dead;
    sum->dropped += from->dropped;
    sum->lost += from->lost;
    if (in_flight) {
        sum->in_flight += from->in_flight;
        sum->in_flight_batches += from->in_flight_batches;
    }
}

static const mr_worker_info_t *
lock_of (const mr_registry_t *self, const char *worker)
{
    for (size_t i = 0; i < self->worker_count; i++) {
        if (strcmp (self->workers[i].name, worker) == 0) {
            return &self->workers[i];
        }
    }
    return NULL;
}

bool
mr_registry_lives (const mr_registry_t *self, const mr_life_t *life)
{
    const mr_worker_info_t *lock = lock_of (self, life->counters.stamp.worker);
    return lock != NULL && lock->alive && lock->incarnation == life->counters.stamp.incarnation;
}

const mr_life_t *
mr_registry_life (const mr_registry_t *self, const mr_worker_info_t *worker)
{
    for (size_t i = 0; i < self->life_count; i++) {
        const mr_stamp_t *stamp = &self->lives[i]->counters.stamp;
        if (stamp->incarnation == worker->incarnation &&
            strcmp (stamp->worker, worker->name) == 0) {
            return self->lives[i];
        }
    }
    return NULL;
}

/* A ledger is the whole of a journal, which may have another life of its worker still: the last one
 * that spoke for it stays, or the next would tell of the same records once more. There are no more
 * of these than workers. */
static bool
speaks_for_journal (const mr_registry_t *self, const mr_life_t *life, size_t *kept)
{
    return life->counters.has_ledger && mr_registry_is_latest (self, life) &&
           ++*kept <= MR_SLOTS_MAX;
}

/* The life that went longest without an event, among those that may be forgotten. */
static size_t
oldest_ended (const mr_registry_t *self, size_t *ret_ended)
{
    size_t oldest = self->life_count;
    size_t kept = 0;
    *ret_ended = 0;
    for (size_t i = 0; i < self->life_count; i++) {
        if (mr_registry_lives (self, self->lives[i]) ||
            speaks_for_journal (self, self->lives[i], &kept)) {
            continue;
        }
        ++*ret_ended;
        if (oldest == self->life_count || self->lives[i]->seen_ns < self->lives[oldest]->seen_ns) {
            oldest = i;
        }
    }
    return oldest;
}

/* Sum up what has ended, so that memory does not grow with the number of restarts. */
static mr_status_t
make_room (mr_registry_t *self)
{
    size_t ended = 0;
    size_t at = oldest_ended (self, &ended);
    if (ended < MR_REGISTRY_ENDED) {
        return MR_OK;
    }
    mr_life_t *life = self->lives[at];
    if (mr_life_add (life, &self->ended) == MR_SYSTEM) {
        return MR_SYSTEM;
    }
    if (life->counters.has_ledger && mr_registry_is_latest (self, life)) {
        mr_ledger_add (&self->ended_ledger, &life->counters.ledger, false);
    }
    self->ended_latency.count += life->counters.latency.count;
    self->ended_latency.sum_ms += life->counters.latency.sum_ms;
    self->forgotten[self->forgotten_count++ % MR_REGISTRY_FORGOTTEN] =
        life->counters.stamp.incarnation;
    mr_life_destroy (&self->lives[at]);
    self->lives[at] = self->lives[--self->life_count];
    return MR_OK;
}

static bool
is_forgotten (const mr_registry_t *self, uint64_t incarnation)
{
    uint64_t count = self->forgotten_count < MR_REGISTRY_FORGOTTEN ? self->forgotten_count
                                                                   : MR_REGISTRY_FORGOTTEN;
    for (uint64_t i = 0; i < count; i++) {
        if (self->forgotten[i] == incarnation) {
            return true;
        }
    }
    return false;
}

static mr_life_t *
add_life (mr_registry_t *self, const mr_stamp_t *stamp)
{
    if (make_room (self) != MR_OK) {
        return NULL;
    }
    mr_life_t **lives = realloc (self->lives, (self->life_count + 1) * sizeof (mr_life_t *));
    if (lives == NULL) {
        return NULL;
    }
    self->lives = lives;
    mr_life_t *life = calloc (1, sizeof *life);
    if (life != NULL) {
        life->counters.stamp = *stamp;
        /* What was sent before we listened is not missed: counters make up for it. */
        life->last_seq = stamp->event_seq - 1;
        lives[self->life_count++] = life;
    }
    return life;
}

static mr_life_t *
find_life (const mr_registry_t *self, const mr_stamp_t *stamp)
{
    for (size_t i = 0; i < self->life_count; i++) {
        const mr_stamp_t *known = &self->lives[i]->counters.stamp;
        if (known->incarnation == stamp->incarnation &&
            strcmp (known->worker, stamp->worker) == 0) {
            return self->lives[i];
        }
    }
    return NULL;
}

mr_status_t
mr_lives_see (mr_registry_t *self, const mr_stamp_t *stamp, int64_t mono_ns, mr_life_t **ret_life)
{
    mr_life_t *life = find_life (self, stamp);
    if (life == NULL && is_forgotten (self, stamp->incarnation)) {
        self->late++;
        return MR_CLOSED;
    }
    if (life == NULL) {
        life = add_life (self, stamp);
        if (life == NULL) {
            return MR_SYSTEM;
        }
        life->from_start = stamp->event_seq == 1 && mono_ns != 0;
    }
    if (stamp->event_seq <= life->last_seq) {
        self->late++;
        return MR_CLOSED;
    }
    if (life->seen_ns != 0) {
        life->missed += stamp->event_seq - life->last_seq - 1;
        self->missed += stamp->event_seq - life->last_seq - 1;
    }
    life->last_seq = stamp->event_seq;
    life->seen_ns = mono_ns;
    *ret_life = life;
    return MR_OK;
}

void
mr_life_replace (mr_life_t *life, mr_counters_t *counters)
{
    mr_counters_release (&life->counters);
    life->counters = *counters;
    mr_tallies_init (&counters->operations);
    mr_tallies_clear (&life->since);
}
