/* drops: records that nobody has had because of on_full = drop_oldest: of each exporter, as many as
 * every one of its sinks for records let go. Embedded; not thread safe. */
#ifndef MR_LAUNCHER_DROPS_H
#define MR_LAUNCHER_DROPS_H

#include "common/base/slots.h"
#include "common/delivery/cursor.h"

#include <stdbool.h>
#include <stdint.h>

/* Begin with zeros. */
typedef struct mr_drops {
    bool seen[MR_SLOTS_MAX];               /* the exporter has a sink for records, and ... */
    mr_cursor_state_t least[MR_SLOTS_MAX]; /* ... none of them let go less */
} mr_drops_t;

/* The cursor of a sink of exporter `slot`. */
void mr_drops_add (mr_drops_t *self, int slot, const mr_cursor_state_t *state);

/* Records of this journal, of all exporters. */
uint64_t mr_drops_of (const mr_drops_t *self, uint64_t journal);

#endif
