/* load: the reference work's records, what must become of each, and the modes of the load program.
 * Records are numbered from 1 and the same in every run: a function of number and size alone,
 * except for the time stamp, which a paced run sets. `mr_load_expected` is written apart from the
 * pipeline's code, so that comparing with it proves something. Thread safe. */
#ifndef MR_TESTS_BENCH_LOAD_LOAD_H
#define MR_TESTS_BENCH_LOAD_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_LOAD_MIN_BYTES = 100,     /* of a record; from here on without time stamp, ... */
    MR_LOAD_STAMP_BYTES = 160,   /* ... which a paced run needs */
    MR_LOAD_FULL_BYTES = 224,    /* from here on with status, path and trace */
    MR_LOAD_MAX_BYTES = 1 << 20, /* ingest's default max_record */
    MR_LOAD_EXTRA_BYTES = 64,    /* what the expected record may be longer, and a newline */
    MR_LOAD_LEVELS = 4,
    MR_LOAD_SERVICES = 4,
};

typedef struct mr_load_event {
    unsigned level; /* index into mr_load_levels; 0 is debug, which the reference work drops */
    unsigned service;
    uint64_t noise; /* 64 bits of the number's own, for the other fields */
} mr_load_event_t;

extern const char *const mr_load_levels[MR_LOAD_LEVELS];
extern const char *const mr_load_services[MR_LOAD_SERVICES];

mr_load_event_t mr_load_event (uint64_t number);

/* The time stamp of a run that is not paced: ns since the epoch. */
int64_t mr_load_fixed_ts (uint64_t number);

/* Write record `number` and a newline.
 *   bytes  length without the newline, MR_LOAD_MIN_BYTES .. MR_LOAD_MAX_BYTES
 *   to     bytes + 1 bytes
 * Returns bytes + 1. */
size_t mr_load_record (uint64_t number, size_t bytes, int64_t ts_ns, char *to);

/* The same for the line that must come out; 0: the record is dropped.
 *   to     bytes + MR_LOAD_EXTRA_BYTES bytes */
size_t mr_load_expected (uint64_t number, size_t bytes, int64_t ts_ns, char *to);

/* Read number and time stamp of a line in either form. */
bool mr_load_read (const char *line, size_t bytes, uint64_t *ret_number, int64_t *ret_ts_ns);

typedef struct mr_load_options {
    const char *mode;   /* of send: push, chunks, acked, tcp */
    const char *to;     /* of send: endpoint, or HOST:PORT for tcp */
    const char *name;   /* of send: the producer's name in numbered ids */
    const char **files; /* of check and watch */
    int file_count;
    uint64_t first; /* of send: number of the first record */
    uint64_t records;
    uint64_t skip;   /* of watch: leave records up to this number out */
    size_t bytes;    /* of each record */
    unsigned chunk;  /* records a message, for chunks, acked and tcp */
    unsigned window; /* of acked: requests without an answer */
    double rate;     /* records/s; 0: as fast as it goes */
    unsigned timeout_s;
} mr_load_options_t;

/* The programs. Each prints one JSON object on one line and returns the exit code. Those that say
 * so print `ready` first and begin when a line comes on standard input. */
int mr_load_count (const mr_load_options_t *options);  /* what a run of this size must give */
int mr_load_write (const mr_load_options_t *options);  /* the records, to standard output */
int mr_load_expect (const mr_load_options_t *options); /* what must come out, likewise */
int mr_load_send (const mr_load_options_t *options);   /* ready; ends when standard input does */
int mr_load_check (const mr_load_options_t *options);  /* whether the files hold just that */
int mr_load_watch (const mr_load_options_t *options);  /* ready; latencies of lines as they come */

#endif
