/* seglog_format: the bytes of a segment log, as pure functions. No state; thread safe.
 *
 * A log is a directory. Everything is little endian; offsets are in bytes.
 *
 *   PPPPPPPPPPPPPPPP.seg      a segment; P = position of its byte 0, 16 lower-case hex digits
 *   PPPPPPPPPPPPPPPP.free     a file in stock: its old bytes mean nothing, open removes it
 *   PPPPPPPPPPPPPPPP.corrupt  a copy of bytes that a reader had to skip, from position P on
 *   PPPPPPPPPPPPPPPP.cut      bytes that `millrace log cut` took away, from position P on; .1.cut,
 *                             .2.cut, ... those of later cuts from there on
 *   head                      published positions (below); a hint that the log lives without
 *
 * A position is 64 bits and counts bytes through all segments: segment start + offset in the file.
 * A segment ends where the next one starts; what lies behind in its file means nothing.
 *
 * Segment header; the first frame follows at header_bytes:
 *    0 u64 magic "MRSEGLOG"       8 u16 version (1)          10 u16 kind (the caller's: 1 ..)
 *   12 u32 header_bytes, a multiple of 8: 72 + snapshot + padding
 *   16 u64 log id                24 u64 segment number       32 u64 start position
 *   40 u64 ordinal of the first frame                        48 i64 created, ns since 1970
 *   56 u32 snapshot bytes        60 u32 0
 *   64 u64 XXH3_64 (seed = XXH3_64 (snapshot, seed 0)) of bytes 0..63
 *   72     snapshot: opaque to the log; then zeros up to header_bytes
 * Bytes 0..71 keep their meaning in every version, so that a newer version can be told from damage.
 *
 * Frame, at a multiple of 8:
 *    0 u32 magic "MRF1"           4 u8 type (1 data, 2 control)  5 u8 flags (the caller's)
 *    6 u16 0                      8 u32 payload bytes            12 u32 0
 *   16 u64 its own position      24 u64 ordinal (counts frames of the log from 0)
 *   32 u64 words[8], the caller's
 *   96 u64 XXH3_64 (seed = log id) of the payload
 *  104 u64 XXH3_64 (seed = log id) of bytes 0..103
 *  112     payload, then zeros up to a multiple of 8
 * A frame is believed only where its position says that it is and under its log's id: old bytes of
 * a recycled file never pass for new ones.
 *
 * head, 4096 bytes, mapped: see mr_seglog_head_t. It holds for the machine start that it names;
 * after another only `synced` of it does. */
#ifndef MR_COMMON_BASE_SEGLOG_FORMAT_H
#define MR_COMMON_BASE_SEGLOG_FORMAT_H

#include "common/base/hash.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define MR_SEGLOG_SEGMENT_MAGIC UINT64_C (0x474f4c474553524d) /* "MRSEGLOG" */
#define MR_SEGLOG_HEAD_MAGIC UINT64_C (0x444145484753524d)    /* "MRSGHEAD" */
#define MR_SEGLOG_FRAME_MAGIC UINT32_C (0x3146524d)           /* "MRF1" */

enum {
    MR_SEGLOG_VERSION = 1,
    MR_SEGLOG_WORDS = 8,
    MR_SEGLOG_SEGMENT_BYTES = 72, /* segment header without its snapshot */
    MR_SEGLOG_FRAME_BYTES = 112,  /* frame header */
    MR_SEGLOG_NAME_BYTES = 32,
    MR_SEGLOG_HEAD_BYTES = 4096,
    MR_SEGLOG_SNAPSHOT_MAX = 16 << 20,
};

typedef struct mr_seglog_segment_head {
    uint64_t magic;
    uint16_t version;
    uint16_t kind;
    uint32_t header_bytes;
    uint64_t log_id;
    uint64_t number;
    uint64_t start;
    uint64_t ordinal;
    int64_t created_ns;
    uint32_t snapshot_bytes;
    uint32_t zero;
    uint64_t check;
} mr_seglog_segment_head_t;

typedef struct mr_seglog_frame_head {
    uint32_t magic;
    uint8_t type;
    uint8_t flags;
    uint16_t zero;
    uint32_t payload_bytes;
    uint32_t zero2;
    uint64_t position;
    uint64_t ordinal;
    uint64_t words[MR_SEGLOG_WORDS];
    uint64_t payload_check;
    uint64_t check;
} mr_seglog_frame_head_t;

/* What the writer publishes to readers anywhere on this machine. A writer stores ready = 0, then
 * the rest, then ready = 1; afterwards only the positions change, and only upwards. */
typedef struct mr_seglog_head {
    uint64_t magic;
    uint32_t version;
    uint32_t kind;
    uint64_t log_id;
    uint64_t boot[2]; /* the machine start during which `end` holds */
    _Atomic uint64_t ready;
    _Atomic uint64_t first;  /* start of the oldest segment kept */
    _Atomic uint64_t end;    /* committed: frames below are whole */
    _Atomic uint64_t synced; /* frames below are on the disk */
} mr_seglog_head_t;

/* Why a frame is not to be believed; MR_SEGLOG_WHOLE: it is. */
typedef enum {
    MR_SEGLOG_WHOLE,
    MR_SEGLOG_BAD_MAGIC,
    MR_SEGLOG_BAD_POSITION,
    MR_SEGLOG_BAD_HEADER,  /* checksum of the header */
    MR_SEGLOG_BAD_SIZE,    /* runs past the end of what there is, or over the limit */
    MR_SEGLOG_BAD_PAYLOAD, /* checksum of the payload; the header is sound */
    MR_SEGLOG_UNREADABLE,  /* the disk refused */
} mr_seglog_verdict_t;

/* One or two words for people: "payload checksum". Static. */
const char *mr_seglog_verdict_text (mr_seglog_verdict_t verdict);

/* Bytes of a frame or segment header in the file, padding included. */
uint64_t mr_seglog_frame_size (uint64_t payload_bytes);
uint64_t mr_seglog_header_size (uint64_t snapshot_bytes);

/* "00000000000012ab" + suffix. name: MR_SEGLOG_NAME_BYTES; suffix at most 10 characters. */
void mr_seglog_name (char *name, uint64_t start, const char *suffix);
/* The other way; false: not such a name. */
bool mr_seglog_name_parse (const char *name, const char *suffix, uint64_t *ret_start);

/* Fill in the checksum of a header whose other fields are set. */
void mr_seglog_segment_seal (mr_seglog_segment_head_t *head, const void *snapshot);
void mr_seglog_frame_seal (mr_seglog_frame_head_t *head, uint64_t log_id);

/* Checksum of a payload in pieces. hash_state: used when count > 1. */
uint64_t mr_seglog_payload_check (uint64_t log_id, const struct iovec *iov, int count,
                                  mr_hash_state_t *hash_state);

/* Whether the sizes in a segment header agree with each other and the limits: safe to read on. */
bool mr_seglog_segment_sizes_ok (const mr_seglog_segment_head_t *head);
/* Whether header and snapshot are sound and stand at `start`, whatever their version. */
bool mr_seglog_segment_sound (const mr_seglog_segment_head_t *head, const void *snapshot,
                              uint64_t start);
/* Judge a frame header alone (WHOLE, BAD_MAGIC, BAD_POSITION, BAD_HEADER). */
mr_seglog_verdict_t mr_seglog_frame_judge (const mr_seglog_frame_head_t *head, uint64_t log_id,
                                           uint64_t position);

#endif
