#include "common/record/json.h"

#include "common/record/chars.h"
#include "common/record/scan.h"

#include <stdlib.h>
#include <string.h>

/* Large enough that a scan's fixed cost vanishes, small enough that text and token table stay in
 * the cache between the two passes, and that one bad record sends few neighbours the slow way. */
enum { CHUNK_BYTES = 32 * 1024, FIRST_FIELDS = 32 };

struct mr_json {
    mr_scan_t *scan;
    mr_records_t batch;
    uint32_t next;          /* record */
    uint32_t chunk_end;     /* the first record beyond the chunk */
    bool alone;             /* the chunk did not scan: its records are scanned one by one */
    const char *base;       /* token offsets count from here */
    const uint32_t *token;  /* the next one */
    const char *backslash;  /* the first at or after the record being read, or .. */
    const char *search_end; /* .. the end of the text that was scanned */
    mr_json_field_t *fields;
    uint32_t capacity;
};

/* What one record's walk needs at hand. Tokens at or beyond `limit` belong to the next record. */
typedef struct {
    const char *base;
    uint32_t limit;
    bool escapes; /* the record holds a backslash somewhere */
} walk_t;

mr_status_t
mr_json_new (mr_json_t **ret_json)
{
    mr_json_t *self = calloc (1, sizeof *self);
    if (self == NULL) {
        return MR_SYSTEM;
    }
    self->fields = malloc (FIRST_FIELDS * sizeof *self->fields);
    self->capacity = FIRST_FIELDS;
    if (self->fields == NULL || mr_scan_new (&self->scan) != MR_OK) {
        free (self->fields);
        free (self);
        return MR_SYSTEM;
    }
    *ret_json = self;
    return MR_OK;
}

void
mr_json_destroy (mr_json_t **json_p)
{
    if (*json_p == NULL) {
        return;
    }
    mr_scan_destroy (&(*json_p)->scan);
    free ((*json_p)->fields);
    free (*json_p);
    *json_p = NULL;
}

void
mr_json_open (mr_json_t *self, const mr_records_t *batch)
{
    self->batch = *batch;
    self->next = 0;
    self->chunk_end = 0;
}

/* One beyond the last byte of the token at start, whose follower starts at or after stop. */
static inline uint32_t
token_end (const walk_t *walk, uint32_t stop)
{
    if (stop > walk->limit) {
        stop = walk->limit;
    }
    while (mr_is_space (walk->base[stop - 1])) {
        stop--;
    }
    return stop;
}

/* Whether base[start .. end) is a whole string. The scan has seen to quotes and control characters;
 * the length makes sure that one quote is not both ends. */
static inline bool
string_is_good (const walk_t *walk, uint32_t start, uint32_t end, uint8_t *ret_escaped)
{
    if (end - start < 2 || walk->base[end - 1] != '"') {
        return false;
    }
    *ret_escaped = 0;
    if (!walk->escapes) {
        return true;
    }
    const char *text = walk->base + start + 1;
    size_t bytes = end - start - 2;
    const char *backslash = memchr (text, '\\', bytes);
    if (backslash == NULL) {
        return true;
    }
    *ret_escaped = 1;
    return mr_escapes_are_good (backslash, (size_t)(text + bytes - backslash));
}

static inline bool
word_is_good (const char *text, uint32_t bytes, uint8_t *ret_type)
{
    switch (text[0]) {
    case 't':
        *ret_type = MR_JSON_TRUE;
        return bytes == 4 && memcmp (text, "true", 4) == 0;
    case 'f':
        *ret_type = MR_JSON_FALSE;
        return bytes == 5 && memcmp (text, "false", 5) == 0;
    case 'n':
        *ret_type = MR_JSON_NULL;
        return bytes == 4 && memcmp (text, "null", 4) == 0;
    default:
        *ret_type = MR_JSON_NUMBER;
        return mr_number_is_good (text, bytes) == bytes;
    }
}

/* The scalar at *token, which is below the limit. */
static inline bool
scalar_is_good (const walk_t *walk, const uint32_t *token, mr_json_value_t *ret_value)
{
    uint32_t start = token[0];
    uint32_t end = token_end (walk, token[1]);
    ret_value->text = walk->base + start;
    ret_value->bytes = end - start;
    if (walk->base[start] == '"') {
        ret_value->type = MR_JSON_STRING;
        return string_is_good (walk, start, end, &ret_value->escaped);
    }
    ret_value->escaped = 0;
    return word_is_good (ret_value->text, ret_value->bytes, &ret_value->type);
}

