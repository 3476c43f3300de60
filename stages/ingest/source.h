/* source: the ways in. Each constructor binds, registers with the stage's loop and hands itself to
 * the intake, which owns it from then on. On failure err is complete. */
#ifndef MR_STAGES_INGEST_SOURCE_H
#define MR_STAGES_INGEST_SOURCE_H

#include "common/base/status.h"
#include "common/runtime/stage.h"
#include "stages/ingest/binding.h"
#include "stages/ingest/intake.h"
#include "stages/ingest/producers.h"

/* PULL: each frame a record, or with `[ingest] framing = lines` a chunk of lines. */
MR_CHECK mr_status_t mr_source_pull_new (mr_stage_t *stage, mr_intake_t *intake,
                                         const mr_binding_t *binding, mr_error_t *err);

/* ROUTER: acknowledged producers. */
MR_CHECK mr_status_t mr_source_router_new (mr_stage_t *stage, mr_intake_t *intake,
                                           const mr_binding_t *binding, mr_error_t *err);

/* TCP: lines. */
MR_CHECK mr_status_t mr_source_tcp_new (mr_stage_t *stage, mr_intake_t *intake,
                                        const mr_binding_t *binding, mr_error_t *err);

#endif
