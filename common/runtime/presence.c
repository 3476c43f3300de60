#include "common/runtime/presence.h"

#include "common/base/clock.h"
#include "common/base/file_ops.h"
#include "common/base/log.h"

bool
mr_presence_look (mr_presence_t *self, mr_status_t status, const mr_error_t *err,
                  int64_t patience_ms, int64_t mono_ns)
{
    if (status == MR_OK) {
        *self = (mr_presence_t){.lost_ns = 0};
        return false;
    }
    bool taken = status == MR_AGAIN;
    bool passes = !taken && mr_file_may_pass (err->number);
    if (self->lost_ns == 0 || passes) {
        self->lost_ns = mono_ns;
    }
    if (!self->said && taken) {
        mr_log_error ("its place was taken when the run directory went away: %s; this one ends",
                      err->text);
    } else if (!self->said && passes) {
        mr_log_error ("the run directory is gone, and is made again as soon as it can be: %s",
                      err->text);
    } else if (!self->said) {
        mr_log_error ("the run directory is gone and cannot be made again: %s; unless somebody "
                      "makes it within %lld s, this one ends, and the next `millrace up` goes on",
                      err->text, (long long)(patience_ms / 1000));
    }
    self->said = true;
    return taken || (!passes && mono_ns - self->lost_ns >= patience_ms * MR_NS_PER_MS);
}
