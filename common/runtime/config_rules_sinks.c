/* Metrics and sinks: what their type needs and forbids, their names, and one writer for a file. */
#include "common/runtime/config_internal.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether a CHOICE key is set to this word; false also where it is missing or faulty. */
static bool
is_set (const mr_config_section_t *section, const char *key, const char *word)
{
    const char *text = mr_config_text (section, key);
    return text != NULL && strcmp (text, word) == 0;
}

static bool
is_written (const mr_config_section_t *section, const char *key)
{
    return mr_config_next (section, key, NULL) != NULL;
}

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
        mr_config_reject (check->config, check->place, "\"%.40s\" is not a number", word);
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

typedef struct labels_check {
    mr_config_t *config;
    mr_config_place_t place;
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
        }
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

static void
check_metric (mr_config_t *self, const mr_config_section_t *metric)
{
    if (!is_metric_name (metric->name)) {
        mr_config_reject (self, mr_config_at (metric, NULL),
                          "not a name for a metric; write letters, digits and _, and no digit "
                          "first");
    }
    if (is_set (metric, "type", "histogram") && !is_written (metric, "field")) {
        mr_config_reject (self, mr_config_at (metric, "field"),
                          "is missing: a histogram needs the field that it observes");
    }
    static const char *const histogram_keys[] = {"field", "buckets"};
    for (size_t i = 0; i < 2 && is_set (metric, "type", "counter"); i++) {
        if (is_written (metric, histogram_keys[i])) {
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
        labels_check_t check = {.config = self, .place = mr_config_at (metric, "by")};
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
}

/* Whether exporter N above 0, given the sink `path`, writes to `other`: PATH.N.EXTENSION. */
static bool
is_slot_of (const char *path, const char *other)
{
    const char *name = strrchr (path, '/');
    const char *dot = name != NULL ? strrchr (name, '.') : NULL;
    size_t stem = dot != NULL && dot > name + 1 ? (size_t)(dot - path) : strlen (path);
    if (strncmp (path, other, stem) != 0 || other[stem] != '.') {
        return false;
    }
    size_t digits = strspn (other + stem + 1, "0123456789");
    return digits > 0 && digits <= 2 && strcmp (other + stem + 1 + digits, path + stem) == 0;
}

static void
check_shared_path (mr_config_t *self, const mr_config_section_t *sink, const char *path)
{
    const mr_config_section_t *other = NULL;
    while ((other = mr_config_next_section (self, "sink", other)) != sink) {
        const char *other_path = mr_config_text (other, "path");
        mr_config_place_t place = mr_config_at (sink, "path");
        if (other_path == NULL) {
            continue;
        }
        if (strcmp (path, other_path) == 0) {
            mr_config_reject (self, place, "[sink %s] on line %d writes the same file", other->name,
                              mr_config_at (other, "path").line);
        } else if (is_slot_of (path, other_path) || is_slot_of (other_path, path)) {
            mr_config_reject (self, place,
                              "[sink %s] on line %d would write the same file with several "
                              "exporters: number N becomes part of the name",
                              other->name, mr_config_at (other, "path").line);
        }
    }
}

static bool
is_sink_name (const char *name)
{
    return name[strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

static void
check_sink (mr_config_t *self, const mr_config_section_t *sink)
{
    if (!is_sink_name (sink->name)) {
        mr_config_reject (self, mr_config_at (sink, NULL),
                          "not a name for a sink; a-z 0-9 _ - are allowed");
    }
    const char *path = mr_config_text (sink, "path");
    if (is_set (sink, "type", "file") && !is_written (sink, "path")) {
        mr_config_reject (self, mr_config_at (sink, "path"),
                          "is missing: a file sink needs a path");
    } else if (is_set (sink, "type", "stdout") && is_written (sink, "path")) {
        mr_config_reject (self, mr_config_at (sink, "path"),
                          "is for type = file; leave it out, or change the type");
    } else if (path != NULL) {
        check_shared_path (self, sink, path);
    }
    if (is_written (sink, "envelope") && !is_set (sink, "input", "records")) {
        mr_config_warn (self, mr_config_at (sink, "envelope"), "only matters for input = records");
    }
    if (is_written (sink, "interval") && !is_set (sink, "input", "metrics")) {
        mr_config_warn (self, mr_config_at (sink, "interval"), "only matters for input = metrics");
    }
}

void
mr_config_rules_sinks (mr_config_t *self)
{
    const mr_config_section_t *sink = NULL;
    while ((sink = mr_config_next_section (self, "sink", sink)) != NULL) {
        check_sink (self, sink);
    }
    const char *chain = mr_config_text (mr_config_section (self, "pipeline"), "chain");
    if (mr_config_next_section (self, "sink", NULL) == NULL && self->faults == 0 &&
        mr_config_has_word (chain, "exporter")) {
        mr_config_note (self, 0, true,
                        "no [sink]: records are counted as exported and kept "
                        "nowhere");
    }
}
