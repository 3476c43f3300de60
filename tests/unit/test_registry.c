#include "common/base/clock.h"
#include "tests/support/monitor/registry.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

START_TEST (test_all_operations_of_the_chain_are_there_before_any_event)
{
    mr_registry_t *registry = mr_test_registry ();
    mr_tallies_t sum;
    ck_assert_int_eq (mr_registry_tallies (registry, &sum), MR_OK);
    ck_assert_uint_eq (sum.count, 4);
    ck_assert_str_eq (sum.items[0].key, "ingest.receive");
    ck_assert_str_eq (sum.items[1].key, "processor.handle");
    ck_assert_str_eq (sum.items[2].key, "metrics.handle");
    ck_assert_str_eq (sum.items[3].key, "exporter.spool");
    mr_tallies_release (&sum);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_events_count_at_once_and_counters_replace_them)
{
    mr_registry_t *registry = mr_test_registry ();
    ck_assert_int_eq (mr_test_success (registry, 7, 1, 2.5, 100), MR_OK);
    ck_assert_int_eq (mr_test_error (registry, 7, 2, 3), MR_OK);
    mr_tally_t tally = mr_test_tally (registry, "processor.handle");
    ck_assert_uint_eq (tally.count, 1);
    ck_assert_uint_eq (tally.records, 100);
    ck_assert_uint_eq (tally.errors, 1);
    ck_assert_int_eq (mr_test_failed (registry, "processor.handle", "json_syntax"), 3);
    mr_test_counters_t counters = {7, 3, 10, 1000, 5};
    ck_assert_int_eq (mr_test_counters (registry, counters), MR_OK);
    tally = mr_test_tally (registry, "processor.handle");
    ck_assert_uint_eq (tally.count, 10);
    ck_assert_uint_eq (tally.records, 1000);
    ck_assert_int_eq (mr_test_failed (registry, "processor.handle", "json_syntax"), 5);
    ck_assert_int_eq (mr_test_success (registry, 7, 4, 2.5, 100), MR_OK);
    ck_assert_uint_eq (mr_test_tally (registry, "processor.handle").records, 1100);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_a_restarted_worker_adds_to_what_its_last_life_did)
{
    mr_registry_t *registry = mr_test_registry ();
    ck_assert_int_eq (mr_test_counters (registry, (mr_test_counters_t){7, 1, 10, 1000, 1}), MR_OK);
    ck_assert_int_eq (mr_test_counters (registry, (mr_test_counters_t){8, 1, 2, 200, 0}), MR_OK);
    ck_assert_int_eq (mr_test_counters (registry, (mr_test_counters_t){8, 2, 3, 300, 0}), MR_OK);
    ck_assert_uint_eq (mr_test_tally (registry, "processor.handle").records, 1300);
    ck_assert_uint_eq (mr_test_tally (registry, "processor.handle").count, 13);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_a_thousand_lives_keep_their_sum_and_bounded_memory)
{
    mr_registry_t *registry = mr_test_registry ();
    for (uint64_t life = 1; life <= 1000; life++) {
        mr_test_counters_t counters = {life, 1, 1, 10, 1};
        ck_assert_int_eq (mr_test_counters (registry, counters), MR_OK);
    }
    ck_assert_uint_eq (mr_test_tally (registry, "processor.handle").records, 10000);
    ck_assert_int_eq (mr_test_failed (registry, "processor.handle", "json_syntax"), 1000);
    ck_assert_uint_le (registry->life_count, MR_REGISTRY_ENDED);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_late_events_of_a_forgotten_life_are_refused)
{
    mr_registry_t *registry = mr_test_registry ();
    for (uint64_t life = 1; life <= MR_REGISTRY_ENDED + 10; life++) {
        mr_test_counters_t counters = {life, 1, 1, 10, 0};
        ck_assert_int_eq (mr_test_counters (registry, counters), MR_OK);
    }
    ck_assert_uint_gt (registry->forgotten_count, 0);
    uint64_t before = mr_test_tally (registry, "processor.handle").records;
    mr_test_counters_t late = {registry->forgotten[0], 9, 9, 90, 9};
    ck_assert_int_eq (mr_test_counters (registry, late), MR_OK);
    ck_assert_uint_eq (mr_test_tally (registry, "processor.handle").records, before);
    ck_assert_uint_eq (registry->late, 1);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_a_living_worker_is_never_summed_up)
{
    mr_registry_t *registry = mr_test_registry ();
    mr_worker_info_t lock = mr_test_lock ("processor.0", 1);
    ck_assert_int_eq (mr_registry_workers (registry, &lock, 1), MR_OK);
    for (uint64_t life = 1; life <= 3 * MR_REGISTRY_ENDED; life++) {
        mr_test_counters_t counters = {life, 1, 1, 10, 0};
        ck_assert_int_eq (mr_test_counters (registry, counters), MR_OK);
    }
    ck_assert_ptr_nonnull (mr_registry_life (registry, &lock));
    ck_assert_int_eq (mr_test_counters (registry, (mr_test_counters_t){1, 2, 2, 25, 0}), MR_OK);
    ck_assert_uint_eq (mr_test_tally (registry, "processor.handle").records,
                       10 * (3 * MR_REGISTRY_ENDED - 1) + 25);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_gaps_are_counted_per_worker_and_only_while_listening)
{
    mr_registry_t *registry = mr_test_registry ();
    ck_assert_int_eq (mr_test_success (registry, 7, 500, 1, 1), MR_OK);
    ck_assert_uint_eq (registry->missed, 0);
    ck_assert_int_eq (mr_test_success (registry, 7, 504, 1, 1), MR_OK);
    ck_assert_uint_eq (registry->missed, 3);
    ck_assert_uint_eq (registry->lives[0]->missed, 3);
    ck_assert_int_eq (mr_test_success (registry, 7, 502, 1, 1), MR_OK);
    ck_assert_uint_eq (registry->late, 1);
    ck_assert_uint_eq (mr_test_tally (registry, "processor.handle").count, 2);
    mr_registry_destroy (&registry);
}
END_TEST

