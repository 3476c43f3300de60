#include "common/runtime/stage_private.h"

bool
mr_stage_hold (mr_stage_t *self, int64_t mono_ns)
{
    mr_error_t err = {.text = ""};
    int64_t patience_ms =
        MR_PRESENCE_WORKER_MS +
        mr_config_number (mr_config_section (self->config, "pipeline"), "stop_timeout");
    mr_status_t status = mr_worker_hold (self->worker, &err);
    if (status == MR_OK) { /* only who has the lock may have the path */
        status = mr_inbox_hold (self->inbox, &err);
    }
    return mr_presence_look (&self->presence, status, &err, patience_ms, mono_ns);
}
