/* handover: the short way from the exporter's thread to a pump. What was just appended to the spool
 * is handed on in memory, so that a pump that keeps up reads and checks nothing again. Only a few
 * frames wait here; a pump that is behind, or begins, reads the spool, which has them all.
 *
 * One thread gives and one takes. */
#ifndef MR_STAGES_EXPORTER_HANDOVER_H
#define MR_STAGES_EXPORTER_HANDOVER_H

#include "common/base/seglog.h"
#include "common/runtime/share.h"
#include "common/wire/batch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MR_HANDOVER_FRAMES = 16, MR_HANDOVER_BYTES = 8 << 20 };

/* One frame of the spool. */
typedef struct mr_handed {
    uint64_t from;           /* end of the spool before it; no other frame lies in [from, next) */
    mr_seglog_frame_t frame; /* position, next, type, flags, words: as a reader gives them */
    mr_batch_t batch;        /* of a data frame; points into what `share` holds */
    size_t bytes;
    mr_share_t *share; /* NULL: `batch` is not there, for nothing of it is due */
} mr_handed_t;

typedef struct mr_handover {
    pthread_mutex_t lock;
    mr_handed_t ring[MR_HANDOVER_FRAMES];
    unsigned first;
    unsigned count;
    size_t bytes;
} mr_handover_t;

void mr_handover_init (mr_handover_t *self);
void mr_handover_release (mr_handover_t *self);

/* Give a frame; the share gets a holder more if it is taken. Frames without one that follow each
 * other become one. false: no room, the spool has it. */
bool mr_handover_give (mr_handover_t *self, const mr_handed_t *handed);

/* Take the frame that comes next at this position, if it ends at or below `end`; those before the
 * position are dropped. The caller releases the share. false: it is not here. */
bool mr_handover_take (mr_handover_t *self, uint64_t position, uint64_t end,
                       mr_handed_t *ret_handed);

#endif
