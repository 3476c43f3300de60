/* Metrics: what their type needs and forbids, their names, fields and bounds. */
#include "common/runtime/config_internal.h"
#include "common/runtime/metric_fields.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS_MAX = 256 };

typedef struct buckets_check {
    mr_config_t *config;
    mr_config_place_t place;
    size_t count;
    double last;
    bool rejected;
} buckets_check_t;

static void
check_bound (const char *word, void *arg)
{
    buckets_check_t *check = arg;
    char *end = NULL;
    double bound = strtod (word, &end);
    if (check->rejected) {
        return;
    }
    check->rejected = true;
    if (*end != '\0' || !isfinite (bound)) {
        mr_config_reject (check->config, check->place,
                          "\"%.40s\" is not a number; write bounds as 0.5, 10, 2.5e3", word);
    } else if (check->count > 0 && bound <= check->last) {
        mr_config_reject (check->config, check->place,
                          "%.40s is not above the bound before it; write them rising", word);
    } else if (check->count == BUCKETS_MAX) {
        mr_config_reject (check->config, check->place, "more than %d bounds", BUCKETS_MAX);
    } else {
        check->rejected = false;
        check->last = bound;
        check->count++;
    }
}

/* What Prometheus makes of two names is the same: all but letters and digits is '_'. */
static bool
is_same_label (const char *left, const char *right)
{
    for (; *left != '\0' && *right != '\0'; left++, right++) {
        char a = (char)(isalnum ((unsigned char)*left) ? *left : '_');
        char b = (char)(isalnum ((unsigned char)*right) ? *right : '_');
        if (a != b) {
            return false;
        }
    }
    return *left == *right;
}

typedef struct labels_check {
    mr_config_t *config;
    mr_config_place_t place;
    bool is_histogram;
    size_t count;
    char seen[16][256];
} labels_check_t;

static void
check_label (const char *word, void *arg)
{
    labels_check_t *check = arg;
    if (strlen (word) >= sizeof check->seen[0]) {
        mr_config_reject (check->config, check->place, "a field of more than %zu bytes",
                          sizeof check->seen[0] - 1);
        return;
    }
    for (size_t i = 0; i < check->count && i < 16; i++) {
        if (strcmp (check->seen[i], word) == 0) {
            mr_config_reject (check->config, check->place, "%s stands twice", word);
        } else if (is_same_label (check->seen[i], word)) {
            mr_config_warn (check->config, check->place,
                            "%s and %s are one name to Prometheus; /metrics shows one of them with "
                            "a number",
                            check->seen[i], word);
        }
    }
    if (strcmp (word, "le") == 0) {
        mr_config_warn (check->config, check->place,
                        "le is what Prometheus calls the bounds of a histogram%s",
                        check->is_histogram ? "; /metrics shows this one as le_2" : "");
    }
    if (check->count < 16) {
        snprintf (check->seen[check->count], sizeof check->seen[0], "%s", word);
    } else if (check->count == 16) {
        mr_config_reject (check->config, check->place, "more than 16 fields");
    }
    check->count++;
}

static bool
is_metric_name (const char *name)
{
    size_t bytes = strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return !isdigit ((unsigned char)name[0]) && name[bytes] == '\0';
}

static bool
ends_in (const char *name, const char *ending)
{
    size_t bytes = strlen (name);
    size_t tail = strlen (ending);
    return bytes >= tail && strcmp (name + bytes - tail, ending) == 0;
}

