/* How fast things go: the growth of each life's own figures, so that a monitor that is started late
 * does not take a long life's total for the work of one second. */
#include "monitor/registry.h"

#include "common/base/clock.h"

#include <stdio.h>

static uint64_t
growth (uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

static void
note_operation (mr_registry_t *self, const mr_life_t *life, const mr_tally_t *now)
{
    char key[MR_EVENT_NAME_BYTES + MR_TALLY_KEY_BYTES];
    snprintf (key, sizeof key, "%s.%s", life->counters.domain, now->key);
    mr_operation_t *operation = mr_registry_operation (self, key);
    if (operation == NULL) {
        return;
    }
    const mr_tally_t *before = mr_tallies_find (&life->noted, now->key);
    operation->grown_batches += growth (now->count, before != NULL ? before->count : 0);
    operation->grown_records += growth (now->records, before != NULL ? before->records : 0);
}

static void
note_life (mr_registry_t *self, mr_life_t *life, int64_t mono_ns)
{
    bool has_counters = life->counters.state[0] != '\0';
    mr_tallies_t now;
    if ((!has_counters && !life->from_start) || mr_life_tallies (life, &now) != MR_OK) {
        return;
    }
    uint64_t most = 0;
    for (size_t i = 0; i < now.count; i++) {
        most = now.items[i].records > most ? now.items[i].records : most;
        if (life->is_noted || life->from_start) {
            note_operation (self, life, &now.items[i]);
        }
    }
    if (life->is_noted || life->from_start) {
        self->grown_received += growth (life->counters.ledger.received, life->noted_received);
    }
    if (!life->is_noted && life->from_start) {
        mr_rate_note (&life->records, mono_ns - MR_NS_PER_S, 0);
    }
    mr_rate_note (&life->records, mono_ns, most);
    mr_rate_note (&life->blocked, mono_ns, life->counters.blocked_ms);
    mr_tallies_release (&life->noted);
    life->noted = now;
    life->noted_received = life->counters.ledger.received;
    life->is_noted = true;
}

void
mr_registry_tick (mr_registry_t *self, int64_t mono_ns)
{
    for (size_t i = 0; i < self->life_count; i++) {
        note_life (self, self->lives[i], mono_ns);
    }
    for (size_t i = 0; i < self->operation_count; i++) {
        mr_operation_t *operation = self->operations[i];
        mr_rate_note (&operation->batches, mono_ns, operation->grown_batches);
        mr_rate_note (&operation->records, mono_ns, operation->grown_records);
    }
    mr_rate_note (&self->received, mono_ns, self->grown_received);
}
