#include "common/runtime/stage.h"

#include "common/runtime/stage_private.h"

const mr_config_t *
mr_stage_config (const mr_stage_t *self)
{
    return self->config;
}

mr_loop_t *
mr_stage_loop (mr_stage_t *self)
{
    return self->loop;
}

void *
mr_stage_zmq (mr_stage_t *self)
{
    return self->zmq;
}

const char *
mr_stage_worker (const mr_stage_t *self)
{
    return mr_worker_name (self->worker);
}

int
mr_stage_slot (const mr_stage_t *self)
{
    return self->slot;
}

uint64_t
mr_stage_incarnation (const mr_stage_t *self)
{
    return mr_worker_incarnation (self->worker);
}

bool
mr_stage_leaving (const mr_stage_t *self)
{
    return self->leaving;
}

_Atomic uint64_t *
mr_stage_crumb (mr_stage_t *self)
{
    return &mr_worker_page (self->worker)->crumb;
}

const mr_stage_callbacks_t *
mr_stage_callbacks (mr_stage_t *self)
{
    return &self->callbacks;
}

void
mr_stage_publish (mr_stage_t *self, const char *topic, const mr_buffer_t *json)
{
    mr_bus_publish (self->bus, topic, json);
}

mr_status_t
mr_stage_stamp (mr_stage_t *self, mr_buffer_t *json)
{
    return mr_bus_stamp (self->bus, json);
}

void
mr_stage_frame (mr_stage_t *self, const void **ret_frame, size_t *ret_bytes)
{
    *ret_frame = zmq_msg_data (&self->frame);
    *ret_bytes = zmq_msg_size (&self->frame);
}

mr_share_t *
mr_stage_share (mr_stage_t *self)
{
    return mr_share_new (&self->frame);
}
