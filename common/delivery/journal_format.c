#include "common/delivery/journal_format.h"

#include "common/wire/producer.h"

#include <string.h>

#define SNAPSHOT_MAGIC UINT32_C (0x4c4e524a) /* "JRNL" */

enum { SNAPSHOT_VERSION = 3, HEAD_BYTES_1 = 40, HEAD_BYTES_2 = 56 };

typedef struct snapshot_head {
    uint32_t magic;
    uint32_t version;
    uint64_t next_seq;
    uint64_t top_seq;
    uint64_t received;
    uint64_t watermark;
    uint64_t lost; /* this and the next: since version 2 */
    uint64_t lost_seq;
    uint64_t unknown; /* this and the next: since version 3 */
    uint64_t gone_seq;
} snapshot_head_t;

mr_status_t
mr_journal_snapshot_encode (const mr_journal_snapshot_t *snapshot, mr_buffer_t *out)
{
    snapshot_head_t head = {
        .magic = SNAPSHOT_MAGIC,
        .version = SNAPSHOT_VERSION,
        .next_seq = snapshot->next_seq,
        .top_seq = snapshot->top_seq,
        .received = snapshot->received,
        .watermark = snapshot->watermark,
        .lost = snapshot->lost,
        .lost_seq = snapshot->lost_seq,
        .unknown = snapshot->unknown,
        .gone_seq = snapshot->gone_seq,
    };
    return mr_buffer_append (out, &head, sizeof head);
}

mr_status_t
mr_journal_snapshot_decode (const void *data, size_t bytes, mr_journal_snapshot_t *ret_snapshot)
{
    snapshot_head_t head = {0};
    if (bytes < HEAD_BYTES_1) {
        return MR_INVALID;
    }
    memcpy (&head, data, HEAD_BYTES_1);
    size_t head_bytes = head.version == 1   ? (size_t)HEAD_BYTES_1
                        : head.version == 2 ? (size_t)HEAD_BYTES_2
                                            : sizeof head;
    if (head.magic != SNAPSHOT_MAGIC || head.version < 1 || head.version > SNAPSHOT_VERSION ||
        bytes < head_bytes) {
        return MR_INVALID;
    }
    memcpy (&head, data, head_bytes);
    *ret_snapshot = (mr_journal_snapshot_t){
        .next_seq = head.next_seq,
        .top_seq = head.top_seq,
        .received = head.received,
        .watermark = head.watermark,
        .lost = head.lost,
        .lost_seq = head.lost_seq,
        .unknown = head.unknown,
        .gone_seq = head.gone_seq,
        .memory = (const char *)data + head_bytes,
        .memory_bytes = bytes - head_bytes,
    };
    return MR_OK;
}

mr_status_t
mr_journal_memory_decode (const void *data, size_t bytes, mr_journal_memory_t *ret_memory)
{
    uint64_t producers = 0;
    if (bytes < sizeof producers) {
        return MR_INVALID;
    }
    memcpy (&producers, data, sizeof producers);
    if (producers > bytes - sizeof producers) {
        return MR_INVALID;
    }
    const char *at = (const char *)data + sizeof producers;
    *ret_memory = (mr_journal_memory_t){
        .producers = at,
        .producers_bytes = (size_t)producers,
        .strikes = at + producers,
        .strikes_bytes = bytes - sizeof producers - (size_t)producers,
    };
    return MR_OK;
}

mr_status_t
mr_journal_producer_encode (const mr_journal_producer_t *producer, mr_buffer_t *out)
{
    MR_ASSERT (producer->name_bytes > 0 && producer->name_bytes <= MR_PRODUCER_NAME_MAX_BYTES);
    uint8_t name_bytes = (uint8_t)producer->name_bytes;
    mr_status_t status = mr_buffer_reserve (out, 1 + name_bytes + sizeof producer->last);
    if (status == MR_OK) {
        char *at = out->data + out->size;
        at[0] = (char)name_bytes;
        memcpy (at + 1, producer->name, name_bytes);
        memcpy (at + 1 + name_bytes, &producer->last, sizeof producer->last);
        out->size += 1 + name_bytes + sizeof producer->last;
    }
    return status;
}

mr_status_t
mr_journal_producer_next (const void *entries, size_t bytes, size_t *position,
                          mr_journal_producer_t *ret_producer)
{
    if (*position >= bytes) {
        return MR_CLOSED;
    }
    const char *at = (const char *)entries + *position;
    size_t left = bytes - *position;
    size_t name_bytes = (uint8_t)at[0];
    if (name_bytes == 0 || name_bytes > MR_PRODUCER_NAME_MAX_BYTES ||
        left < 1 + name_bytes + sizeof ret_producer->last) {
        return MR_INVALID;
    }
    ret_producer->name = at + 1;
    ret_producer->name_bytes = name_bytes;
    memcpy (&ret_producer->last, at + 1 + name_bytes, sizeof ret_producer->last);
    *position += 1 + name_bytes + sizeof ret_producer->last;
    return MR_OK;
}
