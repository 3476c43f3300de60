#include "launcher/drops.h"

#include "common/base/slots.h"

void
mr_drops_add (mr_drops_t *self, int slot, const mr_cursor_state_t *state)
{
    if (state->input != MR_CURSOR_RECORDS) {
        return;
    }
    mr_cursor_state_t *least = &self->least[slot];
    if (!self->seen[slot]) {
        *least = *state;
    }
    self->seen[slot] = true;
    for (int i = 0; i < MR_CURSOR_DROPS - 1; i++) {
        uint64_t journal = least->drops[i].journal;
        uint64_t records = journal != 0 ? mr_cursor_dropped (state, journal) : 0;
        if (records < least->drops[i].records) {
            least->drops[i].records = records;
        }
    }
}

uint64_t
mr_drops_of (const mr_drops_t *self, uint64_t journal)
{
    uint64_t records = 0;
    for (int slot = 0; slot < MR_SLOTS_MAX; slot++) {
        records += mr_cursor_dropped (&self->least[slot], journal);
    }
    return records;
}
