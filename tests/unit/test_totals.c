#include "common/base/buffer.h"
#include "monitor/prometheus.h"
#include "monitor/report.h"
#include "tests/support/monitor/registry.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

static void
totals (mr_registry_t *registry, const char *worker, unsigned seq, const char *metrics)
{
    char topic[64];
    snprintf (topic, sizeof topic, "totals.%s", worker);
    mr_status_t status =
        mr_test_event (registry, topic,
                       "{'worker':'%s','incarnation':'0000000000000001','event_seq':%u,"
                       "'ts':'2026-11-23T08:41:38Z','metrics':[%s]}",
                       worker, seq, metrics);
    ck_assert_msg (status == MR_OK, "%s", mr_test_registry_why ());
}

/* The user's part of /metrics. */
static void
check_exposition (const mr_registry_t *registry, const char *expected)
{
    mr_totals_t *sum = NULL;
    ck_assert_int_eq (
        mr_totals_sum ((const mr_totals_t *const *)registry->totals, registry->totals_count, &sum),
        MR_OK);
    mr_buffer_t text;
    mr_buffer_init (&text, 1 << 20);
    mr_exposition_t exposition = {.out = &text, .status = MR_OK};
    mr_exposition_totals (&exposition, sum);
    ck_assert_int_eq (exposition.status, MR_OK);
    ck_assert_int_eq (mr_buffer_append (&text, "", 1), MR_OK);
    ck_assert_str_eq (text.data, expected);
    mr_buffer_release (&text);
    mr_totals_destroy (&sum);
}

