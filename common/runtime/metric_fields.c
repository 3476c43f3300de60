#include "common/runtime/metric_fields.h"

#include <stdio.h>
#include <string.h>

typedef struct collector {
    mr_metric_fields_t *fields;
    bool overflow;
} collector_t;

size_t
mr_metric_fields_find (const mr_metric_fields_t *self, const char *path)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->paths[i], path) == 0) {
            return i;
        }
    }
    return MR_METRIC_FIELDS_MAX;
}

static void
add (const char *path, void *arg)
{
    collector_t *collector = arg;
    mr_metric_fields_t *fields = collector->fields;
    if (mr_metric_fields_find (fields, path) < MR_METRIC_FIELDS_MAX) {
        return;
    }
    if (fields->count == MR_METRIC_FIELDS_MAX || strlen (path) >= MR_METRIC_FIELD_BYTES) {
        collector->overflow = true;
        return;
    }
    snprintf (fields->paths[fields->count++], MR_METRIC_FIELD_BYTES, "%s", path);
}

mr_status_t
mr_metric_fields_collect (const mr_config_t *config, mr_metric_fields_t *ret_fields,
                          mr_error_t *err)
{
    collector_t collector = {.fields = ret_fields};
    ret_fields->count = 0;
    const mr_config_section_t *metric = NULL;
    while ((metric = mr_config_next_section (config, "metric", metric)) != NULL) {
        const char *field = mr_config_text (metric, "field");
        const char *by = mr_config_text (metric, "by");
        if (field != NULL) {
            add (field, &collector);
        }
        if (by != NULL) {
            mr_config_words (by, add, &collector);
        }
        if (collector.overflow) {
            mr_error_set (err,
                          "%s:%d: [metric %s]: the metrics read more than %d fields, or one whose "
                          "name has over %d bytes",
                          mr_config_file (config), mr_config_section_line (metric),
                          mr_config_section_name (metric), MR_METRIC_FIELDS_MAX,
                          MR_METRIC_FIELD_BYTES - 1);
            return MR_CONFIG;
        }
    }
    return MR_OK;
}
