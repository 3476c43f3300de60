#include "common/record/accesslog.h"

#include "common/base/utf8.h"
#include "common/record/chars.h"
#include "common/record/logtime.h"

#include <string.h>

/* A line on its way to an object. */
typedef struct {
    const char *line;
    size_t bytes;
    size_t at;
    char *out;   /* where it goes on */
    char *spare; /* as long as the line: where escapes are undone */
    mr_json_record_t *record;
} reader_t;

typedef struct {
    const char *data;
    size_t bytes;
} span_t;

static bool
fail (reader_t *self, const char *what)
{
    self->record->error = MR_JSON_SYNTAX;
    self->record->error_offset = (uint32_t)self->at;
    self->record->error_text = self->at < self->bytes ? what : "the line ends too early";
    return false;
}

/* Begin a field: `,"key":`; the caller writes the value, then calls end_field. */
static mr_json_field_t *
begin_field (reader_t *self, const char *key, mr_json_type_t type)
{
    uint32_t key_bytes = (uint32_t)strlen (key);
    *self->out = self->record->field_count == 0 ? '{' : ',';
    self->out[1] = '"';
    char *at = self->out + 2;
    memcpy (at, key, key_bytes);
    memcpy (at + key_bytes, "\":", 2);
    self->out = at + key_bytes + 2;
    mr_json_field_t *field = &self->record->fields[self->record->field_count++];
    *field = (mr_json_field_t){.key = at, .key_bytes = key_bytes};
    field->value = (mr_json_value_t){.text = self->out, .type = (uint8_t)type};
    return field;
}

static void
end_field (reader_t *self, mr_json_field_t *field)
{
    field->value.bytes = (uint32_t)(self->out - field->value.text);
}

static void
put_null (reader_t *self, const char *key)
{
    mr_json_field_t *field = begin_field (self, key, MR_JSON_NULL);
    memcpy (self->out, "null", 4);
    self->out += 4;
    end_field (self, field);
}

/* The byte that an escape stands for; 0 and *ret_bytes 1 when it is none. */
static char
unescape_one (const char *text, size_t bytes, size_t *ret_bytes)
{
    static const char letters[128] = {
        ['"'] = '"',  ['\\'] = '\\', ['b'] = '\b', ['n'] = '\n',
        ['r'] = '\r', ['t'] = '\t',  ['v'] = '\v', ['f'] = '\f',
    };
    *ret_bytes = 2;
    if (bytes >= 4 && text[1] == 'x' && mr_hex_value (text[2]) >= 0 &&
        mr_hex_value (text[3]) >= 0) {
        *ret_bytes = 4;
        return (char)(mr_hex_value (text[2]) << 4 | mr_hex_value (text[3]));
    }
    if (bytes >= 2 && (unsigned char)text[1] < sizeof letters && letters[(unsigned)text[1]] != 0) {
        return letters[(unsigned)text[1]];
    }
    *ret_bytes = 1;
    return text[0];
}

static span_t
unescape (reader_t *self, span_t span)
{
    char *out = self->spare;
    for (size_t at = 0; at < span.bytes;) {
        size_t used = 1;
        *out++ = span.data[at] == '\\' ? unescape_one (span.data + at, span.bytes - at, &used)
                                       : span.data[at];
        at += used;
    }
    return (span_t){self->spare, (size_t)(out - self->spare)};
}

static void
put_string (reader_t *self, const char *key, span_t span, bool escapes)
{
    mr_json_field_t *field = begin_field (self, key, MR_JSON_STRING);
    if (escapes && memchr (span.data, '\\', span.bytes) != NULL) {
        span = unescape (self, span);
    }
    *self->out++ = '"';
    char *inside = self->out;
    self->out += mr_json_escape (span.data, span.bytes, inside);
    field->value.escaped = memchr (inside, '\\', (size_t)(self->out - inside)) != NULL;
    *self->out++ = '"';
    end_field (self, field);
}

/* A text field: `-` is null. */
static void
put_text (reader_t *self, const char *key, span_t span)
{
    if (span.bytes == 1 && span.data[0] == '-') {
        put_null (self, key);
    } else {
        put_string (self, key, span, true);
    }
}

static bool
expect (reader_t *self, char c, const char *what)
{
    if (self->at == self->bytes || self->line[self->at] != c) {
        return fail (self, what);
    }
    self->at++;
    return true;
}

/* What stands before the next space; not empty. */
static bool
read_word (reader_t *self, span_t *ret_word, const char *what)
{
    const char *start = self->line + self->at;
    const char *space = memchr (start, ' ', self->bytes - self->at);
    if (space == start) {
        return fail (self, what);
    }
    if (space == NULL) {
        self->at = self->bytes;
        return fail (self, what);
    }
    *ret_word = (span_t){start, (size_t)(space - start)};
    self->at += ret_word->bytes + 1;
    return true;
}

/* A user's name may hold spaces: it ends where " [" begins the time. */
static bool
read_auth (reader_t *self, span_t *ret_auth)
{
    const char *start = self->line + self->at;
    const char *end = memmem (start, self->bytes - self->at, " [", 2);
    if (end == NULL || end == start) {
        self->at = end == NULL ? self->bytes : self->at;
        return fail (self, "a user and a time in brackets are expected");
    }
    *ret_auth = (span_t){start, (size_t)(end - start)};
    self->at += ret_auth->bytes + 1;
    return true;
}

