#include "common/base/seglog_walk.h"
#include "common/delivery/spool.h"

#include <string.h>

#define SUMS_MAGIC UINT32_C (0x4d555352) /* "RSUM" */

typedef struct sums_head {
    uint32_t magic;
    uint16_t version;
    uint16_t count;
} sums_head_t;

void
mr_spool_sum_add (mr_spool_sum_t *self, const mr_spool_sum_t *other)
{
    self->max_seq = other->max_seq > self->max_seq ? other->max_seq : self->max_seq;
    self->batches += other->batches;
    self->exported += other->exported;
    self->filtered += other->filtered;
    self->dead += other->dead;
}

void
mr_spool_sum_add_frame (mr_spool_sum_t *self, const uint64_t *words)
{
    const mr_spool_sum_t frame = {
        .max_seq = words[MR_SPOOL_WORD_SEQ],
        .batches = 1,
        .exported = words[MR_SPOOL_WORD_EXPORTED],
        .filtered = words[MR_SPOOL_WORD_FILTERED],
        .dead = words[MR_SPOOL_WORD_DEAD],
    };
    mr_spool_sum_add (self, &frame);
}

static bool
is_among (uint64_t journal, const uint64_t *living, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (living[i] == journal) {
            return true;
        }
    }
    return false;
}

void
mr_spool_sums_forget (mr_spool_sum_t *sums, uint32_t *count, const uint64_t *living,
                      uint32_t living_count)
{
    mr_spool_sum_t forgotten = {.journal = 0};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        if (sums[i].journal != 0 && is_among (sums[i].journal, living, living_count)) {
            sums[kept++] = sums[i];
        } else {
            mr_spool_sum_add (&forgotten, &sums[i]);
        }
    }
    forgotten.max_seq = 0;                     /* numbers of different journals are not compared */
    MR_ASSERT (kept + 2 <= MR_SPOOL_SUMS_MAX); /* fewer workers than entries */
    sums[kept++] = forgotten;
    *count = kept;
}

mr_status_t
mr_spool_sums_encode (const mr_spool_sum_t *sums, uint32_t count, mr_buffer_t *out)
{
    MR_ASSERT (count <= MR_SPOOL_SUMS_MAX);
    sums_head_t head = {.magic = SUMS_MAGIC, .version = 1, .count = (uint16_t)count};
    mr_status_t status = mr_buffer_append (out, &head, sizeof head);
    if (status == MR_OK) {
        status = mr_buffer_append (out, sums, count * sizeof *sums);
    }
    return status;
}

mr_status_t
mr_spool_sums_decode (const void *data, size_t bytes, mr_spool_sum_t *ret_sums, uint32_t *ret_count,
                      mr_error_t *err)
{
    sums_head_t head = {0};
    if (bytes >= sizeof head) {
        memcpy (&head, data, sizeof head);
    }
    if (head.magic != SUMS_MAGIC || head.version != 1 || head.count > MR_SPOOL_SUMS_MAX ||
        bytes != sizeof head + head.count * sizeof *ret_sums) {
        mr_error_set (err, "what its newest file begins with is broken; restore it or move the "
                           "spool away to begin a new one");
        return MR_INVALID;
    }
    memcpy (ret_sums, (const char *)data + sizeof head, head.count * sizeof *ret_sums);
    *ret_count = head.count;
    return MR_OK;
}

typedef struct before {
    mr_spool_sum_t sum;
    bool sound;
} before_t;

static mr_status_t
add_oldest (void *arg, const mr_seglog_segment_t *segment)
{
    before_t *before = arg;
    mr_spool_sum_t sums[MR_SPOOL_SUMS_MAX];
    uint32_t count = 0;
    before->sound =
        segment->sound && mr_spool_sums_decode (segment->snapshot, segment->head.snapshot_bytes,
                                                sums, &count, NULL) == MR_OK;
    for (uint32_t i = 0; i < count; i++) {
        mr_spool_sum_add (&before->sum, &sums[i]);
    }
    return MR_CLOSED; /* that was all */
}

mr_status_t
mr_spool_sums_before (const char *dir, mr_spool_sum_t *ret_sum, mr_error_t *err)
{
    before_t before = {.sound = false};
    mr_seglog_walk_options_t walk = {
        .dir = dir,
        .headers_only = true,
        .visitor = {.segment = add_oldest, .arg = &before},
    };
    mr_seglog_walked_t walked;
    mr_status_t status = mr_seglog_walk (&walk, &walked, err);
    if (before.sound) {
        *ret_sum = before.sum;
        return MR_OK;
    }
    return status == MR_OK ? MR_CLOSED : status;
}
