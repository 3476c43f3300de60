/* pages: what is served at which path. */
#ifndef MR_MONITOR_PAGES_H
#define MR_MONITOR_PAGES_H

#include "monitor/http.h"
#include "monitor/report.h"

typedef struct mr_pages {
    mr_report_t report; /* its times are set at each request */

    /* Look at the lock files now: who asks whether all is well right after `up` or `restart` shall
     * not hear of a second ago. */
    void (*look) (void *arg);
    void *arg;
} mr_pages_t;

/* The table for mr_http_new, whose `arg` is a mr_pages_t *, borrowed. */
const mr_http_route_t *mr_pages_routes (void);

#endif
