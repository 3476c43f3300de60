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
    if (strlen (path) >= MR_METRIC_FIELD_BYTES) {
        return; /* a fault, told by the rules of the configuration */
    }
    if (fields->count == MR_METRIC_FIELDS_MAX) {
        collector->overflow = true;
        return;
    }
    snprintf (fields->paths[fields->count++], MR_METRIC_FIELD_BYTES, "%s", path);
}

const mr_config_section_t *
mr_metric_fields_overflow (const mr_config_t *config, mr_metric_fields_t *ret_fields)
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
            return metric;
        }
    }
    return NULL;
}

void
mr_metric_fields_collect (const mr_config_t *config, mr_metric_fields_t *ret_fields)
{
    const mr_config_section_t *overflow = mr_metric_fields_overflow (config, ret_fields);
    MR_ASSERT (overflow == NULL);
}
