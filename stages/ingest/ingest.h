/* ingest: the first domain. Records come in over PULL, ROUTER and TCP, and leave as batches. */
#ifndef MR_STAGES_INGEST_INGEST_H
#define MR_STAGES_INGEST_INGEST_H

#include "common/runtime/stage.h"

extern const mr_stage_ops_t mr_ingest_ops;

#endif
