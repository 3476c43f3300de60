/* Events of any bytes, each a line with the topic and a line with the JSON: whatever the monitor
 * makes of them, its reports are sound JSON. */
#include "common/base/clock.h"
#include "monitor/report.h"
#include "tests/fuzz/harness.h"

#include <jansson.h>
#include <string.h>

/* The line at *text without its end; moves on to the next. */
static size_t
take_line (const char **text, const char *end, const char **ret_line)
{
    *ret_line = *text;
    const char *newline = *text < end ? memchr (*text, '\n', (size_t)(end - *text)) : NULL;
    size_t bytes = (size_t)((newline != NULL ? newline : end) - *text);
    *text = newline != NULL ? newline + 1 : end;
    return bytes;
}

static void
check_json (mr_status_t status, mr_buffer_t *text)
{
    MR_FUZZ_CHECK (status == MR_OK);
    json_t *json = json_loadb (text->data, text->size, JSON_REJECT_DUPLICATES, NULL);
    MR_FUZZ_CHECK (json != NULL);
    json_decref (json);
    mr_buffer_clear (text);
}

static void
check_reports (const mr_registry_t *registry)
{
    mr_report_t report = {.registry = registry, .pipeline = "fuzz"};
    mr_buffer_t text;
    mr_buffer_init (&text, 64 << 20);
    bool healthy = false;
    check_json (mr_report_metrics (&report, &text), &text);
    check_json (mr_report_workers (&report, &text), &text);
    check_json (mr_report_totals (&report, 3, &text), &text);
    check_json (mr_report_errors (&report, &text), &text);
    check_json (mr_report_health (&report, &text, &healthy), &text);
    MR_FUZZ_CHECK (mr_report_prometheus (&report, &text) == MR_OK);
    mr_buffer_release (&text);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    const char *const chain[] = {"ingest", "exporter"};
    mr_registry_t *registry = NULL;
    MR_FUZZ_CHECK (mr_registry_new (chain, 2, &registry, NULL) == MR_OK);
    const char *text = (const char *)data;
    const char *end = text + bytes;
    int64_t mono_ns = MR_NS_PER_S;
    while (text < end) {
        char topic[MR_EVENT_TOPIC_BYTES] = "";
        const char *line;
        size_t topic_bytes = take_line (&text, end, &line);
        if (topic_bytes < sizeof topic) {
            memcpy (topic, line, topic_bytes);
        }
        mr_raw_event_t event = {.topic = topic};
        event.bytes = take_line (&text, end, &event.json);
        mr_error_t err;
        (void)!mr_registry_event (registry, &event, mono_ns, &err);
        mr_registry_tick (registry, mono_ns);
        mono_ns += MR_NS_PER_S;
    }
    check_reports (registry);
    mr_registry_destroy (&registry);
    return 0;
}
