#include "launcher/sender.h"

#include "common/base/buffer.h"
#include "common/base/clock.h"

#include <stdlib.h>
#include <string.h>

enum { PAUSE_MIN_MS = 2, PAUSE_MAX_MS = 200, CHUNK_MAX_BYTES = 1 << 28 };

/* The records of one request. Those before `skip` are acknowledged. */
typedef struct chunk {
    mr_buffer_t bytes;
    size_t ends[MR_SENDER_RECORDS];
    uint64_t places[MR_SENDER_RECORDS]; /* where they end in their file */
    size_t count;
    size_t skip;
    bool offered; /* was in a request, which is to stay the same */
} chunk_t;

struct mr_sender {
    chunk_t ring[MR_SENDER_WINDOW];
    size_t first; /* of the ring */
    size_t chunks;
    size_t sent;           /* chunks of this round that are under way */
    size_t outstanding;    /* requests without an answer */
    uint64_t last;         /* acknowledged under this name */
    uint64_t acknowledged; /* under all names */
    uint64_t refused;
    size_t careful;    /* so many records go one at a time */
    bool again;        /* a new round begins once no answers are outstanding */
    int64_t resume_ns; /* not before */
    int64_t pause_ms;
    mr_frame_t frames[MR_SENDER_RECORDS];
};

mr_sender_t *
mr_sender_new (uint64_t last)
{
    mr_sender_t *self = calloc (1, sizeof *self);
    if (self != NULL) {
        self->last = last;
        self->pause_ms = PAUSE_MIN_MS;
        for (size_t i = 0; i < MR_SENDER_WINDOW; i++) {
            mr_buffer_init (&self->ring[i].bytes, CHUNK_MAX_BYTES);
        }
    }
    return self;
}

void
mr_sender_destroy (mr_sender_t **self_p)
{
    if (*self_p != NULL) {
        for (size_t i = 0; i < MR_SENDER_WINDOW; i++) {
            mr_buffer_release (&(*self_p)->ring[i].bytes);
        }
        free (*self_p);
        *self_p = NULL;
    }
}

static chunk_t *
chunk_at (mr_sender_t *self, size_t index)
{
    return &self->ring[(self->first + index) % MR_SENDER_WINDOW];
}

/* A chunk that is not under way and not full takes one more record. */
static bool
open_for (const mr_sender_t *self, const chunk_t *chunk, size_t bytes)
{
    return self->chunks > self->sent && !chunk->offered && chunk->count < MR_SENDER_RECORDS &&
           (chunk->count == 0 || chunk->bytes.size + bytes <= MR_SENDER_BYTES);
}

bool
mr_sender_room (const mr_sender_t *self)
{
    const chunk_t *last =
        &self->ring[(self->first + self->chunks + MR_SENDER_WINDOW - 1) % MR_SENDER_WINDOW];
    return self->chunks < MR_SENDER_WINDOW || open_for (self, last, 0);
}

mr_status_t
mr_sender_add (mr_sender_t *self, const char *record, size_t bytes)
{
    return mr_sender_add_at (self, record, bytes, 0);
}

mr_status_t
mr_sender_add_at (mr_sender_t *self, const char *record, size_t bytes, uint64_t end)
{
    chunk_t *chunk = chunk_at (self, self->chunks + MR_SENDER_WINDOW - 1);
    if (self->chunks == 0 || !open_for (self, chunk, bytes)) {
        if (self->chunks == MR_SENDER_WINDOW) {
            return MR_AGAIN;
        }
        chunk = chunk_at (self, self->chunks);
        mr_buffer_clear (&chunk->bytes);
        chunk->count = chunk->skip = 0;
        chunk->offered = false;
        self->chunks++;
    }
    mr_status_t status = mr_buffer_append (&chunk->bytes, record, bytes);
    if (status == MR_OK) {
        chunk->places[chunk->count] = end;
        chunk->ends[chunk->count++] = chunk->bytes.size;
    }
    return status;
}

static bool
is_full (const chunk_t *chunk)
{
    return chunk->count == MR_SENDER_RECORDS || chunk->bytes.size >= MR_SENDER_BYTES;
}

bool
mr_sender_next (mr_sender_t *self, bool flush, int64_t now_ns, mr_sender_request_t *ret_request)
{
    if (self->again && self->outstanding == 0 && now_ns >= self->resume_ns) {
        self->again = false;
        self->sent = 0;
    }
    bool careful = self->careful > 0;
    if (self->again || self->sent == self->chunks || (careful && self->outstanding > 0)) {
        return false;
    }
    const chunk_t *chunk = chunk_at (self, self->sent);
    bool newest = self->sent + 1 == self->chunks;
    if (newest && !flush && !careful && !is_full (chunk)) {
        return false;
    }
    uint64_t number = self->last;
    for (size_t i = 0; i < self->sent; i++) {
        const chunk_t *before = chunk_at (self, i);
        number += before->count - before->skip;
    }
    size_t count = careful ? 1 : chunk->count - chunk->skip;
    for (size_t i = 0; i < count; i++) {
        size_t at = chunk->skip + i;
        size_t begin = at > 0 ? chunk->ends[at - 1] : 0;
        self->frames[i] = (mr_frame_t){chunk->bytes.data + begin, chunk->ends[at] - begin};
    }
    *ret_request = (mr_sender_request_t){
        .number = number + count,
        .count = count,
        .end = chunk->places[chunk->skip + count - 1],
        .records = self->frames,
    };
    return true;
}