START_TEST (test_totals_are_replaced_per_worker_and_summed_over_workers)
{
    mr_registry_t *registry = mr_test_registry ();
    static const char metric[] = "{'metric':'requests','type':'counter','help':'Requests',"
                                 "'series':[{'labels':{'service':'cart'},'value':%s}%s]}";
    char json[512];
    snprintf (json, sizeof json, metric, "5", "");
    totals (registry, "exporter.0", 1, json);
    snprintf (json, sizeof json, metric, "8", ",{'labels':{'service':'pay'},'value':1}");
    totals (registry, "exporter.0", 2, json);
    snprintf (json, sizeof json, metric, "30", "");
    totals (registry, "exporter.1", 1, json);
    check_exposition (registry, "# HELP requests_total Requests\n"
                                "# TYPE requests_total counter\n"
                                "requests_total{service=\"cart\"} 38\n"
                                "requests_total{service=\"pay\"} 1\n");
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_histograms_add_up_bucket_by_bucket)
{
    mr_registry_t *registry = mr_test_registry ();
    totals (registry, "exporter.0", 1,
            "{'metric':'latency','type':'histogram','help':'Latency','series':[{'labels':{},"
            "'count':3,'sum':1.5,'min':0.25,'max':1,'buckets':[[0.5,2],[1,3],['+Inf',3]]}]}");
    totals (registry, "exporter.1", 1,
            "{'metric':'latency','type':'histogram','help':'Latency','series':[{'labels':{},"
            "'count':1,'sum':9,'min':9,'max':9,'buckets':[[0.5,0],[1,0]]},"
            "{'labels':{'b':'2','a':'1'},'count':0,'sum':0,'min':null,'max':null,"
            "'buckets':[[0.5,0],[1,0]]}]}");
    check_exposition (registry, "# HELP latency Latency\n"
                                "# TYPE latency histogram\n"
                                "latency_bucket{a=\"1\",b=\"2\",le=\"0.5\"} 0\n"
                                "latency_bucket{a=\"1\",b=\"2\",le=\"1\"} 0\n"
                                "latency_bucket{a=\"1\",b=\"2\",le=\"+Inf\"} 0\n"
                                "latency_sum{a=\"1\",b=\"2\"} 0\n"
                                "latency_count{a=\"1\",b=\"2\"} 0\n"
                                "latency_bucket{le=\"0.5\"} 2\n"
                                "latency_bucket{le=\"1\"} 3\n"
                                "latency_bucket{le=\"+Inf\"} 4\n"
                                "latency_sum 10.5\n"
                                "latency_count 4\n");
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_different_buckets_keep_those_that_both_have)
{
    mr_registry_t *registry = mr_test_registry ();
    totals (registry, "exporter.0", 1,
            "{'metric':'t','type':'histogram','help':'T','series':[{'labels':{},"
            "'count':3,'sum':3,'min':1,'max':1,'buckets':[[1,1],[5,2],[10,3]]}]}");
    totals (registry, "exporter.1", 1,
            "{'metric':'t','type':'histogram','help':'T','series':[{'labels':{},"
            "'count':4,'sum':4,'min':1,'max':1,'buckets':[[2,1],[5,1],[20,4]]}]}");
    check_exposition (registry, "# HELP t T\n"
                                "# TYPE t histogram\n"
                                "t_bucket{le=\"5\"} 3\n"
                                "t_bucket{le=\"+Inf\"} 7\n"
                                "t_sum 7\n"
                                "t_count 7\n");
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_what_prometheus_cannot_hold_is_escaped_or_renamed)
{
    mr_registry_t *registry = mr_test_registry ();
    totals (
        registry, "exporter.0", 1,
        "{'metric':'9-lives','type':'counter','help':'a\\\\b\\nc','series':["
        "{'labels':{'a.b[0]':'q\\\"\\\\\\n','__name':'x\\u0000y','\\u00e9':true},'value':0.5}]},"
        "{'metric':'millrace_up','type':'counter','help':'','series':[]},"
        "{'metric':'millrace_total','type':'counter','help':'M','series':[]},"
        "{'metric':'hits_total','type':'counter','help':'H','series':[]},"
        "{'metric':'hits','type':'counter','help':'H','series':[]},"
        "{'metric':'h','type':'histogram','help':'H','series':[{'labels':{'le':'x'},"
        "'count':0,'sum':0,'min':null,'max':null,'buckets':[]}]}");
    check_exposition (
        registry,
        "# HELP _9_lives_total a\\\\b\\nc\n"
        "# TYPE _9_lives_total counter\n"
        "_9_lives_total{label__name=\"x\\\\u0000y\",a_b_0_=\"q\\\"\\\\\\n\",label__=\"true\"} 0.5\n"
        "# HELP user_millrace_up_total No help in the configuration\n"
        "# TYPE user_millrace_up_total counter\n"
        "# HELP user_millrace_total M\n"
        "# TYPE user_millrace_total counter\n"
        "# HELP hits_total H\n"
        "# TYPE hits_total counter\n"
        "# HELP hits_2_total H\n"
        "# TYPE hits_2_total counter\n"
        "# HELP h H\n"
        "# TYPE h histogram\n"
        "h_bucket{le_2=\"x\",le=\"+Inf\"} 0\n"
        "h_sum{le_2=\"x\"} 0\n"
        "h_count{le_2=\"x\"} 0\n");
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_a_histogram_and_one_named_as_its_lines_get_names_that_differ)
{
    mr_registry_t *registry = mr_test_registry ();
    totals (registry, "exporter.0", 1,
            "{'metric':'h','type':'histogram','help':'H','series':[]},"
            "{'metric':'h_count','type':'histogram','help':'H','series':[]},"
            "{'metric':'h_sum','type':'counter','help':'H','series':[]},"
            "{'metric':'w_bucket','type':'histogram','help':'W','series':[]},"
            "{'metric':'w','type':'histogram','help':'W','series':[{'labels':{},"
            "'count':0,'sum':0,'min':null,'max':null,'buckets':[]}]}");
    check_exposition (registry, "# HELP h H\n"
                                "# TYPE h histogram\n"
                                "# HELP h_count_2 H\n"
                                "# TYPE h_count_2 histogram\n"
                                "# HELP h_sum_total H\n"
                                "# TYPE h_sum_total counter\n"
                                "# HELP w_bucket W\n"
                                "# TYPE w_bucket histogram\n"
                                "# HELP w_2 W\n"
                                "# TYPE w_2 histogram\n"
                                "w_2_bucket{le=\"+Inf\"} 0\n"
                                "w_2_sum 0\n"
                                "w_2_count 0\n");
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_broken_totals_are_refused_as_a_whole)
{
    /* The metric, what is said of it. */
    static const char *const bad[][2] = {
        {"{}", "totals: metric: bad metric"},
        {"{'metric':'a b','type':'counter','series':[]}", "totals: metric: bad metric"},
        {"{'metric':'a','type':'gauge','series':[]}", "totals: metric a: bad type"},
        {"{'metric':'a','type':'counter','series':{}}", "totals: metric: bad series"},
        {"{'metric':'a','type':'counter','series':[7]}", "totals: series: not a JSON object"},
        {"{'metric':'a','type':'counter','series':[{'labels':{},'value':'1'}]}",
         "totals: series: bad value"},
        {"{'metric':'a','type':'counter','series':[{'labels':[],'value':1}]}",
         "totals: metric a: bad labels"},
        {"{'metric':'a','type':'counter','series':[{'labels':{'x':{}},'value':1}]}",
         "totals: metric a: bad labels"},
        {"{'metric':'a','type':'histogram','series':[{'labels':{},'value':1}]}",
         "totals: series: bad count"},
        {"{'metric':'a','type':'histogram','series':[{'labels':{},'count':1,'sum':1,'min':1,"
         "'max':1,'buckets':[[2,1],[1,1]]}]}",
         "totals: metric a: bad buckets"},
        {"{'metric':'a','type':'histogram','series':[{'labels':{},'count':1,'sum':1,'min':1,"
         "'max':1,'buckets':[[1,2]]}]}",
         "totals: metric a: bad buckets"},
        {"{'metric':'a','type':'histogram','series':[{'labels':{},'count':1,'sum':1,'min':1,"
         "'max':1,'buckets':[1]}]}",
         "totals: metric a: bad buckets"},
    };
    mr_registry_t *registry = mr_test_registry ();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mr_status_t status =
            mr_test_event (registry, "totals.exporter.0",
                           "{'worker':'exporter.0','incarnation':'0000000000000001',"
                           "'event_seq':1,'ts':'2026-11-23T08:41:38Z','metrics':["
                           "{'metric':'good','type':'counter','series':[]},%s]}",
                           bad[i][0]);
        ck_assert_msg (status == MR_INVALID, "%s", bad[i][0]);
        ck_assert_str_eq (mr_test_registry_why (), bad[i][1]);
    }
    ck_assert_uint_eq (registry->totals_count, 0);
    mr_registry_destroy (&registry);
}
END_TEST

