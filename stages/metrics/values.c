#include "stages/metrics/values.h"

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/utf8.h"
#include "common/record/json.h"
#include "common/record/text.h"
#include "common/wire/partial.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FIRST_SLOTS = 1024,
    FIRST_VALUES = 512,
    BYTES_LIMIT = 64 << 20,
    BYTES_KEPT = 1 << 20,
    /* Longer ones are told apart by their text, which is cut: a label's value may be a megabyte. */
    RAW_LIMIT = 512,
    TEXT_MARK = 1, /* in front of such a text; no JSON value begins so */
    SCRATCH_LIMIT = 1 << 30,
};

/* ---- the table ---- */

static uint64_t
load (const char *from, size_t bytes)
{
    uint64_t word = 0;
    memcpy (&word, from, bytes);
    return word;
}

static uint64_t
fold (uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Seeded, so that nobody can choose values that collide. */
static uint64_t
hash_of (const mr_values_t *self, const char *raw, uint32_t bytes)
{
    uint64_t first;
    uint64_t last;
    if (bytes > 16) {
        first = mr_hash64 (raw, bytes);
        last = first;
    } else if (bytes >= 8) {
        first = load (raw, 8);
        last = load (raw + bytes - 8, 8);
    } else if (bytes >= 4) {
        first = load (raw, 4);
        last = load (raw + bytes - 4, 4);
    } else {
        first = (uint64_t)(uint8_t)raw[0] | (uint64_t)(uint8_t)raw[bytes / 2] << 8;
        last = (uint8_t)raw[bytes - 1];
    }
    return fold (first ^ self->seed, last ^ (UINT64_C (0x9e3779b97f4a7c15) + bytes));
}

static void
place (mr_values_t *self, uint32_t value)
{
    uint32_t slot = (uint32_t)self->values[value].hash & self->slot_mask;
    while (self->slots[slot] != 0) {
        slot = (slot + 1) & self->slot_mask;
    }
    self->slots[slot] = value + 1;
}

static mr_status_t
grow (mr_values_t *self)
{
    if (self->count == self->capacity) {
        mr_value_t *values = realloc (self->values, 2 * (size_t)self->capacity * sizeof *values);
        if (values == NULL) {
            return MR_SYSTEM;
        }
        self->values = values;
        self->capacity *= 2;
    }
    if (2 * (self->count + 1) <= self->slot_mask) {
        return MR_OK;
    }
    uint32_t slots = 2 * (self->slot_mask + 1);
    uint32_t *bigger = calloc (slots, sizeof *bigger);
    if (bigger == NULL) {
        return MR_SYSTEM;
    }
    free (self->slots);
    self->slots = bigger;
    self->slot_mask = slots - 1;
    for (uint32_t i = MR_VALUE_NEW; i < self->count; i++) {
        place (self, i);
    }
    return MR_OK;
}

/* ---- a new value ---- */

/* At most `bytes` of text that do not end inside a character. */
static uint32_t
cut (const char *text, size_t bytes)
{
    if (bytes <= MR_PARTIAL_VALUE_BYTES) {
        return (uint32_t)bytes;
    }
    uint32_t at = MR_PARTIAL_VALUE_BYTES;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80) {
        at--;
    }
    return at;
}

/* The text of a label, in scratch when it has to be decoded. */
static mr_status_t
text_of (mr_values_t *self, mr_field_t field, const char **ret_text, uint32_t *ret_bytes)
{
    const char *text = field.data;
    size_t bytes = field.bytes;
    if (field.type == MR_JSON_STRING && bytes >= 2) {
        text++;
        bytes -= 2;
        if (memchr (text, '\\', bytes) != NULL) {
            mr_buffer_clear (&self->scratch);
            mr_status_t status = mr_buffer_reserve (&self->scratch, bytes);
            if (status != MR_OK) {
                return MR_SYSTEM;
            }
            mr_text_t escaped = {text, (uint32_t)bytes, true};
            bytes = mr_text_decode (escaped, self->scratch.data);
            text = self->scratch.data;
        }
    }
    *ret_text = text;
    *ret_bytes = cut (text, bytes);
    return MR_OK;
}

static mr_status_t
append_value (mr_values_t *self, mr_value_t value, const char *raw, mr_partial_text_t text)
{
    mr_status_t status = mr_buffer_append (&self->bytes, raw, value.raw_bytes);
    if (status == MR_OK) {
        value.key_at = (uint32_t)self->bytes.size;
        status = mr_partial_key_add (&self->bytes, text.data, text.bytes);
    }
    if (status != MR_OK) {
        self->bytes.size = value.raw_at;
        return status;
    }
    value.key_bytes = (uint32_t)self->bytes.size - value.key_at;
    self->values[self->count++] = value;
    return MR_OK;
}

