#include "monitor/prometheus.h"

#include "common/wire/jsontext.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 128 };

void
mr_exposition_printf (mr_exposition_t *self, const char *format, ...)
{
    if (self->status != MR_OK) {
        return;
    }
    char text[1024];
    va_list list;
    va_start (list, format);
    int bytes = vsnprintf (text, sizeof text, format, list);
    va_end (list);
    MR_ASSERT (bytes >= 0 && (size_t)bytes < sizeof text);
    self->status = mr_buffer_append (self->out, text, (size_t)bytes);
}

static void
append (mr_exposition_t *self, const char *text, size_t bytes)
{
    if (self->status == MR_OK) {
        self->status = mr_buffer_append (self->out, text, bytes);
    }
}

static void
append_escaped (mr_exposition_t *self, const char *text, const char *specials)
{
    while (*text != '\0') {
        size_t plain = strcspn (text, specials);
        append (self, text, plain);
        text += plain;
        if (*text != '\0') {
            char escape[2] = {'\\', *text == '\n' ? 'n' : *text};
            append (self, escape, 2);
            text++;
        }
    }
}

void
mr_exposition_family (mr_exposition_t *self, const char *name, const char *type, const char *help)
{
    mr_exposition_printf (self, "# HELP %s ", name);
    append_escaped (self, help, "\\\n");
    mr_exposition_printf (self, "\n# TYPE %s %s\n", name, type);
}

void
mr_exposition_value (mr_exposition_t *self, const char *text, size_t bytes)
{
    append (self, "\"", 1);
    const char *end = text + bytes;
    append_escaped (self, text, "\\\"\n");
    for (text += strlen (text); text < end; text += strlen (text)) {
        append (self, "\\\\u0000", 7);
        append_escaped (self, ++text, "\\\"\n");
    }
    append (self, "\"", 1);
}

void
mr_exposition_number (mr_exposition_t *self, double value)
{
    if (isnan (value)) {
        append (self, "NaN", 3);
    } else if (isinf (value)) {
        append (self, value > 0 ? "+Inf" : "-Inf", 4);
    } else if (self->status == MR_OK) {
        self->status = mr_jsontext_number (self->out, value);
    }
    append (self, "\n", 1);
}

/* [a-zA-Z_][a-zA-Z0-9_]*; ':' is for recording rules. */
static void
clean_name (const char *text, char *ret_name)
{
    size_t used = 0;
    if (text[0] == '\0' || isdigit ((unsigned char)text[0])) {
        ret_name[used++] = '_';
    }
    for (; *text != '\0' && used < NAME_BYTES - 1; text++) {
        ret_name[used++] = (char)(isalnum ((unsigned char)*text) ? *text : '_');
    }
    ret_name[used] = '\0';
}

typedef struct names {
    char (*taken)[NAME_BYTES];
    size_t count;
} names_t;

