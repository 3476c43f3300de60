#include "common/runtime/pipeline_dirs.h"

#include "common/base/dirs.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>

enum { DIRS = 3 };

static const struct {
    const char *key;
    mode_t mode;
} dirs[DIRS] = {{"run_dir", 0700}, {"data_dir", 0750}, {"log_dir", 0750}};

mr_status_t
mr_pipeline_dirs_make (const mr_config_t *config, mr_error_t *err)
{
    const mr_config_section_t *pipeline = mr_config_section (config, "pipeline");
    for (size_t i = 0; i < DIRS; i++) {
        mr_error_t why;
        if (mr_dirs_make (mr_config_text (pipeline, dirs[i].key), dirs[i].mode, &why) == MR_OK) {
            continue;
        }
        const mr_config_entry_t *entry = mr_config_next (pipeline, dirs[i].key, NULL);
        if (entry != NULL) {
            return mr_config_fault (config, entry, err, "%s", why.text);
        }
        mr_error_set (err, "%s: [pipeline] %s (default): %s", mr_config_path (config), dirs[i].key,
                      why.text);
        return MR_CONFIG;
    }
    return MR_OK;
}

/* Whether path is below one of the directories that cannot be made: that one was told already. */
static bool
is_below (const char *path, const char *const bad[DIRS])
{
    for (size_t i = 0; i < DIRS; i++) {
        size_t bytes = bad[i] != NULL ? strlen (bad[i]) : 0;
        if (bytes > 0 && strncmp (path, bad[i], bytes) == 0 &&
            (path[bytes] == '/' || path[bytes] == '\0')) {
            return true;
        }
    }
    return false;
}

void
mr_pipeline_dirs_probe (mr_config_t *config)
{
    const mr_config_section_t *pipeline = mr_config_section (config, "pipeline");
    const char *bad[DIRS] = {NULL};
    for (size_t i = 0; i < DIRS; i++) {
        const char *key = dirs[i].key;
        const char *path = mr_config_text (pipeline, key);
        mr_error_t why;
        if (!mr_config_sound (pipeline, key) || is_below (path, bad) ||
            mr_dirs_probe (path, dirs[i].mode, true, &why) == MR_OK) {
            continue;
        }
        bad[i] = path;
        bool written = mr_config_next (pipeline, key, NULL) != NULL;
        mr_config_reject_key (config, pipeline, key, "%s%s", why.text,
                              written ? "" : " (this is the default)");
    }
}
