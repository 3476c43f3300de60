/* seglog_scan: read frames of one segment file through a buffer, judging each. Private to the
 * segment log. Embedded; one thread.
 *
 * The buffer starts at `chunk` bytes and grows to the largest frame met, at most the limit.
 * Pointers that are handed out point into it and live until the next call. */
#ifndef MR_COMMON_BASE_SEGLOG_SCAN_H
#define MR_COMMON_BASE_SEGLOG_SCAN_H

#include "common/base/file_ops.h"
#include "common/base/seglog_format.h"
#include "common/base/status.h"

typedef struct mr_seglog_scan {
    const mr_file_ops_t *ops;
    int fd; /* borrowed; -1: none */
    uint64_t log_id;
    uint64_t start; /* position of byte 0 of the file */
    uint32_t max_payload_bytes;
    size_t chunk;
    char *buffer;
    size_t capacity;
    size_t used;
    uint64_t offset; /* in the file, of buffer[0] */
} mr_seglog_scan_t;

void mr_seglog_scan_init (mr_seglog_scan_t *self, const mr_file_ops_t *ops, size_t chunk,
                          uint32_t max_payload_bytes);
void mr_seglog_scan_release (mr_seglog_scan_t *self);

/* Turn to another file (borrowed), forgetting what is buffered. */
void mr_seglog_scan_file (mr_seglog_scan_t *self, int fd, uint64_t start);

/* Bytes [offset, offset + bytes) of the file, reading no byte at or beyond `limit` (offsets).
 * MR_OK; MR_CLOSED: there are not so many; MR_INVALID: the disk refused; MR_SYSTEM: no memory. */
MR_CHECK mr_status_t mr_seglog_scan_view (mr_seglog_scan_t *self, uint64_t offset, size_t bytes,
                                          uint64_t limit, const char **ret_data);

/* Whether these bytes are buffered already, so that viewing them moves nothing. */
bool mr_seglog_scan_has (const mr_seglog_scan_t *self, uint64_t offset, uint64_t bytes);

typedef struct mr_seglog_seen {
    mr_seglog_frame_head_t head; /* set for WHOLE and BAD_PAYLOAD; sound then */
    const char *payload;         /* NULL when only the header was wanted */
    uint64_t bytes;              /* of the frame in the file */
} mr_seglog_seen_t;

/* Judge what stands at this offset. Nothing at or beyond `limit` is looked at.
 *   payload  also read and check the payload */
mr_seglog_verdict_t mr_seglog_scan_frame (mr_seglog_scan_t *self, uint64_t offset, uint64_t limit,
                                          bool payload, mr_seglog_seen_t *ret_seen);

/* The offset of the first whole frame at or behind `from`; false: none below limit. */
bool mr_seglog_scan_resync (mr_seglog_scan_t *self, uint64_t from, uint64_t limit,
                            uint64_t *ret_offset);

/* After a bad verdict at `offset`: where to go on; `limit` when nothing whole follows. */
uint64_t mr_seglog_scan_skip (mr_seglog_scan_t *self, uint64_t offset, uint64_t limit);

/* Read and check a segment's header. ret_snapshot (may be NULL) points into the buffer.
 * MR_OK; MR_INVALID: unsound or of another place, with the reason; MR_CONFIG: of a newer version;
 * MR_SYSTEM: no memory. */
MR_CHECK mr_status_t mr_seglog_scan_header (mr_seglog_scan_t *self,
                                            mr_seglog_segment_head_t *ret_head,
                                            const char **ret_snapshot, mr_error_t *err);

#endif
