#include "stages/exporter/claims.h"

#include "common/runtime/worker.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct mr_claims {
    char data_dir[PATH_MAX];
    mr_window_t *windows[MR_WORKER_MAX_SLOTS]; /* by slot of ingest; NULL: not opened yet */
};

mr_status_t
mr_claims_new (const char *data_dir, mr_claims_t **ret_claims)
{
    mr_claims_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    snprintf (self->data_dir, sizeof self->data_dir, "%s", data_dir);
    *ret_claims = self;
    return MR_OK;
}

void
mr_claims_destroy (mr_claims_t **self_p)
{
    mr_claims_t *self = *self_p;
    if (self != NULL) {
        for (int i = 0; i < MR_WORKER_MAX_SLOTS; i++) {
            mr_window_close (&self->windows[i]);
        }
        free (self);
        *self_p = NULL;
    }
}

mr_status_t
mr_claims_window (mr_claims_t *self, const mr_batch_t *batch, mr_window_t **ret_window,
                  mr_error_t *err)
{
    if (batch->origin >= MR_WORKER_MAX_SLOTS) {
        return MR_CLOSED;
    }
    mr_window_t **window = &self->windows[batch->origin];
    if (*window != NULL && mr_window_journal (*window) != batch->journal) {
        mr_window_close (window); /* the journal was deleted and made anew */
    }
    if (*window == NULL) {
        char path[PATH_MAX + 32];
        snprintf (path, sizeof path, "%s/ingest.%u.window", self->data_dir, batch->origin);
        mr_status_t status = mr_window_open (path, batch->journal, window, err);
        if (status != MR_OK) {
            return status;
        }
    }
    *ret_window = *window;
    return MR_OK;
}
