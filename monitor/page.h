/* page: the web page at "/", built in from monitor/page.html. */
#ifndef MR_MONITOR_PAGE_H
#define MR_MONITOR_PAGE_H

#include <stddef.h>

extern const char mr_page_html[];
extern const size_t mr_page_html_bytes;

#endif
