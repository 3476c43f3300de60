/* hops: what ZeroMQ alone costs on this machine, with no work between. `hops` passes messages
 * through processes over ipc; `receive` takes messages in and copies each once, as any program must
 * that collects records. Each prints one JSON object on one line and returns the exit code. */
#ifndef MR_TESTS_BENCH_HOPS_HOPS_H
#define MR_TESTS_BENCH_HOPS_HOPS_H

#include <stddef.h>
#include <stdint.h>

enum { MR_HOPS_MOST = 8 };

typedef struct mr_hops_options {
    const char *dir; /* for sockets; of `receive` the endpoint's file is made in it */
    uint64_t records;
    size_t bytes;   /* of a record, 16 .. */
    unsigned chunk; /* records a message */
    unsigned hops;  /* 1 .. MR_HOPS_MOST */
} mr_hops_options_t;

/* Sender, hops - 1 relays, receiver, each a process. The receiver checks that every message came,
 * once and in order. */
int mr_hops_run (const mr_hops_options_t *options);

/* Bind DIR/receive, say `ready`, take `records` messages and copy each into a buffer. */
int mr_hops_receive (const mr_hops_options_t *options);

#endif