#define COUNTERS(operations)                                                                 \
    "{'domain':'ingest','worker':'ingest.0','incarnation':'0000000000000001','event_seq':1," \
    "'ts':'2026-11-23T08:41:38Z','pid':1,'slot':0,'state':'running','uptime_ms':1,"          \
    "'blocked_ms':1,'callback_failures':0,'operations':" operations "}"

START_TEST (test_malformed_events_are_counted_named_and_change_nothing)
{
    /* Topic, JSON, what is said of it. */
    static const char *const bad[][3] = {
        {"success.processor.handle", "{'domain':'processor'}", "event: bad operation"},
        {"success.processor.handle", "not json", "event: bad JSON at byte 3: "},
        {"counters.processor.0", "not json", "event: bad JSON at byte 3: "},
        {"counters.processor.0", "[]", "event: bad worker, or not that of its topic"},
        {"counters.processor.0", "{'worker':'processor.1'}",
         "event: bad worker, or not that of its topic"},
        {"totals.exporter.0", "{'worker':'exporter.0'}", "totals: bad incarnation"},
        {"totals.exporter.0", "{'worker':7}", "event: bad worker, or not that of its topic"},
        {"state.processor.0", "{}", "event: bad worker"},
        {"state.processor.0", "[]", "event: not a JSON object"},
        {"launcher.started", "7", "event: bad JSON at byte 1: "},
        {"counters.ingest.0",
         COUNTERS ("{'a\\nb':{'count':0,'records':0,'errors':0,'error_types':{}}}"),
         "counters: bad operation"},
        {"counters.ingest.0", COUNTERS ("{'receive':[]}"),
         "counters: operation: not a JSON object"},
        {"counters.ingest.0", COUNTERS ("{'receive':{}}"), "counters: operation: bad count"},
        {"counters.ingest.0",
         COUNTERS ("{'receive':{'count':0,'records':0,'errors':0,'error_types':{'a b':1}}}"),
         "counters: bad error_types of receive"},
        {"counters.ingest.0",
         COUNTERS ("{'receive':{'count':0,'records':0,'errors':0,'error_types':{'a':-1}}}"),
         "counters: bad error_types of receive"},
        {"counters.ingest.0", COUNTERS ("{},'ledger':[]"), "ledger: not a JSON object"},
        {"counters.ingest.0", COUNTERS ("{},'ledger':{'received':1}"), "ledger: bad exported"},
        {"counters.ingest.0", COUNTERS ("{},'latency':{'count':'1'}"), "latency: bad count"},
        {"gossip.processor.0", "{}", "event: unknown topic gossip.processor.0"},
        {"", "{}", "event: unknown topic "},
    };
    mr_registry_t *registry = mr_test_registry ();
    size_t count = sizeof bad / sizeof bad[0];
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq (mr_test_event (registry, bad[i][0], "%s", bad[i][1]), MR_INVALID);
        ck_assert_msg (strncmp (mr_test_registry_why (), bad[i][2], strlen (bad[i][2])) == 0,
                       "\"%s\" instead of \"%s\"", mr_test_registry_why (), bad[i][2]);
    }
    ck_assert_uint_eq (registry->malformed, count);
    ck_assert_uint_eq (registry->events, 0);
    ck_assert_uint_eq (registry->life_count, 0);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_an_event_over_the_limit_and_counters_of_too_many_operations_are_refused)
{
    enum { OPERATIONS = MR_TALLY_MAX_KEYS + 1, ROOM = 128 };
    mr_error_t err;
    static char json[MR_EVENT_MAX_BYTES + 1];
    mr_registry_t *registry = mr_test_registry ();
    mr_raw_event_t event = {.topic = "state.ingest.0", .json = json, .bytes = sizeof json};
    ck_assert_int_eq (mr_registry_event (registry, &event, MR_NS_PER_S, &err), MR_INVALID);
    char expected[ROOM];
    snprintf (expected, sizeof expected, "event: %zu bytes, limit %d", sizeof json,
              MR_EVENT_MAX_BYTES);
    ck_assert_str_eq (err.text, expected);
    json_t *operations = json_object ();
    for (int i = 0; i < OPERATIONS; i++) {
        char name[ROOM];
        snprintf (name, sizeof name, "operation-%d", i);
        json_object_set_new (
            operations, name,
            json_pack ("{s:i,s:i,s:i,s:{}}", "count", 0, "records", 0, "errors", 0, "error_types"));
    }
    mr_tallies_t tallies;
    ck_assert_int_eq (mr_counters_read_operations (operations, &tallies, &err), MR_INVALID);
    snprintf (expected, sizeof expected, "counters: more than %d operations", MR_TALLY_MAX_KEYS);
    ck_assert_str_eq (err.text, expected);
    json_decref (operations);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_every_member_of_counters_is_needed_and_checked)
{
    static const char *const members[] = {
        "'domain':'ingest'", "'worker':'ingest.0'",         "'incarnation':'0000000000000001'",
        "'event_seq':1",     "'ts':'2026-11-23T08:41:38Z'", "'pid':1",
        "'slot':0",          "'state':'running'",           "'uptime_ms':1",
        "'blocked_ms':1",    "'callback_failures':0",       "'operations':{}",
    };
    size_t count = sizeof members / sizeof members[0];
    for (size_t without = 0; without <= count; without++) {
        mr_registry_t *registry = mr_test_registry ();
        char json[1024] = "{'more':null";
        for (size_t i = 0; i < count; i++) {
            if (i != without) {
                strcat (strcat (json, ","), members[i]);
            }
        }
        ck_assert_int_eq (mr_test_event (registry, "counters.ingest.0", "%s}", json),
                          without == count ? MR_OK : MR_INVALID);
        mr_registry_destroy (&registry);
    }
}
END_TEST

