/* errortype: the names of everything that can go wrong with a record, a batch or a metric, as they
 * stand in events, dead letters and /api/metrics, each with its meaning. Add a row here before you
 * use a new name. Pure; thread safe. */
#ifndef MR_COMMON_WIRE_ERRORTYPE_H
#define MR_COMMON_WIRE_ERRORTYPE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct mr_errortype {
    const char *name;    /* snake_case */
    const char *stage;   /* who reports it: "ingest", "processor", ...; "any" */
    bool dead;           /* the record becomes a dead letter; else it is counted and goes on */
    const char *meaning; /* one sentence, no full stop at the end */
} mr_errortype_t;

/* All rows, sorted by stage in the order of the chain; ends with a row whose name is NULL. */
const mr_errortype_t *mr_errortypes (void);

/* The row of a name, NULL when there is none. */
const mr_errortype_t *mr_errortype_find (const char *name);

#endif
