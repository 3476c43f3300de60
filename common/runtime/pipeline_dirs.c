#include "common/runtime/pipeline_dirs.h"

#include "common/base/dirs.h"

#include <stddef.h>

static mr_status_t
make_one (const mr_config_t *config, const char *key, mode_t mode, mr_error_t *err)
{
    const mr_config_section_t *pipeline = mr_config_section (config, "pipeline");
    mr_error_t why;
    mr_status_t status = mr_dirs_make (mr_config_text (pipeline, key), mode, &why);
    if (status == MR_OK) {
        return MR_OK;
    }
    const mr_config_entry_t *entry = mr_config_next (pipeline, key, NULL);
    if (entry != NULL) {
        return mr_config_fault (config, entry, err, "%s", why.text);
    }
    mr_error_set (err, "%s: [pipeline] %s (default): %s", mr_config_file (config), key, why.text);
    return MR_CONFIG;
}

mr_status_t
mr_pipeline_dirs_make (const mr_config_t *config, mr_error_t *err)
{
    mr_status_t status = make_one (config, "run_dir", 0700, err);
    if (status == MR_OK) {
        status = make_one (config, "data_dir", 0750, err);
    }
    return status == MR_OK ? make_one (config, "log_dir", 0750, err) : status;
}
