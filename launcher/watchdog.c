#include "launcher/watchdog.h"

#include "common/base/clock.h"

bool
mr_watchdog_look (mr_watchdog_t *self, const mr_worker_traces_t *traces, int64_t hang_ms,
                  int64_t now_ns)
{
    bool same = self->since_ns != 0 && self->incarnation == traces->incarnation &&
                self->progress == traces->progress && self->crumb == traces->crumb;
    if (!traces->holding || !same) {
        self->incarnation = traces->incarnation;
        self->progress = traces->progress;
        self->crumb = traces->crumb;
        self->since_ns = traces->holding ? now_ns : 0;
        return false;
    }
    return now_ns - self->since_ns >= hang_ms * MR_NS_PER_MS;
}