static void
ledger (mr_registry_t *registry, unsigned incarnation, const char *numbers)
{
    ck_assert_int_eq (
        mr_test_event (registry, "counters.ingest.0",
                       "{'domain':'ingest','worker':'ingest.0','incarnation':'%016x','event_seq':"
                       "1,'ts':'2026-11-23T08:41:%02uZ','pid':1,'slot':0,'state':'running',"
                       "'uptime_ms':1,'blocked_ms':0,'callback_failures':0,'operations':{},"
                       "'ledger':{%s}}",
                       incarnation, incarnation, numbers),
        MR_OK);
}

START_TEST (test_the_latest_life_of_a_worker_speaks_for_its_journal)
{
    mr_registry_t *registry = mr_test_registry ();
    mr_pipeline_t pipeline;
    mr_registry_pipeline (registry, &pipeline);
    ck_assert_uint_eq (pipeline.failed, 0);
    ledger (registry, 1,
            "'received':100,'exported':50,'filtered':20,'dead':3,'dropped':7,"
            "'in_flight':20,'in_flight_batches':2");
    ledger (registry, 2,
            "'received':110,'exported':54,'filtered':41,'dead':4,'dropped':7,"
            "'in_flight':4");
    mr_registry_pipeline (registry, &pipeline);
    ck_assert_uint_eq (pipeline.ledger.received, 110);
    ck_assert_uint_eq (pipeline.completed, 95);
    ck_assert_uint_eq (pipeline.failed, 4);
    ck_assert_uint_eq (pipeline.ledger.dropped, 7);
    ck_assert_uint_eq (pipeline.ledger.in_flight, 4);
    mr_registry_destroy (&registry);
}
END_TEST