/* The character at a token, 0 when the record has ended. */
static inline char
token_char (const walk_t *walk, const uint32_t *token)
{
    return *token < walk->limit ? walk->base[*token] : '\0';
}

/* A key and its colon at token: the first token of the value, NULL when they are not there. */
static inline const uint32_t *
walk_key (const walk_t *walk, const uint32_t *token, uint32_t *ret_end, uint8_t *ret_escaped)
{
    if (token_char (walk, token) != '"' || token_char (walk, token + 1) != ':') {
        return NULL;
    }
    *ret_end = token_end (walk, token[1]);
    return string_is_good (walk, token[0], *ret_end, ret_escaped) ? token + 2 : NULL;
}

/* What of a key matters inside a container: that it is one. */
static inline const uint32_t *
walk_inner_key (const walk_t *walk, const uint32_t *token)
{
    uint32_t end;
    uint8_t escaped;
    return walk_key (walk, token, &end, &escaped);
}

/* The container that opens at token, a field's value: the token after its end, or NULL. */
static const uint32_t *
walk_container (const walk_t *walk, const uint32_t *token)
{
    char close[MR_JSON_MAX_DEPTH + 1]; /* by depth */
    unsigned depth = 1;                /* of the record's object */
    mr_json_value_t value;
    close[depth] = '}';
    for (;;) { /* a value is due */
        char c = token_char (walk, token);
        bool opened = c == '{' || c == '[';
        if (opened) {
            if (++depth > MR_JSON_MAX_DEPTH) {
                return NULL;
            }
            close[depth] = c == '{' ? '}' : ']';
        } else if (c == '\0' || !scalar_is_good (walk, token, &value)) {
            return NULL;
        }
        token++;
        while ((c = token_char (walk, token)) == close[depth]) {
            token++;
            opened = false;
            if (--depth <= 1) {
                return token;
            }
        }
        if (!opened) {
            if (c != ',') {
                return NULL;
            }
            token++;
        }
        if (close[depth] == '}' && (token = walk_inner_key (walk, token)) == NULL) {
            return NULL;
        }
    }
}

/* The value of a top-level field: the token after it, or NULL. */
static inline const uint32_t *
walk_value (const walk_t *walk, const uint32_t *token, mr_json_value_t *ret_value)
{
    char c = token_char (walk, token);
    if (c == '{' || c == '[') {
        const uint32_t *after = walk_container (walk, token);
        if (after != NULL) {
            *ret_value = (mr_json_value_t){
                .text = walk->base + token[0],
                .bytes = after[-1] + 1 - token[0],
                .type = c == '{' ? MR_JSON_OBJECT : MR_JSON_ARRAY,
            };
        }
        return after;
    }
    if (c == '\0' || !scalar_is_good (walk, token, ret_value)) {
        return NULL;
    }
    return token + 1;
}

static mr_status_t
grow (mr_json_t *self, uint32_t wanted)
{
    uint32_t capacity = self->capacity;
    while (capacity < wanted) {
        capacity *= 2;
    }
    mr_json_field_t *fields = realloc (self->fields, (size_t)capacity * sizeof *fields);
    if (fields == NULL) {
        return MR_SYSTEM;
    }
    self->fields = fields;
    self->capacity = capacity;
    return MR_OK;
}

