/* metric_totals: the user's metrics, cumulative: the partial aggregates of all batches of this
 * exporter, added up. They describe themselves, as partials do: a metric that the configuration
 * does not have (the metrics stage was restarted first) is kept as it comes.
 * Not thread safe. */
#ifndef MR_STAGES_EXPORTER_METRIC_TOTALS_H
#define MR_STAGES_EXPORTER_METRIC_TOTALS_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "common/runtime/metric_rules.h"
#include "common/wire/errortype.h"
#include "stages/exporter/metric_total.h"

#include <stddef.h>
#include <stdint.h>

typedef struct mr_metric_totals {
    mr_metric_total_t **metrics; /* those of the configuration first, in its order */
    size_t count;
    uint64_t changes; /* goes up with every fold that added something */
} mr_metric_totals_t;

/* Told of what could not be added as it is: error type (static), what, and how many records. */
typedef struct mr_totals_faults {
    void (*fn) (void *arg, mr_errortype_id_t error_type, const char *message, uint64_t count);
    void *arg;
} mr_totals_faults_t;

/* rules: copied. MR_SYSTEM: out of memory. */
MR_CHECK mr_status_t mr_metric_totals_new (const mr_metric_rules_t *rules,
                                           mr_metric_totals_t **ret_totals);
void mr_metric_totals_destroy (mr_metric_totals_t **self_p);

/* Add a PARTIALS section.
 *   faults  called for each metric of which series were folded into `other`
 *           (metric_series_full), or that is defined differently and left out (metric_refused)
 * MR_INVALID: the section is broken, nothing was added (err names the field); MR_SYSTEM: out of
 * memory, perhaps half way. */
MR_CHECK mr_status_t mr_metric_totals_fold (mr_metric_totals_t *self, const void *section,
                                            size_t bytes, const mr_totals_faults_t *faults,
                                            mr_error_t *err);

/* The same for a checkpoint of an earlier life: metrics that the configuration does not have any
 * more are left out (metric_refused). */
MR_CHECK mr_status_t mr_metric_totals_load (mr_metric_totals_t *self, const void *saved,
                                            size_t bytes, const mr_totals_faults_t *faults,
                                            mr_error_t *err);

/* Append all series that have counted something, in the layout of partials. Statuses as
 * mr_buffer_append. */
MR_CHECK mr_status_t mr_metric_totals_save (const mr_metric_totals_t *self, mr_buffer_t *out);

#endif
