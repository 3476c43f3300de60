/* skeleton: the stage skeleton's place, held without processes: a stage is made from the real ops
 * table, is given frames that are decoded as the real skeleton does, and what it passes on is
 * encoded the same way and kept, so that the next stage can be given it. No sockets, no bus, no
 * other process: the same instructions in every run. Not thread safe. */
#ifndef MR_TESTS_BENCH_GUARD_SKELETON_H
#define MR_TESTS_BENCH_GUARD_SKELETON_H

#include "common/runtime/config.h"
#include "common/runtime/stage.h"

#include <stddef.h>

enum { MR_GUARD_FRAMES = 64 };

/* Frames in the order in which they came; each is malloc'ed. */
typedef struct mr_guard_frames {
    void *data[MR_GUARD_FRAMES];
    size_t bytes[MR_GUARD_FRAMES];
    int count;
} mr_guard_frames_t;

void mr_guard_frames_release (mr_guard_frames_t *self);

/* A stage with this name and table. ops NULL: its parts are used one by one, not through a table.
 *   config, ret_sent  borrowed; what the stage passes on is added to ret_sent
 * Ends the process where something fails: there is nothing to go on with. */
mr_stage_t *mr_guard_stage_new (const char *name, const mr_stage_ops_t *ops, mr_config_t *config,
                                mr_guard_frames_t *ret_sent);
void mr_guard_stage_destroy (mr_stage_t **self_p);

/* Hand one frame to the stage: decode, check, handle. */
void mr_guard_stage_take (mr_stage_t *self, const void *frame, size_t bytes);

#endif
