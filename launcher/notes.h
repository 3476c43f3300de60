/* notes: print what the launcher tells while a command waits. A death is told only when its worker
 * runs again, or when that takes long: of one that does not come back the answer says it all, once.
 * Not thread safe. */
#ifndef MR_LAUNCHER_NOTES_H
#define MR_LAUNCHER_NOTES_H

#include "common/runtime/worker.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum { MR_NOTES_TEXT_BYTES = 2048 };

typedef struct mr_notes {
    FILE *voice;   /* where to; borrowed */
    bool starting; /* of a start only stages are told, and who is given up is left to the answer */

    /* Its own. */
    char worker[MR_WORKER_NAME_BYTES]; /* whose death is not told yet; "" nobody's */
    char death[MR_NOTES_TEXT_BYTES];
    int64_t since_ns;
} mr_notes_t;

/* A note, or NULL after a moment without one (see client.h); now_ns: monotonic. */
void mr_notes_take (mr_notes_t *self, const json_t *note, int64_t now_ns);

#endif
