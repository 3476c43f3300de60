#include "common/base/seglog_format.h"

#include <stdio.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files are little endian");
_Static_assert(sizeof (mr_seglog_segment_head_t) == MR_SEGLOG_SEGMENT_BYTES, "layout");
_Static_assert(sizeof (mr_seglog_frame_head_t) == MR_SEGLOG_FRAME_BYTES, "layout");
_Static_assert(offsetof (mr_seglog_frame_head_t, check) == 104, "layout");
_Static_assert(offsetof (mr_seglog_segment_head_t, check) == 64, "layout");

const char *
mr_seglog_verdict_text (mr_seglog_verdict_t verdict)
{
    switch (verdict) {
    case MR_SEGLOG_WHOLE:
        return "ok";
    case MR_SEGLOG_BAD_MAGIC:
        return "no frame";
    case MR_SEGLOG_BAD_POSITION:
        return "frame of another place";
    case MR_SEGLOG_BAD_HEADER:
        return "frame header checksum";
    case MR_SEGLOG_BAD_SIZE:
        return "frame size";
    case MR_SEGLOG_BAD_PAYLOAD:
        return "payload checksum";
    case MR_SEGLOG_UNREADABLE:
        return "read error";
    }
    return "unknown";
}

static uint64_t
align8 (uint64_t bytes)
{
    return (bytes + 7) & ~UINT64_C (7);
}

uint64_t
mr_seglog_frame_size (uint64_t payload_bytes)
{
    return align8 (MR_SEGLOG_FRAME_BYTES + payload_bytes);
}

uint64_t
mr_seglog_header_size (uint64_t snapshot_bytes)
{
    return align8 (MR_SEGLOG_SEGMENT_BYTES + snapshot_bytes);
}

void
mr_seglog_name (char *name, uint64_t start, const char *suffix)
{
    snprintf (name, MR_SEGLOG_NAME_BYTES, "%016llx%s", (unsigned long long)start, suffix);
}

bool
mr_seglog_name_parse (const char *name, const char *suffix, uint64_t *ret_start)
{
    uint64_t start = 0;
    for (int i = 0; i < 16; i++) {
        static const char hex[] = "0123456789abcdef";
        const char *at = name[i] != '\0' ? strchr (hex, name[i]) : NULL;
        if (at == NULL) {
            return false;
        }
        start = (start << 4) | (uint64_t)(at - hex);
    }
    if (strcmp (name + 16, suffix) != 0) {
        return false;
    }
    *ret_start = start;
    return true;
}

static uint64_t
segment_check (const mr_seglog_segment_head_t *head, const void *snapshot)
{
    uint64_t seed = mr_hash64 (snapshot, head->snapshot_bytes);
    return mr_hash64_seeded (head, offsetof (mr_seglog_segment_head_t, check), seed);
}

void
mr_seglog_segment_seal (mr_seglog_segment_head_t *head, const void *snapshot)
{
    head->check = segment_check (head, snapshot);
}

bool
mr_seglog_segment_sizes_ok (const mr_seglog_segment_head_t *head)
{
    return head->magic == MR_SEGLOG_SEGMENT_MAGIC &&
           head->snapshot_bytes <= MR_SEGLOG_SNAPSHOT_MAX && head->header_bytes % 8 == 0 &&
           head->header_bytes >= mr_seglog_header_size (head->snapshot_bytes) &&
           head->header_bytes <= 2 * MR_SEGLOG_SNAPSHOT_MAX;
}

bool
mr_seglog_segment_sound (const mr_seglog_segment_head_t *head, const void *snapshot, uint64_t start)
{
    return mr_seglog_segment_sizes_ok (head) && head->start == start &&
           head->check == segment_check (head, snapshot);
}

static uint64_t
frame_check (const mr_seglog_frame_head_t *head, uint64_t log_id)
{
    return mr_hash64_seeded (head, offsetof (mr_seglog_frame_head_t, check), log_id);
}

void
mr_seglog_frame_seal (mr_seglog_frame_head_t *head, uint64_t log_id)
{
    head->check = frame_check (head, log_id);
}

mr_seglog_verdict_t
mr_seglog_frame_judge (const mr_seglog_frame_head_t *head, uint64_t log_id, uint64_t position)
{
    if (head->magic != MR_SEGLOG_FRAME_MAGIC) {
        return MR_SEGLOG_BAD_MAGIC;
    }
    if (head->position != position) {
        return MR_SEGLOG_BAD_POSITION;
    }
    return head->check == frame_check (head, log_id) ? MR_SEGLOG_WHOLE : MR_SEGLOG_BAD_HEADER;
}

uint64_t
mr_seglog_payload_check (uint64_t log_id, const struct iovec *iov, int count,
                         mr_hash_state_t *hash_state)
{
    if (count == 0) {
        return mr_hash64_seeded ("", 0, log_id);
    }
    if (count == 1) {
        return mr_hash64_seeded (iov[0].iov_base, iov[0].iov_len, log_id);
    }
    return mr_hash64_pieces (hash_state, iov, count, log_id);
}
