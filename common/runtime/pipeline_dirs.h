/* pipeline_dirs: make the directories of [pipeline], with faults that name the key. */
#ifndef MR_COMMON_RUNTIME_PIPELINE_DIRS_H
#define MR_COMMON_RUNTIME_PIPELINE_DIRS_H

#include "common/base/status.h"
#include "common/runtime/config.h"

/* Make run_dir (0700), data_dir and log_dir (0750) where they are missing.
 * MR_OK; MR_CONFIG: "file:line: [pipeline] key: why". */
MR_CHECK mr_status_t mr_pipeline_dirs_make (const mr_config_t *config, mr_error_t *err);

/* Try whether they could be made and written in, and leave nothing behind; what cannot be becomes a
 * fault of config. Keys that have a fault already are left alone. */
void mr_pipeline_dirs_probe (mr_config_t *config);

#endif
