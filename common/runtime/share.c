#include "common/runtime/share.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <zmq.h>

struct mr_share {
    zmq_msg_t msg;
    atomic_uint holders;
};

mr_share_t *
mr_share_new (void *msg)
{
    mr_share_t *self = malloc (sizeof *self);
    if (self == NULL) {
        return NULL;
    }
    zmq_msg_init (&self->msg);
    if (zmq_msg_copy (&self->msg, msg) != 0) {
        free (self);
        return NULL;
    }
    atomic_init (&self->holders, 1);
    return self;
}

mr_share_t *
mr_share_hold (mr_share_t *self)
{
    atomic_fetch_add (&self->holders, 1);
    return self;
}

void
mr_share_release (mr_share_t **self_p)
{
    mr_share_t *self = *self_p;
    *self_p = NULL;
    if (self != NULL && atomic_fetch_sub (&self->holders, 1) == 1) {
        zmq_msg_close (&self->msg);
        free (self);
    }
}
