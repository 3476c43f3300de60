/* journal_format: the bytes at the start of a journal's segment, and those behind each batch frame,
 * as pure functions: for ingest, which writes and reads them, and for whoever looks inside. Byte
 * layout: PROTOCOL.md, "Journal". Thread safe. */
#ifndef MR_COMMON_DELIVERY_JOURNAL_FORMAT_H
#define MR_COMMON_DELIVERY_JOURNAL_FORMAT_H

#include "common/base/buffer.h"
#include "common/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* What a segment begins with: all that its reader must know of the segments before it. */
typedef struct mr_journal_snapshot {
    uint64_t next_seq;
    uint64_t top_seq;
    uint64_t received; /* records, through top_seq */
    uint64_t watermark;
    uint64_t lost; /* records of batches that were given up; this and the next are 0 in files ... */
    uint64_t lost_seq; /* ... of version 1; the last of those batches, 0: none */
    uint64_t unknown;  /* batches that are gone, with how many records nobody knows; this and ... */
    uint64_t gone_seq; /* ... the last of those at the journal's end are 0 before version 3 */
    const void *memory; /* of ingest: producers and strikes; borrowed */
    size_t memory_bytes;
} mr_journal_snapshot_t;

/* Append the snapshot without its memory, which follows.
 * MR_SYSTEM, MR_INVALID: as mr_buffer_append. */
MR_CHECK mr_status_t mr_journal_snapshot_encode (const mr_journal_snapshot_t *snapshot,
                                                 mr_buffer_t *out);
/* ret_snapshot: its memory points into data. MR_INVALID: not a snapshot, or a newer one. */
MR_CHECK mr_status_t mr_journal_snapshot_decode (const void *data, size_t bytes,
                                                 mr_journal_snapshot_t *ret_snapshot);

/* The memory's two parts: entries of producers, and strikes of MR_JOURNAL_STRIKE_BYTES each. */
enum { MR_JOURNAL_STRIKE_BYTES = 24 };
typedef struct mr_journal_memory {
    const void *producers;
    size_t producers_bytes;
    const void *strikes;
    size_t strikes_bytes;
} mr_journal_memory_t;

/* MR_INVALID: its sizes do not agree. */
MR_CHECK mr_status_t mr_journal_memory_decode (const void *data, size_t bytes,
                                               mr_journal_memory_t *ret_memory);

/* A producer and the last of its numbers that the journal holds. */
typedef struct mr_journal_producer {
    const char *name; /* not terminated; points into the entries */
    size_t name_bytes;
    uint64_t last;
} mr_journal_producer_t;

/* Append one entry. As mr_buffer_append: all of it or nothing. */
MR_CHECK mr_status_t mr_journal_producer_encode (const mr_journal_producer_t *producer,
                                                 mr_buffer_t *out);
/* The entry at *position, which moves behind it. MR_OK; MR_CLOSED: that is the end; MR_INVALID. */
MR_CHECK mr_status_t mr_journal_producer_next (const void *entries, size_t bytes, size_t *position,
                                               mr_journal_producer_t *ret_producer);

#endif
