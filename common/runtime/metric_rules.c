#include "common/runtime/metric_rules.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One rule under construction. Its words were checked with the configuration. */
typedef struct builder {
    mr_metric_rule_t *rule;
    const mr_metric_fields_t *fields;
} builder_t;

static mr_partial_text_t
text_of (const char *text)
{
    return (mr_partial_text_t){text, (uint32_t)strlen (text)};
}

static void
add_label (const char *word, void *arg)
{
    builder_t *builder = arg;
    mr_partial_metric_t *metric = &builder->rule->metric;
    size_t place = mr_metric_fields_find (builder->fields, word);
    MR_ASSERT (place < builder->fields->count && metric->label_count < MR_PARTIAL_MAX_LABELS);
    builder->rule->label_fields[metric->label_count] = (uint32_t)place;
    metric->labels[metric->label_count++] = text_of (builder->fields->paths[place]);
}

static void
add_bound (const char *word, void *arg)
{
    builder_t *builder = arg;
    mr_partial_metric_t *metric = &builder->rule->metric;
    double bound = strtod (word, NULL);
    MR_ASSERT (metric->bound_count < MR_PARTIAL_MAX_BOUNDS && isfinite (bound));
    MR_ASSERT (metric->bound_count == 0 || bound > metric->bounds[metric->bound_count - 1]);
    metric->bounds[metric->bound_count++] = bound;
}

static void
build (const mr_config_section_t *section, const mr_metric_fields_t *fields, mr_metric_rule_t *rule)
{
    builder_t builder = {.rule = rule, .fields = fields};
    const char *help = mr_config_text (section, "help");
    const char *by = mr_config_text (section, "by");
    rule->help = help != NULL ? help : "";
    rule->metric.name = text_of (mr_config_section_name (section));
    rule->metric.max_series = (uint32_t)mr_config_number (section, "max_series");
    rule->metric.kind = MR_PARTIAL_COUNTER;
    if (by != NULL) {
        mr_config_words (by, add_label, &builder);
    }
    if (strcmp (mr_config_text (section, "type"), "histogram") == 0) {
        rule->metric.kind = MR_PARTIAL_HISTOGRAM;
        rule->field = (uint32_t)mr_metric_fields_find (fields, mr_config_text (section, "field"));
        mr_config_words (mr_config_text (section, "buckets"), add_bound, &builder);
    }
}

mr_status_t
mr_metric_rules_new (const mr_config_t *config, mr_metric_rules_t **ret_rules, mr_error_t *err)
{
    mr_metric_rules_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return mr_error_errno (err, "metrics");
    }
    mr_metric_fields_collect (config, &self->fields);
    size_t count = 0;
    const mr_config_section_t *section = NULL;
    while ((section = mr_config_next_section (config, "metric", section)) != NULL) {
        count++;
    }
    self->rules = calloc (count + 1, sizeof *self->rules);
    if (self->rules == NULL) {
        mr_metric_rules_destroy (&self);
        return mr_error_errno (err, "metrics");
    }
    while ((section = mr_config_next_section (config, "metric", section)) != NULL) {
        build (section, &self->fields, &self->rules[self->count++]);
    }
    *ret_rules = self;
    return MR_OK;
}

void
mr_metric_rules_destroy (mr_metric_rules_t **self_p)
{
    if (*self_p != NULL) {
        free ((*self_p)->rules);
        free (*self_p);
        *self_p = NULL;
    }
}
