/* metric_fields: the fields that the [metric NAME] rules read, in one order that the processor, who
 * notes where they are in each record, and the metrics stage, who reads them there, both derive
 * from the same configuration. The batch's config_hash says whether it was the same. */
#ifndef MR_COMMON_RUNTIME_METRIC_FIELDS_H
#define MR_COMMON_RUNTIME_METRIC_FIELDS_H

#include "common/base/status.h"
#include "common/runtime/config.h"

#include <stddef.h>
#include <stdint.h>

enum { MR_METRIC_FIELDS_MAX = 64, MR_METRIC_FIELD_BYTES = 256 };

/* Each path once: for each [metric] in the order of the file its `field`, then its `by`. */
typedef struct mr_metric_fields {
    size_t count;
    char paths[MR_METRIC_FIELDS_MAX][MR_METRIC_FIELD_BYTES];
} mr_metric_fields_t;

/* Of a configuration without faults. */
void mr_metric_fields_collect (const mr_config_t *config, mr_metric_fields_t *ret_fields);

/* For the rules of the configuration: the [metric] that reads more fields than there is room for,
 * NULL when all fit. */
const mr_config_section_t *mr_metric_fields_overflow (const mr_config_t *config,
                                                      mr_metric_fields_t *ret_fields);

/* Place of a path in the list; MR_METRIC_FIELDS_MAX when it is not there. */
size_t mr_metric_fields_find (const mr_metric_fields_t *self, const char *path);

#endif