static mr_status_t
add (mr_values_t *self, uint64_t hash, const char *raw, uint32_t raw_bytes, mr_partial_text_t text)
{
    mr_value_t value = {.hash = hash, .raw_at = (uint32_t)self->bytes.size, .raw_bytes = raw_bytes};
    mr_status_t status = grow (self);
    if (status == MR_OK) {
        status = append_value (self, value, raw, text);
    }
    if (status == MR_OK) {
        place (self, self->count - 1);
    }
    return status;
}

static bool
find (const mr_values_t *self, uint64_t hash, const char *raw, uint32_t bytes, uint32_t *ret_value)
{
    uint32_t slot = (uint32_t)hash & self->slot_mask;
    for (; self->slots[slot] != 0; slot = (slot + 1) & self->slot_mask) {
        const mr_value_t *value = &self->values[self->slots[slot] - 1];
        if (value->hash == hash && value->raw_bytes == bytes &&
            memcmp (self->bytes.data + value->raw_at, raw, bytes) == 0) {
            *ret_value = self->slots[slot] - 1;
            return true;
        }
    }
    return false;
}

mr_status_t
mr_values_intern (mr_values_t *self, mr_field_t field, uint32_t *ret_value)
{
    if (field.type == MR_FIELDS_ABSENT || field.type == MR_JSON_NULL || field.bytes == 0) {
        *ret_value = MR_VALUE_NONE;
        return MR_OK;
    }
    const char *raw = field.data;
    uint32_t raw_bytes = field.bytes;
    mr_partial_text_t text = {NULL, 0};
    char marked[MR_PARTIAL_VALUE_BYTES + 1];
    if (raw_bytes > RAW_LIMIT) {
        mr_status_t status = text_of (self, field, &text.data, &text.bytes);
        if (status != MR_OK) {
            return status;
        }
        marked[0] = TEXT_MARK;
        memcpy (marked + 1, text.data, text.bytes);
        raw = marked;
        raw_bytes = text.bytes + 1;
    }
    uint64_t hash = hash_of (self, raw, raw_bytes);
    if (find (self, hash, raw, raw_bytes, ret_value)) {
        return MR_OK;
    }
    if (self->count == MR_VALUES_MAX || self->bytes.size > BYTES_LIMIT - 4096) {
        *ret_value = MR_VALUE_OTHER;
        return MR_OK;
    }
    mr_status_t status = MR_OK;
    if (text.data == NULL) {
        status = text_of (self, field, &text.data, &text.bytes);
    }
    if (status == MR_OK) {
        status = add (self, hash, raw, raw_bytes, text);
    }
    if (status == MR_OK) {
        *ret_value = self->count - 1;
    }
    return status;
}

mr_status_t
mr_values_key (const mr_values_t *self, uint32_t value, mr_buffer_t *key)
{
    const mr_value_t *entry = &self->values[value];
    return mr_buffer_append (key, self->bytes.data + entry->key_at, entry->key_bytes);
}

/* ---- life ---- */

static mr_status_t
begin (mr_values_t *self)
{
    self->count = 0;
    mr_buffer_clear (&self->bytes);
    mr_status_t status = append_value (self, (mr_value_t){0}, "", (mr_partial_text_t){"", 0});
    if (status == MR_OK) {
        mr_value_t other = {.raw_at = (uint32_t)self->bytes.size};
        status = append_value (self, other, "", (mr_partial_text_t){"other", 5});
    }
    return status;
}

mr_status_t
mr_values_init (mr_values_t *self)
{
    *self = (mr_values_t){.capacity = FIRST_VALUES, .slot_mask = FIRST_SLOTS - 1};
    self->seed =
        (uint64_t)mr_clock_wall_ns () * UINT64_C (0xd6e8feb86659fd93) ^ (uint64_t)getpid ();
    mr_buffer_init (&self->bytes, BYTES_LIMIT);
    mr_buffer_init (&self->scratch, SCRATCH_LIMIT);
    self->values = malloc (FIRST_VALUES * sizeof *self->values);
    self->slots = calloc (FIRST_SLOTS, sizeof *self->slots);
    mr_status_t status = self->values != NULL && self->slots != NULL ? begin (self) : MR_SYSTEM;
    if (status != MR_OK) {
        mr_values_release (self);
    }
    return status;
}

void
mr_values_release (mr_values_t *self)
{
    free (self->values);
    free (self->slots);
    mr_buffer_release (&self->bytes);
    mr_buffer_release (&self->scratch);
    *self = (mr_values_t){0};
}

bool
mr_values_trim (mr_values_t *self)
{
    if (self->count <= MR_VALUES_KEPT && self->bytes.size <= BYTES_KEPT) {
        return false;
    }
    memset (self->slots, 0, ((size_t)self->slot_mask + 1) * sizeof *self->slots);
    mr_status_t status = begin (self);
    MR_ASSERT (status == MR_OK); /* the room is there */
    return true;
}
