#include "stages/exporter/sink.h"

static mr_status_t
open_nothing (void *self, const mr_cursor_state_t *committed, bool same_boot, mr_error_t *err)
{
    (void)self;
    (void)committed;
    (void)same_boot;
    (void)err;
    return MR_OK;
}

static mr_status_t
write_nothing (void *self, const struct iovec *iov, int count, mr_error_t *err)
{
    (void)self;
    (void)iov;
    (void)count;
    (void)err;
    return MR_OK;
}

static void
end_nothing (void *self)
{
    (void)self;
}

mr_sink_t
mr_sink_none (void)
{
    return (mr_sink_t){
        .open = open_nothing,
        .write = write_nothing,
        .close = end_nothing,
        .destroy = end_nothing,
    };
}
