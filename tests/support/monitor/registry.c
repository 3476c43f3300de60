#include "tests/support/monitor/registry.h"

#include "common/base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mr_error_t why;

mr_registry_t *
mr_test_registry (void)
{
    const char *const chain[] = {"ingest", "processor", "metrics", "exporter"};
    mr_registry_t *registry = NULL;
    if (mr_registry_new (chain, 4, &registry, &why) != MR_OK) {
        abort ();
    }
    return registry;
}

mr_status_t
mr_test_event (mr_registry_t *registry, const char *topic, const char *format, ...)
{
    char json[8192];
    va_list list;
    va_start (list, format);
    vsnprintf (json, sizeof json, format, list);
    va_end (list);
    for (char *c = json; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    mr_raw_event_t event = {.topic = topic, .json = json, .bytes = strlen (json)};
    why.text[0] = '\0';
    return mr_registry_event (registry, &event, MR_NS_PER_S, &why);
}

const char *
mr_test_registry_why (void)
{
    return why.text;
}

mr_status_t
mr_test_success (mr_registry_t *registry, uint64_t incarnation, uint64_t seq, double duration_ms,
                 uint64_t count)
{
    return mr_test_event (registry, "success.processor.handle",
                          "{'domain':'processor','operation':'handle','duration':%g,"
                          "'count':%" PRIu64 ",'worker':'processor.0','incarnation':'%016" PRIx64
                          "','event_seq':%" PRIu64 ",'ts':'2026-11-23T08:41:37Z'}",
                          duration_ms, count, incarnation, seq);
}

mr_status_t
mr_test_error (mr_registry_t *registry, uint64_t incarnation, uint64_t seq, uint64_t count)
{
    return mr_test_event (registry, "error.processor.handle",
                          "{'domain':'processor','operation':'handle','error_type':'json_syntax',"
                          "'count':%" PRIu64 ",'message':'byte 3','sample':'{x','worker':"
                          "'processor.0','incarnation':'%016" PRIx64 "','event_seq':%" PRIu64
                          ",'ts':'2026-11-23T08:41:37Z'}",
                          count, incarnation, seq);
}

mr_status_t
mr_test_counters (mr_registry_t *registry, mr_test_counters_t counters)
{
    return mr_test_event (
        registry, "counters.processor.0",
        "{'domain':'processor','worker':'processor.0','incarnation':'%016" PRIx64
        "','event_seq':%" PRIu64 ",'ts':'2026-11-23T08:41:38Z','pid':4711,'slot':0,"
        "'state':'running','uptime_ms':1000,'blocked_ms':20,'callback_failures':0,"
        "'operations':{'handle':{'count':%" PRIu64 ",'records':%" PRIu64 ",'errors':%" PRIu64
        ",'error_types':{'json_syntax':%" PRIu64 "}}}}",
        counters.incarnation, counters.seq, counters.batches, counters.records, counters.errors,
        counters.errors);
}

mr_tally_t
mr_test_tally (const mr_registry_t *registry, const char *key)
{
    mr_tally_t found = {.count = 0};
    mr_tallies_t sum;
    if (mr_registry_tallies (registry, &sum) != MR_OK) {
        abort ();
    }
    const mr_tally_t *tally = mr_tallies_find (&sum, key);
    if (tally != NULL) {
        found = *tally;
        found.types = NULL;
    }
    mr_tallies_release (&sum);
    return found;
}

long
mr_test_failed (const mr_registry_t *registry, const char *key, const char *type)
{
    long failed = -1;
    mr_tallies_t sum;
    if (mr_registry_tallies (registry, &sum) != MR_OK) {
        abort ();
    }
    const mr_tally_t *tally = mr_tallies_find (&sum, key);
    for (size_t i = 0; tally != NULL && i < tally->type_count; i++) {
        if (strcmp (tally->types[i].name, type) == 0) {
            failed = (long)tally->types[i].count;
        }
    }
    mr_tallies_release (&sum);
    return failed;
}

mr_worker_info_t
mr_test_lock (const char *name, uint64_t incarnation)
{
    mr_worker_info_t info = {
        .incarnation = incarnation,
        .pid = 4711,
        .state = MR_WORKER_RUNNING,
        .started_ns = MR_NS_PER_S,
        .alive = true,
    };
    snprintf (info.name, sizeof info.name, "%s", name);
    if (mr_worker_parse_name (name, info.stage, &info.slot) != MR_OK) {
        abort ();
    }
    return info;
}