static bool
is_taken (const names_t *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp (names->taken[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* A name of its own for each, by numbers if need be. */
static const char *
take_name (names_t *names, const char *wanted, const char *suffix)
{
    char name[NAME_BYTES];
    snprintf (name, sizeof name, "%.100s%s", wanted, suffix);
    for (unsigned number = 2; is_taken (names, name); number++) {
        snprintf (name, sizeof name, "%.100s_%u%s", wanted, number, suffix);
    }
    memcpy (names->taken[names->count], name, sizeof name);
    return names->taken[names->count++];
}

/* The lines of a histogram: a family of its name has them all. */
static const char *const histogram_parts[] = {"", "_bucket", "_sum", "_count"};
enum { HISTOGRAM_PARTS = sizeof histogram_parts / sizeof histogram_parts[0] };

/* take_name for a histogram, whose lines are to have names of their own too. */
static const char *
take_histogram_name (names_t *names, const char *wanted)
{
    char own[HISTOGRAM_PARTS][NAME_BYTES];
    bool taken = true;
    for (unsigned number = 1; taken; number++) {
        char tail[16] = "";
        if (number > 1) {
            snprintf (tail, sizeof tail, "_%u", number);
        }
        taken = false;
        for (size_t i = 0; i < HISTOGRAM_PARTS; i++) {
            snprintf (own[i], sizeof own[i], "%.100s%s%.8s", wanted, tail, histogram_parts[i]);
            taken = taken || is_taken (names, own[i]);
        }
    }
    memcpy (names->taken[names->count], own, sizeof own);
    names->count += HISTOGRAM_PARTS;
    return names->taken[names->count - HISTOGRAM_PARTS];
}

/* `name="value",name="value"`, nothing when there are none. is_histogram: "le" is taken. */
static void
append_labels (mr_exposition_t *self, const char *labels, bool is_histogram)
{
    json_t *object = json_loads (labels, JSON_ALLOW_NUL, NULL);
    char taken[64][NAME_BYTES];
    names_t names = {.taken = taken};
    if (is_histogram) {
        take_name (&names, "le", "");
    }
    const char *key;
    json_t *value;
    bool first = true;
    json_object_foreach (object, key, value)
    {
        if (names.count == sizeof taken / sizeof taken[0]) {
            break;
        }
        char name[NAME_BYTES];
        clean_name (key, name);
        bool reserved = strncmp (name, "__", 2) == 0; /* Prometheus drops them */
        char own[NAME_BYTES + 8];
        snprintf (own, sizeof own, "%s%s", reserved ? "label" : "", name);
        mr_exposition_printf (self, "%s%s=", first ? "" : ",", take_name (&names, own, ""));
        mr_exposition_value (self, json_string_value (value), json_string_length (value));
        first = false;
    }
    json_decref (object);
}

static void
append_counter (mr_exposition_t *self, const char *family, const mr_metric_t *metric)
{
    for (size_t i = 0; i < metric->series_count; i++) {
        const mr_series_t *series = &metric->series[i];
        bool bare = strcmp (series->labels, "{}") == 0;
        mr_exposition_printf (self, "%s%s", family, bare ? "" : "{");
        append_labels (self, series->labels, false);
        append (self, bare ? " " : "} ", bare ? 1 : 2);
        mr_exposition_number (self, series->value);
    }
}

/* One line of a histogram: "_bucket" with le, "_sum" and "_count" with le NULL. */
static void
append_histogram_line (mr_exposition_t *self, const char *name, const mr_series_t *series,
                       const double *le, double value)
{
    bool bare = strcmp (series->labels, "{}") == 0;
    mr_exposition_printf (self, "%s%s", name, bare && le == NULL ? "" : "{");
    append_labels (self, series->labels, true);
    if (le != NULL) {
        char text[64] = "+Inf";
        if (isfinite (*le)) {
            mr_buffer_t number;
            mr_buffer_init (&number, sizeof text - 1);
            self->status = self->status != MR_OK ? self->status : mr_jsontext_number (&number, *le);
            snprintf (text, sizeof text, "%.*s", (int)number.size,
                      number.data != NULL ? number.data : "");
            mr_buffer_release (&number);
        }
        mr_exposition_printf (self, "%sle=\"%s\"", bare ? "" : ",", text);
    }
    mr_exposition_printf (self, "%s ", bare && le == NULL ? "" : "}");
    mr_exposition_number (self, value);
}

static void
append_histogram (mr_exposition_t *self, const char *family, const mr_metric_t *metric)
{
    char bucket[NAME_BYTES + 8];
    char sum[NAME_BYTES + 8];
    char count[NAME_BYTES + 8];
    snprintf (bucket, sizeof bucket, "%s_bucket", family);
    snprintf (sum, sizeof sum, "%s_sum", family);
    snprintf (count, sizeof count, "%s_count", family);
    for (size_t i = 0; i < metric->series_count; i++) {
        const mr_series_t *series = &metric->series[i];
        for (size_t j = 0; j < series->bucket_count; j++) {
            append_histogram_line (self, bucket, series, &series->buckets[j].le,
                                   (double)series->buckets[j].count);
        }
        const double infinity = INFINITY;
        append_histogram_line (self, bucket, series, &infinity, (double)series->count);
        append_histogram_line (self, sum, series, NULL, series->sum);
        append_histogram_line (self, count, series, NULL, (double)series->count);
    }
}

void
mr_exposition_totals (mr_exposition_t *self, const mr_totals_t *totals)
{
    names_t names = {.taken = calloc (totals->metric_count * HISTOGRAM_PARTS + 1, NAME_BYTES)};
    if (names.taken == NULL) {
        self->status = MR_SYSTEM;
        return;
    }
    for (size_t i = 0; i < totals->metric_count; i++) {
        const mr_metric_t *metric = &totals->metrics[i];
        char cleaned[NAME_BYTES];
        char wanted[NAME_BYTES + 8];
        clean_name (metric->name, cleaned);
        size_t bytes = strlen (cleaned);
        bool counter = metric->type == MR_METRIC_COUNTER;
        bool ours = strncmp (cleaned, "millrace_", 9) == 0;
        if (counter && bytes > 6 && strcmp (cleaned + bytes - 6, "_total") == 0) {
            cleaned[bytes - 6] = '\0';
        }
        snprintf (wanted, sizeof wanted, "%s%s", ours ? "user_" : "", cleaned);
        const char *family =
            counter ? take_name (&names, wanted, "_total") : take_histogram_name (&names, wanted);
        const char *help = metric->help[0] != '\0' ? metric->help : "No help in the configuration";
        mr_exposition_family (self, family, counter ? "counter" : "histogram", help);
        if (counter) {
            append_counter (self, family, metric);
        } else {
            append_histogram (self, family, metric);
        }
    }
    free (names.taken);
}
