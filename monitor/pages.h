/* pages: what is served at which path. */
#ifndef MR_MONITOR_PAGES_H
#define MR_MONITOR_PAGES_H

#include "monitor/http.h"
#include "monitor/report.h"

/* The table for mr_http_new, whose `arg` is a mr_report_t * (borrowed): its times are set at each
 * request. */
const mr_http_route_t *mr_pages_routes (void);

#endif
