#include "stages/ingest/ingest.h"

#include "common/base/log.h"
#include "stages/ingest/intake.h"
#include "stages/ingest/source.h"

#include <stdlib.h>

typedef struct ingest {
    mr_intake_t *intake;
} ingest_t;

static void
destroy (void **self_p)
{
    ingest_t *self = *self_p;
    mr_intake_destroy (&self->intake);
    free (self);
    *self_p = NULL;
}

typedef mr_status_t open_fn (ingest_t *self, mr_stage_t *stage, const mr_binding_t *binding,
                             mr_error_t *err);

static mr_status_t
open_pull (ingest_t *self, mr_stage_t *stage, const mr_binding_t *binding, mr_error_t *err)
{
    return mr_source_pull_new (stage, self->intake, binding, err);
}

static mr_status_t
open_router (ingest_t *self, mr_stage_t *stage, const mr_binding_t *binding, mr_error_t *err)
{
    return mr_source_router_new (stage, self->intake, binding, err);
}

static mr_status_t
open_tcp (ingest_t *self, mr_stage_t *stage, const mr_binding_t *binding, mr_error_t *err)
{
    return mr_source_tcp_new (stage, self->intake, binding, err);
}

static mr_status_t
open_all (ingest_t *self, mr_stage_t *stage, const char *key, open_fn *open, mr_error_t *err)
{
    const mr_config_t *config = mr_stage_config (stage);
    const mr_config_section_t *ingest = mr_config_section (config, "ingest");
    mr_binding_t binding = {
        .config = config,
        .slot = mr_stage_slot (stage),
        .mode = (mode_t)mr_config_number (ingest, "mode"),
    };
    while ((binding.entry = mr_config_next (ingest, key, binding.entry)) != NULL) {
        mr_status_t status = open (self, stage, &binding, err);
        if (status != MR_OK) {
            return status;
        }
    }
    return MR_OK;
}

/* A slot beyond the first has no addresses of its own when those of the configuration are for one
 * worker alone: it may run all the same, to bring what its journal holds to its end. */
static mr_status_t
open_sources (ingest_t *self, mr_stage_t *stage, mr_error_t *err)
{
    if (mr_stage_slot (stage) > 0 &&
        mr_config_many_ingests (mr_stage_config (stage), err) != MR_OK) {
        mr_log_warn ("nothing is taken in here, only what the journal holds is sent on: %s",
                     err->text);
        return MR_OK;
    }
    mr_status_t status = open_all (self, stage, "pull", open_pull, err);
    if (status == MR_OK) {
        status = open_all (self, stage, "router", open_router, err);
    }
    if (status == MR_OK) {
        status = open_all (self, stage, "tcp", open_tcp, err);
    }
    return status;
}

static mr_status_t
create (mr_stage_t *stage, void **ret_self, mr_error_t *err)
{
    ingest_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "ingest");
    }
    mr_status_t status = mr_intake_new (stage, &self->intake, err);
    if (status == MR_OK) {
        status = open_sources (self, stage, err);
    }
    if (status != MR_OK) {
        void *failed = self;
        destroy (&failed);
        return status;
    }
    *ret_self = self;
    return MR_OK;
}

static void
control (void *arg, const mr_control_t *message)
{
    ingest_t *self = arg;
    switch (message->type) {
    case MR_CONTROL_DONE:
        mr_intake_done (self->intake, message);
        break;
    case MR_CONTROL_REPORT:
        mr_intake_report (self->intake, message);
        break;
    case MR_CONTROL_LOSS:
        mr_intake_notice (self->intake);
        break;
    }
}

/* One of our own downstream connections broke. */
static void
lost (void *arg)
{
    ingest_t *self = arg;
    mr_intake_notice (self->intake);
}

static void
stop_intake (void *arg)
{
    ingest_t *self = arg;
    mr_intake_stop (self->intake);
}

static void
finish (void *arg)
{
    ingest_t *self = arg;
    mr_intake_finish (self->intake);
}

static bool
drained (void *arg)
{
    const ingest_t *self = arg;
    return mr_intake_drained (self->intake);
}

static void
tick (void *arg, int64_t mono_ns)
{
    ingest_t *self = arg;
    mr_intake_tick (self->intake, mono_ns);
}

static mr_status_t
counters (void *arg, mr_buffer_t *json)
{
    const ingest_t *self = arg;
    return mr_intake_counters (self->intake, json);
}

const mr_stage_ops_t mr_ingest_ops = {
    .name = "ingest",
    .help = "Takes records in over ZeroMQ and TCP and sends them on as batches.",
    .create = create,
    .control = control,
    .lost = lost,
    .tick = tick,
    .stop_intake = stop_intake,
    .drained = drained,
    .finish = finish,
    .counters = counters,
    .destroy = destroy,
};
