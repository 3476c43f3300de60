/* metric_rules: the [metric NAME] sections as values, for the metrics stage, which counts by them,
 * and the exporter, which keeps their totals. Immutable once made; thread safe. */
#ifndef MR_COMMON_RUNTIME_METRIC_RULES_H
#define MR_COMMON_RUNTIME_METRIC_RULES_H

#include "common/base/status.h"
#include "common/runtime/config.h"
#include "common/runtime/metric_fields.h"
#include "common/wire/partial.h"

#include <stddef.h>
#include <stdint.h>

typedef struct mr_metric_rule {
    mr_partial_metric_t metric; /* name, kind, labels, bounds, max_series */
    const char *help;           /* "" for none */
    /* Places in mr_metric_rules_t.fields: of each label's value, and of what is observed. */
    uint32_t label_fields[MR_PARTIAL_MAX_LABELS];
    uint32_t field; /* histogram only */
} mr_metric_rule_t;

typedef struct mr_metric_rules {
    size_t count; /* in the order of the file */
    mr_metric_rule_t *rules;
    mr_metric_fields_t fields; /* all that the rules read, each once */
} mr_metric_rules_t;

/* MR_OK and owned rules, which borrow texts of config; MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_metric_rules_new (const mr_config_t *config, mr_metric_rules_t **ret_rules,
                                          mr_error_t *err);
void mr_metric_rules_destroy (mr_metric_rules_t **self_p);

#endif
