/* records: a batch of records for tests, built from strings. */
#ifndef MR_TESTS_SUPPORT_RECORDS_H
#define MR_TESTS_SUPPORT_RECORDS_H

#include "common/record/records.h"

#include <stddef.h>

typedef struct mr_test_records {
    mr_records_t view; /* what the code under test is given */
    char *data;        /* exactly as long as the records, so that reading on is found */
    uint32_t *offsets;
    size_t bytes;
} mr_test_records_t;

/* An empty batch; add as many records as wanted, then release. Aborts when out of memory. */
void mr_test_records_init (mr_test_records_t *self);
void mr_test_records_add (mr_test_records_t *self, const char *text, size_t bytes);
void mr_test_records_release (mr_test_records_t *self);

#endif
