#include "common/wire/batch.h"

#include "common/base/hash.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian");

#define BATCH_MAGIC UINT32_C (0x5442524d) /* "MRBT" */

/* The header as it lies in the frame; PROTOCOL.md names each byte. */
typedef struct header {
    uint32_t magic;
    uint16_t version;
    uint16_t flags; /* 0; reserved */
    uint64_t journal;
    uint64_t seq;
    uint32_t total_bytes;
    uint16_t attempt;
    uint16_t origin;
    uint32_t received;
    uint32_t count;
    uint32_t filtered;
    uint32_t dead;
    uint32_t records_bytes;
    uint32_t section_count;
    int64_t created_ns;
    uint64_t config_hash;
    uint8_t generation;
    uint8_t reserved[15];
    uint64_t checksum; /* of everything else: see frame_checksum */
} header_t;

_Static_assert(sizeof (header_t) == MR_BATCH_HEADER_BYTES, "header layout");
_Static_assert(offsetof (header_t, checksum) == MR_BATCH_HEADER_BYTES - 8, "checksum is last");

typedef struct section_header {
    uint32_t type;
    uint32_t bytes;
} section_header_t;

static size_t
round_up8 (size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

static size_t
offsets_position (uint32_t records_bytes)
{
    return MR_BATCH_HEADER_BYTES + round_up8 ((size_t)records_bytes + MR_BATCH_PAD_BYTES);
}

static size_t
sections_position (uint32_t records_bytes, uint32_t count)
{
    return offsets_position (records_bytes) + round_up8 (4 * ((size_t)count + 1));
}

/* The body's hash seeds the header's, so that no byte of the frame is outside the sum. */
static uint64_t
frame_checksum (const uint8_t *frame, size_t bytes)
{
    uint64_t body = mr_hash64 (frame + MR_BATCH_HEADER_BYTES, bytes - MR_BATCH_HEADER_BYTES);
    return mr_hash64_seeded (frame, offsetof (header_t, checksum), body);
}

static mr_status_t
invalid (mr_error_t *err, const char *field, uint64_t value)
{
    mr_error_set (err, "batch frame: bad %s (%llu)", field, (unsigned long long)value);
    return MR_INVALID;
}

static mr_status_t
check_header (const header_t *header, size_t bytes, mr_error_t *err)
{
    if (header->magic != BATCH_MAGIC) {
        return invalid (err, "magic", header->magic);
    }
    if (header->version != MR_BATCH_VERSION) {
        return invalid (err, "version", header->version);
    }
    if (header->total_bytes != bytes || bytes > MR_BATCH_MAX_BYTES) {
        return invalid (err, "total_bytes", header->total_bytes);
    }
    if (header->count > MR_BATCH_MAX_RECORDS) {
        return invalid (err, "count", header->count);
    }
    if (header->section_count > MR_BATCH_MAX_SECTIONS) {
        return invalid (err, "section_count", header->section_count);
    }
    if ((uint64_t)header->count + header->filtered + header->dead != header->received) {
        return invalid (err, "received", header->received);
    }
    if (sections_position (header->records_bytes, header->count) > bytes) {
        return invalid (err, "records_bytes", header->records_bytes);
    }
    return MR_OK;
}

static mr_status_t
check_offsets (const uint32_t *offsets, uint32_t count, uint32_t records_bytes, mr_error_t *err)
{
    if (offsets[0] != 0) {
        return invalid (err, "offset", offsets[0]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (offsets[i + 1] <= offsets[i]) {
            return invalid (err, "offset", offsets[i + 1]);
        }
    }
    if (offsets[count] != records_bytes) {
        return invalid (err, "offset", offsets[count]);
    }
    return MR_OK;
}

/* A section that contradicts the header would give records the identity of others. */
static mr_status_t
check_section (const mr_batch_t *batch, uint32_t i, mr_error_t *err)
{
    const mr_section_t *section = &batch->sections[i];
    for (uint32_t before = 0; before < i; before++) {
        if (batch->sections[before].type == section->type) {
            return invalid (err, "section type, twice", section->type);
        }
    }
    if (section->type == MR_SECTION_INDEX && section->bytes != (uint64_t)batch->count * 4) {
        return invalid (err, "INDEX bytes", section->bytes);
    }
    return MR_OK;
}

static mr_status_t
decode_sections (const uint8_t *frame, size_t bytes, size_t position, mr_batch_t *batch,
                 mr_error_t *err)
{
    for (uint32_t i = 0; i < batch->section_count; i++) {
        section_header_t head;
        if (bytes - position < sizeof head) {
            return invalid (err, "section", i);
        }
        memcpy (&head, frame + position, sizeof head);
        position += sizeof head;
        if (round_up8 (head.bytes) > bytes - position) {
            return invalid (err, "section bytes", head.bytes);
        }
        batch->sections[i] = (mr_section_t){head.type, head.bytes, frame + position};
        mr_status_t status = check_section (batch, i, err);
        if (status != MR_OK) {
            return status;
        }
        position += round_up8 (head.bytes);
    }
    return position == bytes ? MR_OK : invalid (err, "trailing bytes", bytes - position);
}

static void
set_values (mr_batch_t *batch, const header_t *header, const uint8_t *frame)
{
    *batch = (mr_batch_t){
        .journal = header->journal,
        .seq = header->seq,
        .attempt = header->attempt,
        .origin = header->origin,
        .generation = header->generation,
        .received = header->received,
        .count = header->count,
        .filtered = header->filtered,
        .dead = header->dead,
        .created_ns = header->created_ns,
        .config_hash = header->config_hash,
        .records = (const char *)frame + MR_BATCH_HEADER_BYTES,
        .records_bytes = header->records_bytes,
        .offsets = (const void *)(frame + offsets_position (header->records_bytes)),
        .section_count = header->section_count,
    };
}

mr_status_t
mr_batch_decode (const void *frame, size_t bytes, mr_batch_t *ret_batch, mr_error_t *err)
{
    MR_ASSERT (((uintptr_t)frame & 7) == 0);
    const uint8_t *base = frame;
    if (bytes < sizeof (header_t)) {
        return invalid (err, "frame size", bytes);
    }
    header_t header;
    memcpy (&header, base, sizeof header);
    mr_status_t status = check_header (&header, bytes, err);
    if (status != MR_OK) {
        return status;
    }
    if (frame_checksum (base, bytes) != header.checksum) {
        return invalid (err, "checksum", header.checksum);
    }
    mr_batch_t batch;
    set_values (&batch, &header, base);
    status = check_offsets (batch.offsets, batch.count, batch.records_bytes, err);
    if (status == MR_OK) {
        status = decode_sections (base, bytes, sections_position (batch.records_bytes, batch.count),
                                  &batch, err);
    }
    if (status == MR_OK) {
        *ret_batch = batch;
    }
    return status;
}

size_t
mr_batch_encoded_bytes (const mr_batch_t *batch)
{
    size_t bytes = sections_position (batch->records_bytes, batch->count);
    for (uint32_t i = 0; i < batch->section_count; i++) {
        bytes += sizeof (section_header_t) + round_up8 (batch->sections[i].bytes);
    }
    if (batch->count > MR_BATCH_MAX_RECORDS || bytes > MR_BATCH_MAX_BYTES) {
        return 0;
    }
    return bytes;
}

static void
encode_sections (const mr_batch_t *batch, uint8_t *to)
{
    for (uint32_t i = 0; i < batch->section_count; i++) {
        const mr_section_t *section = &batch->sections[i];
        section_header_t head = {section->type, section->bytes};
        memcpy (to, &head, sizeof head);
        to += sizeof head;
        size_t padded = round_up8 (section->bytes);
        if (section->bytes > 0) {
            memcpy (to, section->data, section->bytes);
        }
        memset (to + section->bytes, 0, padded - section->bytes);
        to += padded;
    }
}

static void
seal (header_t *header, uint8_t *frame, size_t bytes)
{
    memcpy (frame, header, sizeof *header);
    header->checksum = frame_checksum (frame, bytes);
    memcpy (frame, header, sizeof *header);
}

void
mr_batch_encode (const mr_batch_t *batch, void *frame)
{
    MR_ASSERT (((uintptr_t)frame & 7) == 0);
    MR_ASSERT ((uint64_t)batch->count + batch->filtered + batch->dead == batch->received);
    size_t bytes = mr_batch_encoded_bytes (batch);
    MR_ASSERT (bytes != 0);
    uint8_t *base = frame;
    size_t offsets_at = offsets_position (batch->records_bytes);
    size_t sections_at = sections_position (batch->records_bytes, batch->count);
    size_t records_end = MR_BATCH_HEADER_BYTES + (size_t)batch->records_bytes;
    size_t offsets_end = offsets_at + 4 * ((size_t)batch->count + 1);

    bool in_place = (const char *)frame + MR_BATCH_HEADER_BYTES == batch->records;
    if (batch->records_bytes > 0 && !in_place) {
        memcpy (base + MR_BATCH_HEADER_BYTES, batch->records, batch->records_bytes);
    }
    memset (base + records_end, 0, offsets_at - records_end);
    static const uint32_t no_records[1] = {0};
    const uint32_t *offsets = batch->offsets != NULL ? batch->offsets : no_records;
    MR_ASSERT (offsets[batch->count] == batch->records_bytes);
    memcpy (base + offsets_at, offsets, offsets_end - offsets_at);
    memset (base + offsets_end, 0, sections_at - offsets_end);
    encode_sections (batch, base + sections_at);

    header_t header = {
        .magic = BATCH_MAGIC,
        .version = MR_BATCH_VERSION,
        .journal = batch->journal,
        .seq = batch->seq,
        .total_bytes = (uint32_t)bytes,
        .attempt = batch->attempt,
        .origin = batch->origin,
        .received = batch->received,
        .count = batch->count,
        .filtered = batch->filtered,
        .dead = batch->dead,
        .records_bytes = batch->records_bytes,
        .section_count = batch->section_count,
        .created_ns = batch->created_ns,
        .config_hash = batch->config_hash,
        .generation = batch->generation,
    };
    seal (&header, base, bytes);
}

void
mr_batch_restamp (void *frame, size_t bytes, uint16_t attempt, uint8_t generation)
{
    MR_ASSERT (bytes >= sizeof (header_t));
    header_t header;
    memcpy (&header, frame, sizeof header);
    header.attempt = attempt;
    header.generation = generation;
    seal (&header, frame, bytes);
}

const mr_section_t *
mr_batch_section (const mr_batch_t *batch, mr_section_type_t type)
{
    for (uint32_t i = 0; i < batch->section_count; i++) {
        if (batch->sections[i].type == (uint32_t)type) {
            return &batch->sections[i];
        }
    }
    return NULL;
}

mr_status_t
mr_batch_set_section (mr_batch_t *batch, mr_section_type_t type, const void *data, uint32_t bytes)
{
    uint32_t i = 0;
    while (i < batch->section_count && batch->sections[i].type != (uint32_t)type) {
        i++;
    }
    if (i == MR_BATCH_MAX_SECTIONS) {
        return MR_INVALID;
    }
    batch->sections[i] = (mr_section_t){(uint32_t)type, bytes, data};
    if (i == batch->section_count) {
        batch->section_count++;
    }
    return MR_OK;
}

void
mr_batch_remove_section (mr_batch_t *batch, mr_section_type_t type)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < batch->section_count; i++) {
        if (batch->sections[i].type != (uint32_t)type) {
            batch->sections[kept++] = batch->sections[i];
        }
    }
    batch->section_count = kept;
}

