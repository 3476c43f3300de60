/* exporter: the last domain. Gives each batch to the sinks, keeps its dead letters in
 * DATA/dead/, and tells ingest that it is done. */
#ifndef MR_STAGES_EXPORTER_EXPORTER_H
#define MR_STAGES_EXPORTER_EXPORTER_H

#include "common/runtime/stage.h"

extern const mr_stage_ops_t mr_exporter_ops;

#endif
