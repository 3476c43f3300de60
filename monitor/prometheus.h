/* prometheus: the user's metrics in the text exposition format; for report_prometheus.c. Pure. */
#ifndef MR_MONITOR_PROMETHEUS_H
#define MR_MONITOR_PROMETHEUS_H

#include "common/base/buffer.h"
#include "common/base/status.h"
#include "monitor/totals.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text that is being written; the first failure sticks. */
typedef struct mr_exposition {
    mr_buffer_t *out;
    mr_status_t status;
} mr_exposition_t;

void mr_exposition_printf (mr_exposition_t *self, const char *format, ...) MR_PRINTF (2, 3);

/* "# HELP" (escaped) and "# TYPE". */
void mr_exposition_family (mr_exposition_t *self, const char *name, const char *type,
                           const char *help);

/* A label's value with its quotes, escaped; a NUL byte as the text \u0000.
 *   text  terminated, too */
void mr_exposition_value (mr_exposition_t *self, const char *text, size_t bytes);

/* A number that reads back the same, NaN, or an infinity; then a newline. */
void mr_exposition_number (mr_exposition_t *self, double value);

/* Counter NAME as NAME_total, histogram NAME as NAME_bucket, NAME_sum and NAME_count. Characters
 * that Prometheus does not allow in names become '_'; a name that is taken, or that begins like our
 * own ("millrace_"), gets a suffix or a prefix. */
void mr_exposition_totals (mr_exposition_t *self, const mr_totals_t *totals);

#endif