/* Read the object at self->token into self->fields. MR_INVALID: it is not one whole object. */
static mr_status_t
walk_record (mr_json_t *self, const walk_t *walk, uint32_t spare, mr_json_record_t *record)
{
    const uint32_t *token = self->token;
    uint32_t count = 0;
    if (token_char (walk, token) != '{') {
        return MR_INVALID;
    }
    record->start = (uint32_t)(walk->base + *token - record->text);
    token++;
    if (token_char (walk, token) == '}') {
        goto closed;
    }
    for (;; token++) {
        if (count + spare >= self->capacity && grow (self, count + spare + 1) != MR_OK) {
            return MR_SYSTEM;
        }
        mr_json_field_t *field = &self->fields[count++];
        uint32_t key = token[0];
        uint32_t key_end;
        token = walk_key (walk, token, &key_end, &field->key_escaped);
        if (token == NULL) {
            return MR_INVALID;
        }
        field->key = walk->base + key + 1;
        field->key_bytes = key_end - key - 2;
        token = walk_value (walk, token, &field->value);
        if (token == NULL) {
            return MR_INVALID;
        }
        char c = token_char (walk, token);
        if (c == '}') {
            break;
        }
        if (c != ',') {
            return MR_INVALID;
        }
    }
closed:
    record->end = (uint32_t)(walk->base + *token + 1 - record->text);
    self->token = token + 1;
    record->fields = self->fields;
    record->field_count = count;
    return *self->token < walk->limit ? MR_INVALID : MR_OK;
}

/* Say precisely what is wrong with a record that the fast way refused. */
static void
explain (mr_json_record_t *record)
{
    mr_json_value_t value = {.type = MR_JSON_NULL};
    size_t offset = 0;
    const char *what = "not valid JSON";
    record->error = mr_json_check (record->text, record->bytes, &value, &offset, &what);
    if (record->error == MR_JSON_OK) {
        offset = (size_t)(value.text - record->text);
        what = "an object is expected";
        record->error = MR_JSON_NOT_OBJECT;
    }
    record->error_offset = (uint32_t)offset;
    record->error_text = what;
    record->fields = NULL;
    record->field_count = 0;
}

static mr_status_t
scan_text (mr_json_t *self, const char *text, size_t bytes)
{
    uint32_t count;
    self->base = text;
    self->backslash = text;
    self->search_end = text + bytes;
    mr_status_t status = mr_scan_run (self->scan, text, bytes, &self->token, &count);
    if (status == MR_OK) {
        self->backslash = memchr (text, '\\', bytes);
        if (self->backslash == NULL) {
            self->backslash = self->search_end;
        }
    }
    return status;
}

/* Scan as many of the next records as make a chunk. */
static mr_status_t
scan_chunk (mr_json_t *self)
{
    const uint32_t *offsets = self->batch.offsets;
    uint32_t first = self->next;
    uint32_t end = first + 1;
    while (end < self->batch.count && offsets[end + 1] - offsets[first] <= CHUNK_BYTES) {
        end++;
    }
    self->chunk_end = end;
    const char *text = self->batch.data + offsets[first];
    mr_status_t status = scan_text (self, text, offsets[end] - offsets[first]);
    self->alone = status == MR_INVALID;
    return status == MR_INVALID ? MR_OK : status;
}

static inline bool
holds_backslash (mr_json_t *self, const char *text, const char *end)
{
    if (self->backslash < text) {
        self->backslash = memchr (text, '\\', (size_t)(self->search_end - text));
        if (self->backslash == NULL) {
            self->backslash = self->search_end;
        }
    }
    return self->backslash < end;
}

mr_status_t
mr_json_next (mr_json_t *self, uint32_t spare, mr_json_record_t *ret_record)
{
    if (self->next == self->batch.count) {
        return MR_CLOSED;
    }
    if (self->next == self->chunk_end) {
        mr_status_t status = scan_chunk (self);
        if (status != MR_OK) {
            return status;
        }
    }
    const uint32_t *offsets = self->batch.offsets + self->next;
    MR_ASSERT (offsets[0] < offsets[1]);
    ret_record->text = self->batch.data + offsets[0];
    ret_record->bytes = offsets[1] - offsets[0] - 1;
    ret_record->error = MR_JSON_OK;
    mr_status_t status = MR_OK;
    if (self->alone) {
        status = scan_text (self, ret_record->text, ret_record->bytes);
    }
    const char *end = ret_record->text + ret_record->bytes;
    if (status == MR_OK) {
        walk_t walk = {
            .base = self->base,
            .limit = (uint32_t)(end - self->base),
            .escapes = holds_backslash (self, ret_record->text, end),
        };
        status = walk_record (self, &walk, spare, ret_record);
        while (*self->token < walk.limit) { /* what a refused record left */
            self->token++;
        }
    }
    if (status == MR_SYSTEM) {
        return status;
    }
    self->next++;
    if (status != MR_OK) {
        explain (ret_record);
    }
    return MR_OK;
}