static bool
read_quoted (reader_t *self, span_t *ret_span, const char *what)
{
    if (!expect (self, '"', what)) {
        return false;
    }
    size_t start = self->at;
    while (self->at < self->bytes && self->line[self->at] != '"') {
        self->at += self->line[self->at] == '\\' ? 2 : 1;
    }
    if (self->at >= self->bytes) {
        self->at = self->bytes;
        return fail (self, what);
    }
    *ret_span = (span_t){self->line + start, self->at - start};
    self->at++;
    return true;
}

static bool
read_time (reader_t *self)
{
    if (!expect (self, '[', "a time in brackets is expected")) {
        return false;
    }
    char text[MR_LOGTIME_ROOM];
    const char *start = self->line + self->at;
    if (self->bytes - self->at < MR_LOGTIME_BYTES + 2) {
        self->at = self->bytes;
    }
    if (self->at == self->bytes || start[MR_LOGTIME_BYTES] != ']' ||
        start[MR_LOGTIME_BYTES + 1] != ' ' || !mr_logtime_convert (start, text)) {
        return fail (self, "a time such as [17/May/2015:10:05:03 +0000] is expected");
    }
    self->at += MR_LOGTIME_BYTES + 2;
    put_string (self, "ts", (span_t){text, MR_LOGTIME_RET_BYTES}, false);
    return true;
}

/* Three words, one space between them: method, path, protocol; anything else is kept whole. */
static bool
read_request (reader_t *self)
{
    span_t request = {"", 0};
    if (!read_quoted (self, &request, "a request in quotes is expected") ||
        !expect (self, ' ', "a space is expected after the request")) {
        return false;
    }
    const char *end = request.data + request.bytes;
    const char *first = memchr (request.data, ' ', request.bytes);
    const char *second = first == NULL ? NULL : memchr (first + 1, ' ', (size_t)(end - first - 1));
    bool three = second != NULL && first > request.data && second > first + 1 && second + 1 < end &&
                 memchr (second + 1, ' ', (size_t)(end - second - 1)) == NULL;
    if (!three) {
        put_text (self, "request", request);
        return true;
    }
    put_text (self, "method", (span_t){request.data, (size_t)(first - request.data)});
    put_text (self, "path", (span_t){first + 1, (size_t)(second - first - 1)});
    put_text (self, "protocol", (span_t){second + 1, (size_t)(end - second - 1)});
    return true;
}

/* A whole number of up to `most` digits, or `-`; leading zeros go, JSON has none. */
static bool
read_number (reader_t *self, const char *key, size_t most, const char *what)
{
    const char *start = self->line + self->at;
    size_t left = self->bytes - self->at;
    size_t digits = mr_digits (start, left);
    if (left > 0 && start[0] == '-') {
        self->at++;
        put_null (self, key);
        return true;
    }
    if (digits == 0 || digits > most) {
        return fail (self, what);
    }
    self->at += digits;
    while (digits > 1 && *start == '0') {
        start++;
        digits--;
    }
    mr_json_field_t *field = begin_field (self, key, MR_JSON_NUMBER);
    memcpy (self->out, start, digits);
    self->out += digits;
    end_field (self, field);
    return true;
}

static bool
read_common (reader_t *self)
{
    enum { STATUS_DIGITS = 3, BYTES_DIGITS = 19 };
    span_t word = {0};
    if (!read_word (self, &word, "a client is expected")) {
        return false;
    }
    put_text (self, "client", word);
    if (!read_word (self, &word, "an identity is expected")) {
        return false;
    }
    put_text (self, "ident", word);
    if (!read_auth (self, &word)) {
        return false;
    }
    put_text (self, "auth", word);
    return read_time (self) && read_request (self) &&
           read_number (self, "status", STATUS_DIGITS, "a status of three digits is expected") &&
           expect (self, ' ', "a space is expected after the status") &&
           read_number (self, "bytes", BYTES_DIGITS, "a number of bytes is expected");
}

static bool
read_combined (reader_t *self)
{
    span_t text = {0};
    if (!read_common (self) || !expect (self, ' ', "a space is expected after the bytes") ||
        !read_quoted (self, &text, "a referrer in quotes is expected")) {
        return false;
    }
    put_text (self, "referrer", text);
    if (!expect (self, ' ', "a space is expected after the referrer") ||
        !read_quoted (self, &text, "a user agent in quotes is expected")) {
        return false;
    }
    put_text (self, "agent", text);
    return true;
}

static bool
read_line (reader_t *self, mr_line_format_t format)
{
    if (format == MR_LINE_RAW) {
        put_string (self, "message", (span_t){self->line, self->bytes}, false);
        return true;
    }
    while (self->bytes > 0 && mr_is_space (self->line[self->bytes - 1])) {
        self->bytes--;
    }
    bool good = format == MR_LINE_COMMON ? read_common (self) : read_combined (self);
    if (good && self->at < self->bytes) {
        return fail (self, "the end of the line is expected");
    }
    return good;
}

bool
mr_line_read (mr_line_format_t format, const char *line, size_t bytes, char *room,
              mr_json_record_t *ret_record)
{
    reader_t reader = {
        .line = line,
        .bytes = bytes,
        .record = ret_record,
    };
    reader.out = room;
    reader.spare = room + MR_LINE_ROOM (bytes) - bytes;
    ret_record->error = MR_JSON_OK;
    ret_record->field_count = 0;
    if (!read_line (&reader, format)) {
        ret_record->field_count = 0;
        return false;
    }
    *reader.out++ = '}';
    ret_record->text = room;
    ret_record->bytes = (uint32_t)(reader.out - room);
    ret_record->start = 0;
    ret_record->end = ret_record->bytes;
    return true;
}