START_TEST (test_the_top_series_are_the_greatest)
{
    mr_registry_t *registry = mr_test_registry ();
    totals (registry, "exporter.0", 1,
            "{'metric':'r','type':'counter','help':'R','series':[{'labels':{'a':'1'},'value':5},"
            "{'labels':{'a':'2'},'value':50},{'labels':{'a':'3'},'value':20}]}");
    mr_report_t report = {.registry = registry, .pipeline = "shop"};
    mr_buffer_t text;
    mr_buffer_init (&text, 1 << 20);
    ck_assert_int_eq (mr_report_totals (&report, 2, &text), MR_OK);
    ck_assert_int_eq (mr_buffer_append (&text, "", 1), MR_OK);
    ck_assert_ptr_nonnull (
        strstr (text.data, "\"series_total\":3,\"series\":[{\"labels\":{\"a\":\"2\"},\"value\":50},"
                           "{\"labels\":{\"a\":\"3\"},\"value\":20}]"));
    mr_buffer_release (&text);
    mr_registry_destroy (&registry);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_totals_are_replaced_per_worker_and_summed_over_workers,
        test_histograms_add_up_bucket_by_bucket,
        test_different_buckets_keep_those_that_both_have,
        test_what_prometheus_cannot_hold_is_escaped_or_renamed,
        test_a_histogram_and_one_named_as_its_lines_get_names_that_differ,
        test_broken_totals_are_refused_as_a_whole,
        test_the_top_series_are_the_greatest,
        NULL,
    };
    return mr_suite_run ("totals", tests);
}
