#include "monitor/pages.h"

#include "common/base/clock.h"
#include "monitor/page.h"

#include <stddef.h>

static const mr_report_t *
report_now (void *arg)
{
    mr_pages_t *pages = arg;
    pages->report.mono_ns = mr_clock_mono_ns ();
    pages->report.wall_ns = mr_clock_wall_ns ();
    return &pages->report;
}

/* The same, of the workers that there are now. */
static const mr_report_t *
report_of_workers (void *arg)
{
    mr_pages_t *pages = arg;
    pages->look (pages->arg);
    return report_now (arg);
}

static unsigned
code_of (mr_status_t status)
{
    return status == MR_OK ? 200 : 500;
}

static unsigned
render_page (void *arg, const mr_http_request_t *request, mr_buffer_t *body)
{
    (void)arg, (void)request;
    return code_of (mr_buffer_append (body, mr_page_html, mr_page_html_bytes));
}

static unsigned
render_metrics (void *arg, const mr_http_request_t *request, mr_buffer_t *body)
{
    (void)request;
    return code_of (mr_report_metrics (report_now (arg), body));
}

static unsigned
render_workers (void *arg, const mr_http_request_t *request, mr_buffer_t *body)
{
    (void)request;
    return code_of (mr_report_workers (report_of_workers (arg), body));
}

static unsigned
render_totals (void *arg, const mr_http_request_t *request, mr_buffer_t *body)
{
    return code_of (mr_report_totals (report_now (arg), request->top, body));
}

static unsigned
render_errors (void *arg, const mr_http_request_t *request, mr_buffer_t *body)
{
    (void)request;
    return code_of (mr_report_errors (report_now (arg), body));
}

static unsigned
render_health (void *arg, const mr_http_request_t *request, mr_buffer_t *body)
{
    (void)request;
    bool healthy = false;
    if (mr_report_health (report_of_workers (arg), body, &healthy) != MR_OK) {
        return 500;
    }
    return healthy ? 200 : 503;
}

static unsigned
render_prometheus (void *arg, const mr_http_request_t *request, mr_buffer_t *body)
{
    (void)request;
    return code_of (mr_report_prometheus (report_now (arg), body));
}

const mr_http_route_t *
mr_pages_routes (void)
{
    static const mr_http_route_t routes[] = {
        {"/", "text/html; charset=utf-8", render_page},
        {"/api/metrics", "application/json", render_metrics},
        {"/api/workers", "application/json", render_workers},
        {"/api/totals", "application/json", render_totals},
        {"/api/errors", "application/json", render_errors},
        {"/healthz", "application/json", render_health},
        {"/metrics", "text/plain; version=0.0.4; charset=utf-8", render_prometheus},
        {NULL, NULL, NULL},
    };
    return routes;
}
