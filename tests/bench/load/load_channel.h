/* channel: one connection to ingest, of one of four kinds. Blocks; not thread safe. */
#ifndef MR_TESTS_BENCH_LOAD_LOAD_CHANNEL_H
#define MR_TESTS_BENCH_LOAD_LOAD_CHANNEL_H

#include "tests/bench/load/load.h"

typedef struct mr_load_channel mr_load_channel_t;

typedef struct mr_load_piece {
    const char *lines; /* `count` records of `record_bytes` bytes, each with a newline behind it */
    unsigned count;
    size_t record_bytes;
    uint64_t last; /* number of the last one */
    bool copy;     /* `lines` changes after the call; else it stays until the channel is closed */
} mr_load_piece_t;

/* Connected when it returns; NULL: nobody is there, or the mode is unknown. */
mr_load_channel_t *mr_load_channel_open (const mr_load_options_t *options);

/* ret_sent: where to go on: piece->last, or less when an acknowledged producer has to go back.
 * Untouched on failure. */
bool mr_load_channel_send (mr_load_channel_t *self, const mr_load_piece_t *piece,
                           uint64_t *ret_sent);

/* Wait until everything is acknowledged, where it is; ret_sent as above. */
bool mr_load_channel_flush (mr_load_channel_t *self, uint64_t *ret_sent);

void mr_load_channel_close (mr_load_channel_t **self_p);

#endif
