/* feed: one file through one acknowledged socket, to its end: reading, pacing, sending, answers and
 * reconnection; the inside of `millrace send`. Not thread safe. */
#ifndef MR_LAUNCHER_FEED_H
#define MR_LAUNCHER_FEED_H

#include "common/base/status.h"
#include "launcher/lines.h"
#include "launcher/resume.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct mr_feed_options {
    const char *endpoint;
    const char *producer; /* NULL: made from the file */
    bool loop;            /* begin again at the end */
    bool follow;          /* as the lines were opened */
    const char *places;   /* directory of places (place.h); NULL: none are kept */
    mr_resume_t *resume;  /* what is lost is told; NULL: nothing is */
    double rate;          /* records/s; 0: as fast as it goes */
    uint64_t max_record;  /* longer lines are refused here; 0: no limit known */
    int64_t timeout_ms;   /* without an answer while some are due; 0: while connected, wait */
    int64_t connect_ms;   /* without a connection; 0: wait for ever */
} mr_feed_options_t;

/* Records, over all files so far. */
typedef struct mr_feed_counts {
    uint64_t skipped; /* were acknowledged before this run */
    uint64_t sent;    /* read and offered, the refused ones included */
    uint64_t acknowledged;
    uint64_t refused;
} mr_feed_counts_t;

/* About ten times a second. Return false to stop reading and wait only for what is under way. */
typedef bool mr_feed_tick_fn (void *arg, const mr_feed_counts_t *counts, const mr_lines_t *lines);

typedef struct mr_feed_watcher {
    mr_feed_tick_fn *tick;
    void *arg;
} mr_feed_watcher_t;

/* Send everything in `lines`. counts grow.
 * MR_OK; MR_AGAIN: nobody answers in time; MR_INVALID: the file or an answer is not what it should
 * be; MR_SYSTEM. err says so. */
MR_CHECK mr_status_t mr_feed (const mr_feed_options_t *options, mr_lines_t *lines,
                              mr_feed_watcher_t watcher, mr_feed_counts_t *counts, mr_error_t *err);

#endif