/* A counter may have _total behind its unit. */
static void
warn_of_unit (mr_config_t *self, mr_config_place_t place, const char *name)
{
    static const char *const units[][2] = {
        {"_s", "seconds"},
        {"_sec", "seconds"},
        {"_secs", "seconds"},
        {"_ms", "seconds"},
        {"_msec", "seconds"},
        {"_us", "seconds"},
        {"_usec", "seconds"},
        {"_ns", "seconds"},
        {"_nsec", "seconds"},
        {"_millis", "seconds"},
        {"_micros", "seconds"},
        {"_nanos", "seconds"},
        {"_milliseconds", "seconds"},
        {"_microseconds", "seconds"},
        {"_nanoseconds", "seconds"},
        {"_minutes", "seconds"},
        {"_hours", "seconds"},
        {"_days", "seconds"},
        {"_kb", "bytes"},
        {"_mb", "bytes"},
        {"_gb", "bytes"},
        {"_kib", "bytes"},
        {"_mib", "bytes"},
        {"_gib", "bytes"},
        {"_kilobytes", "bytes"},
        {"_megabytes", "bytes"},
        {"_gigabytes", "bytes"},
        {"_bits", "bytes"},
        {"_percent", "ratio"},
    };
    char bare[256];
    size_t bytes = strlen (name);
    snprintf (bare, sizeof bare, "%.*s", (int)(bytes - (ends_in (name, "_total") ? 6 : 0)), name);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (ends_in (bare, units[i][0])) {
            mr_config_warn (self, place,
                            "%s is no base unit; Prometheus' conventions want them: %s here",
                            units[i][0], units[i][1]);
        }
    }
}

/* Names that work, and that Prometheus' users would not expect. */
static void
warn_of_name (mr_config_t *self, const mr_config_section_t *metric)
{
    const mr_config_place_t place = mr_config_at (metric, NULL);
    bool is_total = ends_in (metric->name, "_total");
    if (is_total && mr_config_is_set (metric, "type", "counter")) {
        mr_config_warn (self, place,
                        "/metrics adds _total to a counter by itself; this one is shown as it is");
    } else if (is_total && mr_config_is_set (metric, "type", "histogram")) {
        mr_config_warn (self, place, "_total is how Prometheus' counters end; this is a histogram");
    }
    static const char *const parts[] = {"_count", "_sum", "_bucket"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (ends_in (metric->name, parts[i])) {
            mr_config_warn (self, place,
                            "%s is how the lines of a histogram end in Prometheus; leave it out",
                            parts[i]);
        }
    }
    if (strncmp (metric->name, "millrace_", 9) == 0) {
        mr_config_warn (self, place,
                        "millrace_ is for the program's own figures; /metrics shows this one with "
                        "user_ before it");
    }
    warn_of_unit (self, place, metric->name);
}

static void
check_metric (mr_config_t *self, const mr_config_section_t *metric)
{
    if (!is_metric_name (metric->name)) {
        mr_config_reject (self, mr_config_at (metric, NULL),
                          "not a name for a metric; write letters, digits and _, and no digit "
                          "first");
    } else {
        warn_of_name (self, metric);
    }
    if (mr_config_is_set (metric, "type", "histogram") && !mr_config_is_written (metric, "field")) {
        mr_config_reject (self, mr_config_at (metric, "field"),
                          "is missing: a histogram needs the field that it observes");
    }
    static const char *const histogram_keys[] = {"field", "buckets"};
    for (size_t i = 0; i < 2 && mr_config_is_set (metric, "type", "counter"); i++) {
        if (mr_config_is_written (metric, histogram_keys[i])) {
            mr_config_reject (self, mr_config_at (metric, histogram_keys[i]),
                              "is for type = histogram; a counter counts records");
        }
    }
    const char *buckets = mr_config_text (metric, "buckets");
    if (buckets != NULL) {
        buckets_check_t check = {.config = self, .place = mr_config_at (metric, "buckets")};
        mr_config_words (buckets, check_bound, &check);
    }
    const char *labels = mr_config_text (metric, "by");
    if (labels != NULL) {
        labels_check_t check = {
            .config = self,
            .place = mr_config_at (metric, "by"),
            .is_histogram = mr_config_is_set (metric, "type", "histogram"),
        };
        mr_config_words (labels, check_label, &check);
    }
}

void
mr_config_rules_metrics (mr_config_t *self)
{
    const mr_config_section_t *metric = NULL;
    while ((metric = mr_config_next_section (self, "metric", metric)) != NULL) {
        check_metric (self, metric);
    }
    mr_metric_fields_t *fields = mr_config_alloc (self, sizeof *fields);
    const mr_config_section_t *overflow =
        fields != NULL ? mr_metric_fields_overflow (self, fields) : NULL;
    if (overflow != NULL) {
        mr_config_reject (self, mr_config_at (overflow, NULL),
                          "with it the metrics read more than %d fields", MR_METRIC_FIELDS_MAX);
    }
}