void
mr_sender_sent (mr_sender_t *self)
{
    self->outstanding++;
    chunk_at (self, self->sent)->offered = true;
    if (self->careful == 0) {
        self->sent++;
    }
}

/* The first `count` records are dealt with. */
static void
drop_first (mr_sender_t *self, uint64_t count)
{
    while (count > 0 && self->chunks > 0) {
        chunk_t *chunk = chunk_at (self, 0);
        size_t left = chunk->count - chunk->skip;
        size_t taken = count < left ? (size_t)count : left;
        chunk->skip += taken;
        count -= taken;
        self->careful -= taken < self->careful ? taken : self->careful;
        if (chunk->skip == chunk->count) {
            self->first = (self->first + 1) % MR_SENDER_WINDOW;
            self->chunks--;
            self->sent -= self->sent > 0;
        }
    }
}

static void
acknowledge (mr_sender_t *self, uint64_t count)
{
    if (count > 0) {
        self->last += count;
        self->acknowledged += count;
        self->pause_ms = PAUSE_MIN_MS;
        drop_first (self, count);
    }
}

static void
again_after (mr_sender_t *self, int64_t pause_ms, int64_t now_ns)
{
    if (!self->again) {
        self->again = true;
        self->resume_ns = now_ns + pause_ms * MR_NS_PER_MS;
    }
}

/* Records that are kept, so the most that an answer can acknowledge. */
static uint64_t
kept (mr_sender_t *self)
{
    uint64_t count = 0;
    for (size_t i = 0; i < self->chunks; i++) {
        const chunk_t *chunk = chunk_at (self, i);
        count += chunk->count - chunk->skip;
    }
    return count;
}

/* Everything up to this number is in the journal. */
static mr_sender_event_t
take (mr_sender_t *self, uint64_t last)
{
    uint64_t count = last > self->last ? last - self->last : 0;
    uint64_t most = kept (self);
    acknowledge (self, count < most ? count : most);
    return count > most ? MR_SENDER_OVERTAKEN : MR_SENDER_TAKEN;
}

static mr_sender_event_t
refuse (mr_sender_t *self, uint64_t number, int64_t now_ns)
{
    again_after (self, 0, now_ns);
    if (self->chunks == 0 || number <= self->last) {
        return MR_SENDER_TAKEN;
    }
    if (self->careful > 0 && number == self->last + 1) {
        drop_first (self, 1);
        self->refused++;
        return MR_SENDER_REFUSED;
    }
    if (self->careful == 0) {
        /* Everything up to the end of the refused request goes record by record. */
        uint64_t end = self->last;
        for (size_t i = 0; i < self->chunks && end < number; i++) {
            const chunk_t *chunk = chunk_at (self, i);
            end += chunk->count - chunk->skip;
        }
        self->careful = (size_t)(end - self->last);
    }
    return MR_SENDER_TAKEN;
}

mr_sender_event_t
mr_sender_answer (mr_sender_t *self, const mr_answer_t *answer, uint64_t number, int64_t now_ns)
{
    self->outstanding -= self->outstanding > 0;
    switch (answer->type) {
    case MR_ANSWER_OK:
        return take (self, answer->last);
    case MR_ANSWER_BUSY:
        again_after (self, self->pause_ms, now_ns);
        self->pause_ms = 2 * self->pause_ms < PAUSE_MAX_MS ? 2 * self->pause_ms : PAUSE_MAX_MS;
        return MR_SENDER_TAKEN;
    case MR_ANSWER_GAP:
        if (answer->last < self->last) {
            return MR_SENDER_FORGOTTEN;
        }
        again_after (self, 0, now_ns);
        return take (self, answer->last);
    case MR_ANSWER_ERROR:
        return refuse (self, number, now_ns);
    }
    return MR_SENDER_TAKEN;
}

void
mr_sender_resend (mr_sender_t *self)
{
    self->outstanding = 0;
    self->sent = 0;
    self->again = false;
}

void
mr_sender_rename (mr_sender_t *self)
{
    self->last = 0;
    mr_sender_resend (self);
}

bool
mr_sender_idle (const mr_sender_t *self)
{
    return self->chunks == 0;
}

uint64_t
mr_sender_acknowledged (const mr_sender_t *self)
{
    return self->acknowledged;
}

uint64_t
mr_sender_last (const mr_sender_t *self)
{
    return self->last;
}

uint64_t
mr_sender_refused (const mr_sender_t *self)
{
    return self->refused;
}