/* An ingest worker ended, many others after it; then it comes back, with the same journal. */
START_TEST (test_a_journal_counts_once_however_many_lives_ended_meanwhile)
{
    mr_registry_t *registry = mr_test_registry ();
    mr_pipeline_t pipeline;
    ledger (registry, 1,
            "'received':100,'exported':50,'filtered':20,'dead':3,'dropped':7,'in_flight':20");
    for (uint64_t life = 1; life <= 3 * MR_REGISTRY_ENDED; life++) {
        mr_test_counters_t counters = {life, 1, 1, 10, 0};
        ck_assert_int_eq (mr_test_counters (registry, counters), MR_OK);
    }
    ck_assert_uint_le (registry->life_count, MR_REGISTRY_ENDED + 1);
    mr_registry_pipeline (registry, &pipeline);
    ck_assert_uint_eq (pipeline.ledger.received, 100);
    ck_assert_uint_eq (pipeline.ledger.in_flight, 20);
    ledger (registry, 2,
            "'received':110,'exported':54,'filtered':41,'dead':4,'dropped':7,'in_flight':4");
    mr_registry_pipeline (registry, &pipeline);
    ck_assert_uint_eq (pipeline.ledger.received, 110);
    ck_assert_uint_eq (pipeline.completed, 95);
    for (uint64_t life = 1; life <= MR_REGISTRY_ENDED; life++) {
        mr_test_counters_t counters = {1000 + life, 1, 1, 10, 0};
        ck_assert_int_eq (mr_test_counters (registry, counters), MR_OK);
    }
    mr_registry_pipeline (registry, &pipeline);
    ck_assert_uint_eq (pipeline.ledger.received, 110);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_workers_are_listed_in_the_order_of_the_flow)
{
    mr_registry_t *registry = mr_test_registry ();
    mr_worker_info_t locks[] = {
        mr_test_lock ("monitor", 1),     mr_test_lock ("exporter.0", 2),
        mr_test_lock ("processor.1", 3), mr_test_lock ("processor.0", 4),
        mr_test_lock ("ingest.0", 5),
    };
    ck_assert_int_eq (mr_registry_workers (registry, locks, 5), MR_OK);
    static const char *const order[] = {"ingest.0", "processor.0", "processor.1", "exporter.0",
                                        "monitor"};
    for (size_t i = 0; i < 5; i++) {
        ck_assert_str_eq (registry->workers[i].name, order[i]);
    }
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_rates_are_growth_over_the_last_seconds)
{
    mr_registry_t *registry = mr_test_registry ();
    for (uint64_t second = 1; second <= 10; second++) {
        mr_test_counters_t counters = {7, second, second, 500 * second, 0};
        ck_assert_int_eq (mr_test_counters (registry, counters), MR_OK);
        mr_registry_tick (registry, (int64_t)second * MR_NS_PER_S);
    }
    ck_assert_double_eq_tol (mr_rate_per_second (&registry->lives[0]->records), 500, 1e-9);
    ck_assert_double_eq_tol (mr_rate_per_second (&registry->operations[1]->records), 500, 1e-9);
    for (uint64_t second = 11; second <= 17; second++) {
        mr_registry_tick (registry, (int64_t)second * MR_NS_PER_S);
    }
    ck_assert_double_eq_tol (mr_rate_per_second (&registry->lives[0]->records), 0, 1e-9);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_a_monitor_that_comes_late_sees_no_leap)
{
    mr_registry_t *registry = mr_test_registry ();
    mr_registry_tick (registry, MR_NS_PER_S);
    ck_assert_int_eq (mr_test_success (registry, 7, 900, 1, 5), MR_OK);
    mr_registry_tick (registry, 2 * MR_NS_PER_S);
    ck_assert_int_eq (mr_test_counters (registry, (mr_test_counters_t){7, 901, 9, 1000000, 0}),
                      MR_OK);
    mr_registry_tick (registry, 3 * MR_NS_PER_S);
    ck_assert_double_eq (mr_rate_per_second (&registry->operations[1]->records), 0);
    ck_assert_int_eq (mr_test_counters (registry, (mr_test_counters_t){7, 902, 9, 1000600, 0}),
                      MR_OK);
    mr_registry_tick (registry, 4 * MR_NS_PER_S);
    ck_assert_double_eq_tol (mr_rate_per_second (&registry->operations[1]->records), 200, 1e-9);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_the_first_work_of_a_new_worker_is_in_its_rate)
{
    mr_registry_t *registry = mr_test_registry ();
    mr_registry_tick (registry, MR_NS_PER_S);
    ck_assert_int_eq (mr_test_success (registry, 7, 1, 1, 300), MR_OK);
    mr_registry_tick (registry, 2 * MR_NS_PER_S);
    ck_assert_double_eq_tol (mr_rate_per_second (&registry->operations[1]->records), 300, 1e-9);
    ck_assert_double_eq_tol (mr_rate_per_second (&registry->lives[0]->records), 300, 1e-9);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_quantiles_are_those_of_the_last_thousand)
{
    mr_durations_t durations;
    mr_quantiles_t quantiles;
    mr_durations_init (&durations);
    mr_durations_quantiles (&durations, &quantiles);
    ck_assert_double_eq (quantiles.p99, 0);
    mr_durations_add (&durations, 4);
    mr_durations_quantiles (&durations, &quantiles);
    ck_assert_double_eq (quantiles.p50, 4);
    ck_assert_double_eq (quantiles.max, 4);
    for (int i = 1; i <= 1000; i++) { /* pushes the 4 out */
        mr_durations_add (&durations, 1001 - i);
    }
    mr_durations_quantiles (&durations, &quantiles);
    ck_assert_double_eq (quantiles.p50, 500);
    ck_assert_double_eq (quantiles.p95, 950);
    ck_assert_double_eq (quantiles.p99, 990);
    ck_assert_double_eq (quantiles.max, 1000);
    ck_assert_double_eq_tol (quantiles.avg, 500.5, 1e-9);
    ck_assert_uint_eq (durations.count, 1001);
}
END_TEST