static bool
same_sections (const mr_batch_t *a, const mr_batch_t *b)
{
    if (a->section_count != b->section_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->section_count; i++) {
        if (a->sections[i].type != b->sections[i].type ||
            a->sections[i].bytes != b->sections[i].bytes ||
            a->sections[i].data != b->sections[i].data) {
            return false;
        }
    }
    return true;
}

bool
mr_batch_same (const mr_batch_t *a, const mr_batch_t *b)
{
    return a->journal == b->journal && a->seq == b->seq && a->attempt == b->attempt &&
           a->origin == b->origin && a->generation == b->generation && a->received == b->received &&
           a->count == b->count && a->filtered == b->filtered && a->dead == b->dead &&
           a->created_ns == b->created_ns && a->config_hash == b->config_hash &&
           a->records == b->records && a->records_bytes == b->records_bytes &&
           a->offsets == b->offsets && same_sections (a, b);
}

uint32_t
mr_batch_original_index (const mr_batch_t *batch, uint32_t i)
{
    const mr_section_t *index = mr_batch_section (batch, MR_SECTION_INDEX);
    if (index == NULL || (size_t)i * 4 + 4 > index->bytes) {
        return i;
    }
    uint32_t original;
    memcpy (&original, (const uint8_t *)index->data + (size_t)i * 4, sizeof original);
    return original;
}
