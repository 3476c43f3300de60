/* records: the reference work's input for benchmarks, 250-byte JSON log events. */
#ifndef MR_TESTS_BENCH_RECORDS_H
#define MR_TESTS_BENCH_RECORDS_H

#include "common/record/records.h"

#include <stdio.h>

enum { BENCH_RECORDS = 1024 };

typedef struct {
    char data[BENCH_RECORDS * 320];
    uint32_t offsets[BENCH_RECORDS + 1];
    mr_records_t view;
} bench_batch_t;

/* Nine fields; one of five has level "debug". The same in every run. */
static inline void
bench_fill (bench_batch_t *self)
{
    static const char *const levels[] = {"debug", "info", "info", "warn", "error"};
    static const char *const services[] = {"cart", "search", "payment", "login"};
    uint32_t at = 0;
    for (uint32_t i = 0; i < BENCH_RECORDS; i++) {
        self->offsets[i] = at;
        at += (uint32_t)sprintf (
            self->data + at,
            "{\"ts\":\"2026-11-23T08:41:%02u.%06uZ\",\"level\":\"%s\","
            "\"service\":\"%s\",\"user\":\"user-%05u\",\"latency_ms\":%u.%03u,"
            "\"status\":%u,\"path\":\"/api/v1/%s/%u\",\"trace\":\"%08x%08x\","
            "\"message\":\"the request was answered after looking it up in the "
            "cache\"}\n",
            i % 60, i * 977 % 1000000, levels[i % 5], services[i % 4], i * 31 % 100000, i % 700,
            i % 1000, 200 + i % 5, services[i % 4], i, i * 2654435761U, i * 40503U);
    }
    self->offsets[BENCH_RECORDS] = at;
    self->view = (mr_records_t){
        .data = self->data,
        .offsets = self->offsets,
        .count = BENCH_RECORDS,
    };
}

#endif
