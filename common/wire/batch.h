/* batch: the one frame that flows from stage to stage, and that the journal and the spool hold.
 *
 * A batch is records as NDJSON plus what belongs to them. Stages that only pass it on forward the
 * bytes; stages that change it encode a new frame. Byte layout: PROTOCOL.md, "Batch".
 * Pure functions; thread safe; little-endian hosts only (checked at compile time). */
#ifndef MR_COMMON_WIRE_BATCH_H
#define MR_COMMON_WIRE_BATCH_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MR_BATCH_VERSION = 1,
    MR_BATCH_HEADER_BYTES = 96,
    MR_BATCH_PAD_BYTES = 64,      /* zero bytes behind the records: parsers may read that far */
    MR_BATCH_MAX_RECORDS = 65536, /* records in one batch */
    MR_BATCH_MAX_SECTIONS = 16,
};
#define MR_BATCH_MAX_BYTES (UINT32_C (64) << 20) /* a whole frame */

/* Typed sections behind the records. Unknown types are passed on untouched. */
typedef enum mr_section_type {
    MR_SECTION_INDEX = 1,    /* u32 for each record: its index in the batch as ingest made it */
    MR_SECTION_DEAD = 2,     /* dead letters, wire/dead.h */
    MR_SECTION_FIELDS = 3,   /* where the fields of the metric rules are, wire/fields.h */
    MR_SECTION_PARTIALS = 4, /* partial aggregates of this batch */
    MR_SECTION_MARKS = 5,    /* u32 index, u32 mr_evidence_t: records not to be worked on */
} mr_section_type_t;

typedef struct mr_section {
    uint32_t type;
    uint32_t bytes;
    const void *data; /* borrowed; 8-byte aligned when it comes from a decoded frame */
} mr_section_t;

/* A batch as values. After decoding, the pointers point into the frame. */
typedef struct mr_batch {
    uint64_t journal;     /* identity: the journal that made it, ... */
    uint64_t seq;         /* ... and its number there, from 1 */
    uint16_t attempt;     /* 1 the first time; a replay counts up */
    uint16_t origin;      /* slot of the ingest worker to which done messages go */
    uint8_t generation;   /* settle generation of the window's word when it was pushed */
    uint32_t received;    /* records that ingest took in for it; = count + filtered + dead */
    uint32_t count;       /* records present */
    uint32_t filtered;    /* records dropped by keep / drop so far */
    uint32_t dead;        /* rows in the DEAD section */
    int64_t created_ns;   /* wall clock when the first record came in */
    uint64_t config_hash; /* configuration of the last stage that changed it; 0: none yet */

    const char *records;     /* record i is records[offsets[i] .. offsets[i+1] - 1), then '\n' */
    uint32_t records_bytes;  /* offsets[count] */
    const uint32_t *offsets; /* count + 1 entries, rising by at least 1, the first 0 */

    uint32_t section_count;
    mr_section_t sections[MR_BATCH_MAX_SECTIONS];
} mr_batch_t;

/* Decode and check one frame completely: sizes, rising offsets, sections (each type once, INDEX as
 * long as the records are many), checksum.
 *   frame      borrowed, 8-byte aligned, `bytes` long; the batch points into it
 *   ret_batch  valid while frame is; untouched on failure
 * Returns MR_OK; MR_INVALID (err names the field). */
MR_CHECK mr_status_t mr_batch_decode (const void *frame, size_t bytes, mr_batch_t *ret_batch,
                                      mr_error_t *err);

/* Whole size of the frame that mr_batch_encode will write; 0 when it would pass a limit. */
size_t mr_batch_encoded_bytes (const mr_batch_t *batch);

/* Write the frame. frame: 8-byte aligned, mr_batch_encoded_bytes (batch) long; records that stand
 * in it where they belong, MR_BATCH_HEADER_BYTES behind its start, are not copied. The batch must
 * be consistent (count + filtered + dead == received, offsets rising): our own bug otherwise. */
void mr_batch_encode (const mr_batch_t *batch, void *frame);

/* Change attempt and generation in an encoded frame and renew its checksum, for a replay. */
void mr_batch_restamp (void *frame, size_t bytes, uint16_t attempt, uint8_t generation);

/* The first section of this type, or NULL. */
const mr_section_t *mr_batch_section (const mr_batch_t *batch, mr_section_type_t type);

/* Add a section to a batch that is to be encoded; data stays borrowed until then. One of the same
 * type is replaced. MR_INVALID: too many sections. */
MR_CHECK mr_status_t mr_batch_set_section (mr_batch_t *batch, mr_section_type_t type,
                                           const void *data, uint32_t bytes);
void mr_batch_remove_section (mr_batch_t *batch, mr_section_type_t type);

/* Whether both are the same values and point to the same memory: nothing was changed. */
bool mr_batch_same (const mr_batch_t *a, const mr_batch_t *b);

/* Index of present record i in the batch as ingest made it (identity journal-seq-index). */
uint32_t mr_batch_original_index (const mr_batch_t *batch, uint32_t i);

#endif
