#include "launcher/summary.h"

#include "launcher/gather.h"
#include "launcher/humane.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct line {
    char *text;
    size_t capacity;
    size_t used;
} line_t;

static void add (line_t *line, const char *format, ...) MR_PRINTF (2, 3);

static void
add (line_t *line, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    int bytes = vsnprintf (line->text + line->used, line->capacity - line->used, format, args);
    va_end (args);
    if (bytes > 0) {
        line->used += (size_t)bytes;
        line->used = line->used < line->capacity ? line->used : line->capacity - 1;
    }
}

static void
add_stage (line_t *line, const json_t *workers, const char *stage)
{
    size_t index;
    const json_t *worker;
    int all = 0;
    int running = 0;
    json_array_foreach (workers, index, worker)
    {
        const char *theirs = json_string_value (json_object_get (worker, "stage"));
        const char *state = json_string_value (json_object_get (worker, "state"));
        if (theirs != NULL && strcmp (theirs, stage) == 0) {
            all++;
            running += state != NULL && strcmp (state, "running") == 0;
        }
    }
    if (running == all) {
        add (line, " %s %d", stage, all);
    } else {
        add (line, " %s %d of %d", stage, running, all);
    }
}

void
mr_summary_line (const mr_config_t *config, const mr_plan_t *plan, char *ret_line, size_t capacity)
{
    char count[64];
    line_t line = {.text = ret_line, .capacity = capacity};
    json_t *whole = mr_gather (config, plan);
    const json_t *rate = json_object_get (whole, "records_per_second");
    const json_t *in_flight = json_object_get (whole, "in_flight");
    const char *held_by = json_string_value (json_object_get (whole, "held_by"));
    if (json_is_number (rate)) {
        mr_humane_count (json_number_value (rate), count, sizeof count);
        add (&line, "%s records/s", count);
    } else {
        add (&line, "no rates yet");
    }
    if (json_is_number (in_flight)) {
        mr_humane_count (json_number_value (in_flight), count, sizeof count);
        add (&line, ", %s in flight", count);
    }
    if (held_by != NULL) {
        add (&line, ", held back by %s", held_by);
    }
    add (&line, " |");
    for (int i = 0; i < plan->stage_count; i++) {
        add_stage (&line, json_object_get (whole, "workers"), plan->stages[i].name);
    }
    json_decref (whole);
}
