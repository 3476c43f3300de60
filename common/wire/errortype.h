/* errortype: the names of everything that can go wrong with a record, a batch or a metric, as they
 * stand in events, dead letters and /api/metrics, each with its meaning. Whoever reports one uses
 * its constant, so that there is no name without a row; lint-words sees that each is used. Pure;
 * thread safe. */
#ifndef MR_COMMON_WIRE_ERRORTYPE_H
#define MR_COMMON_WIRE_ERRORTYPE_H

#include <stdbool.h>
#include <stddef.h>

/* In the order of the rows. */
typedef enum mr_errortype_id {
    MR_ERR_NONE, /* not said: our own bug */
    MR_ERR_RECORD_TOO_LONG,
    MR_ERR_JOURNAL_FULL,
    MR_ERR_JOURNAL_DAMAGED,
    MR_ERR_MEMORY_LOST,
    MR_ERR_PRODUCER_FRAME,
    MR_ERR_JSON_SYNTAX,
    MR_ERR_JSON_UTF8,
    MR_ERR_JSON_NOT_OBJECT,
    MR_ERR_JSON_DEPTH,
    MR_ERR_PARSE_COMBINED,
    MR_ERR_PARSE_COMMON,
    MR_ERR_SET_FAILED,
    MR_ERR_RENAME_FAILED,
    MR_ERR_WORKER_CRASH,
    MR_ERR_WORKER_HANG,
    MR_ERR_RECORD_TOO_LARGE,
    MR_ERR_METRIC_FIELD_MISSING,
    MR_ERR_METRIC_FIELD_NOT_NUMBER,
    MR_ERR_METRIC_NO_ROOM,
    MR_ERR_METRIC_SERIES_FULL,
    MR_ERR_METRIC_REFUSED,
    MR_ERR_TOTALS_WRITE,
    MR_ERR_SINK_WRITE,
    MR_ERR_BAD_FRAME,
    MR_ERR_COUNT,
} mr_errortype_id_t;

typedef struct mr_errortype {
    const char *name;    /* snake_case */
    const char *stage;   /* who reports it: "ingest", "processor", ...; "any" */
    bool dead;           /* the record becomes a dead letter; else it is counted and goes on */
    const char *meaning; /* one sentence, no full stop at the end */
} mr_errortype_t;

/* All rows, sorted by stage in the order of the chain; ends with a row whose name is NULL. */
const mr_errortype_t *mr_errortypes (void);

/* Static; "" for what is no type. */
const char *mr_errortype_name (mr_errortype_id_t id);

#endif