START_TEST (test_error_types_beyond_the_limit_fold_into_other)
{
    mr_tallies_t tallies;
    mr_tallies_init (&tallies);
    mr_tally_t *tally = mr_tallies_get (&tallies, "handle");
    for (int i = 0; i < 2 * MR_TALLY_MAX_TYPES; i++) {
        char type[MR_EVENT_NAME_BYTES];
        snprintf (type, sizeof type, "type_%d", i);
        ck_assert_int_eq (mr_tally_type (tally, type, 1), MR_OK);
    }
    ck_assert_uint_eq (tally->type_count, MR_TALLY_MAX_TYPES);
    ck_assert_str_eq (tally->types[MR_TALLY_MAX_TYPES - 1].name, "other");
    ck_assert_uint_eq (tally->types[MR_TALLY_MAX_TYPES - 1].count, MR_TALLY_MAX_TYPES + 1);
    mr_tallies_release (&tallies);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_all_operations_of_the_chain_are_there_before_any_event,
        test_events_count_at_once_and_counters_replace_them,
        test_a_restarted_worker_adds_to_what_its_last_life_did,
        test_a_thousand_lives_keep_their_sum_and_bounded_memory,
        test_late_events_of_a_forgotten_life_are_refused,
        test_a_living_worker_is_never_summed_up,
        test_gaps_are_counted_per_worker_and_only_while_listening,
        test_malformed_events_are_counted_named_and_change_nothing,
        test_an_event_over_the_limit_and_counters_of_too_many_operations_are_refused,
        test_every_member_of_counters_is_needed_and_checked,
        test_the_latest_life_of_a_worker_speaks_for_its_journal,
        test_a_journal_counts_once_however_many_lives_ended_meanwhile,
        test_workers_are_listed_in_the_order_of_the_flow,
        test_rates_are_growth_over_the_last_seconds,
        test_a_monitor_that_comes_late_sees_no_leap,
        test_the_first_work_of_a_new_worker_is_in_its_rate,
        test_quantiles_are_those_of_the_last_thousand,
        test_error_types_beyond_the_limit_fold_into_other,
        NULL,
    };
    return mr_suite_run ("registry", tests);
}
