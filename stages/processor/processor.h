/* processor: the second domain. Parses and changes the records of each batch by the steps of the
 * configuration; what cannot be parsed leaves as dead letters. */
#ifndef MR_STAGES_PROCESSOR_PROCESSOR_H
#define MR_STAGES_PROCESSOR_PROCESSOR_H

#include "common/runtime/stage.h"

extern const mr_stage_ops_t mr_processor_ops;

#endif
