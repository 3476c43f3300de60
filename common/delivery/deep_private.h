/* deep_private: what the files of the deep audit share: deep_journal.c and deep_spool.c read,
 * deep_judge.c compares, deep.c orders it all. Included by nobody else. */
#ifndef MR_COMMON_DELIVERY_DEEP_PRIVATE_H
#define MR_COMMON_DELIVERY_DEEP_PRIVATE_H

#include "common/base/seglog_walk.h"
#include "common/base/slots.h"
#include "common/delivery/deep.h"
#include "common/delivery/spool.h"

#include <limits.h>
#include <stddef.h>

/* A list that grows. Rows are plain. */
typedef struct mr_deep_list {
    void *rows;
    size_t count;
    size_t capacity;
} mr_deep_list_t;

/* Room for one more row of `bytes`, counted; NULL: no memory. */
void *mr_deep_list_add (mr_deep_list_t *self, size_t bytes);
void mr_deep_list_release (mr_deep_list_t *self);

/* A batch in a spool. */
typedef struct mr_deep_spooled {
    uint64_t journal;
    uint64_t seq;
    uint64_t segment; /* start of the one it is in */
    uint64_t position;
    uint32_t exported;
    uint32_t filtered;
    uint32_t dead;
    uint32_t slot;
} mr_deep_spooled_t;

/* A batch in a journal; or, with received 0 and position 0, what a segment's start says of all
 * before it. */
typedef struct mr_deep_taken {
    uint64_t seq;
    uint64_t received;
    uint64_t total;
    uint64_t segment;
    uint64_t position;
} mr_deep_taken_t;

typedef struct mr_deep_lost {
    uint64_t seq;
    uint64_t records;
} mr_deep_lost_t;

/* Bytes of a journal that cannot be read, and the batches around them. */
typedef struct mr_deep_hole {
    mr_deep_fault_t fault;
    uint64_t after;  /* the last seq before */
    uint64_t before; /* the first behind; UINT64_MAX: none */
} mr_deep_hole_t;

typedef struct mr_deep_sums {
    mr_spool_sum_t rows[4 * MR_SPOOL_SUMS_MAX];
    uint32_t count;
} mr_deep_sums_t;

/* The sum of this journal, made where it is missing; the last one when there is no room. */
mr_spool_sum_t *mr_deep_sum (mr_deep_sums_t *self, uint64_t journal);

typedef struct mr_deep mr_deep_t;

/* The journal of one ingest worker, as far as it was read. */
typedef struct mr_deep_ingest {
    mr_deep_t *deep;
    int slot;
    uint64_t id;           /* 0: it has no journal */
    uint64_t read_to;      /* position */
    uint64_t segment;      /* start of the last one met */
    bool begun;            /* a segment was met */
    bool skipped;          /* damage or retention took frames since the last one */
    uint64_t last_seq;     /* of the last frame, and ... */
    uint64_t total;        /* ... received through it */
    uint64_t lost_total;   /* given up so far */
    uint64_t lost_before;  /* of those, before the first frame that was read */
    mr_deep_list_t taken;  /* mr_deep_taken_t, seqs rising */
    mr_deep_list_t lost;   /* mr_deep_lost_t */
    mr_deep_list_t holes;  /* mr_deep_hole_t */
    uint64_t gone;         /* batches of which the journal does not know the records */
    uint64_t under_way;    /* the highest seq that was, before the journal was read again */
    bool has_window;       /* before anything was read */
    uint64_t watermark;    /* the cut, and ... */
    uint64_t top;          /* ... the last batch then */
    uint64_t top_received; /* received through it */
    uint8_t *done;         /* [i]: the word of watermark + 1 + i says DONE */
    size_t done_count;
} mr_deep_ingest_t;

/* The spool of one exporter, as far as it was read. */
typedef struct mr_deep_exporter {
    mr_deep_t *deep;
    int slot;
    bool there;
    uint64_t read_to;
    uint64_t segment;
    bool begun;
    bool damaged;        /* frames were skipped since the last segment's start */
    bool trimmed;        /* the same, by retention */
    uint64_t ordinal;    /* the next frame's */
    mr_deep_sums_t base; /* of all that is not in `spooled` */
    mr_deep_sums_t run;  /* of all frames so far */
    mr_deep_spool_t seen;
} mr_deep_exporter_t;

struct mr_deep {
    const char *data_dir;
    const mr_deep_visitor_t *visitor;
    mr_deep_ingest_t ingests[MR_SLOTS_MAX];
    mr_deep_exporter_t exporters[MR_SLOTS_MAX];
    mr_deep_list_t spooled; /* mr_deep_spooled_t */
};

/* Tell of a fault. dir: the log's directory; segment: start of the file in it. */
typedef struct mr_deep_place {
    const char *log; /* "ingest.0.journal"; NULL: about no file */
    uint64_t segment;
    uint64_t position;
    uint64_t journal;
    uint64_t seq;
} mr_deep_place_t;
void mr_deep_fault_at (mr_deep_fault_t *ret_fault, const mr_deep_place_t *place, const char *format,
                       ...) MR_PRINTF (3, 4);
void mr_deep_tell (mr_deep_t *self, const mr_deep_place_t *place, const char *format, ...)
    MR_PRINTF (3, 4);

/* deep_journal.c, deep_spool.c: read what came since the last time. MR_OK, also when there is
 * none; MR_CONFIG, MR_SYSTEM. */
MR_CHECK mr_status_t mr_deep_read_journal (mr_deep_ingest_t *ingest, mr_error_t *err);
MR_CHECK mr_status_t mr_deep_read_spool (mr_deep_exporter_t *exporter, mr_error_t *err);

/* deep_judge.c: received through the watermark, as the journal says.
 * MR_AGAIN: retention took what would tell. */
MR_CHECK mr_status_t mr_deep_settled_in (const mr_deep_ingest_t *ingest, uint64_t *ret_records);
/* Everything was read: compare, and tell. `spooled` is sorted. MR_AGAIN: as above. */
MR_CHECK mr_status_t mr_deep_judge (mr_deep_t *self);

#endif
