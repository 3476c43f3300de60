#include "common/runtime/ini.h"

#include "common/base/status.h"
#include "common/base/utf8.h"

#include <assert.h>
#include <ctype.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct span {
    const char *data;
    size_t bytes;
} span_t;

typedef struct reader {
    const mr_ini_handler_t *handler;
    const char *at; /* the next physical line */
    const char *end;
    int line;        /* of the physical line that was read last */
    bool in_section; /* a section was seen, or was faulty and its values are skipped */
    int sections;
    int values;
    bool skip;      /* values belong to a faulty section */
    int value_line; /* of the key whose value is in `value` */
    size_t value_bytes;
    char value[MR_INI_VALUE_MAX_BYTES + 1];
} reader_t;

static void fault (reader_t *self, int line, const char *format, ...) MR_PRINTF (3, 4);

static void
fault (reader_t *self, int line, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start (args, format);
    vsnprintf (text, sizeof text, format, args);
    va_end (args);
    self->handler->fault (self->handler->arg, line, text);
}

static bool
is_blank (char c)
{
    return c == ' ' || c == '\t';
}

static span_t
trim (span_t text)
{
    while (text.bytes > 0 && is_blank (text.data[0])) {
        text.data++;
        text.bytes--;
    }
    while (text.bytes > 0 && is_blank (text.data[text.bytes - 1])) {
        text.bytes--;
    }
    return text;
}

static size_t
indent_of (span_t line)
{
    size_t indent = 0;
    while (indent < line.bytes && is_blank (line.data[indent])) {
        indent++;
    }
    return indent;
}

/* The physical line at self->at, without its end; does not move. */
static span_t
peek (const reader_t *self)
{
    size_t left = (size_t)(self->end - self->at);
    const char *newline = memchr (self->at, '\n', left);
    span_t line = {self->at, newline != NULL ? (size_t)(newline - self->at) : left};
    if (line.bytes > 0 && line.data[line.bytes - 1] == '\r') {
        line.bytes--;
    }
    return line;
}

static void
step (reader_t *self)
{
    const char *newline = memchr (self->at, '\n', (size_t)(self->end - self->at));
    self->at = newline != NULL ? newline + 1 : self->end;
    self->line++;
}

/* Whether the line is UTF-8 text without control characters; reports the first byte that is not. */
static bool
is_clean (reader_t *self, span_t line)
{
    for (size_t i = 0; i < line.bytes; i++) {
        unsigned char c = (unsigned char)line.data[i];
        if (c == '\0') {
            fault (self, self->line, "a NUL byte; this is not a text file");
            self->at = self->end;
            return false;
        }
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            fault (self, self->line, "a control character (0x%02x)", c);
            return false;
        }
    }
    size_t valid = mr_utf8_check (line.data, line.bytes);
    if (valid < line.bytes) {
        fault (self, self->line, "not UTF-8: byte 0x%02x", (unsigned char)line.data[valid]);
    }
    return valid == line.bytes;
}

/* Whether one more section or value may come; ends the reading when not. */
static bool
has_room (reader_t *self, int *count, int limit, const char *what)
{
    if (*count == limit) {
        fault (self, self->line, "more than %d %s", limit, what);
        self->at = self->end;
        return false;
    }
    (*count)++;
    return true;
}

/* The part of a value before " ;", where quotes that earlier lines left open still count. */
static span_t
cut_comment (span_t text, bool *quoted)
{
    bool after_blank = false;
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];
        if (*quoted && c == '\\' && i + 1 < text.bytes) {
            i++;
        } else if (c == '"') {
            *quoted = !*quoted;
        } else if (c == ';' && after_blank && !*quoted) {
            text.bytes = i;
        }
        after_blank = is_blank (c);
    }
    return trim (text);
}

static bool
append_value (reader_t *self, span_t piece)
{
    size_t space = self->value_bytes > 0 && piece.bytes > 0;
    if (piece.bytes + space > MR_INI_VALUE_MAX_BYTES - self->value_bytes) {
        return false;
    }
    if (space > 0) {
        self->value[self->value_bytes++] = ' ';
    }
    memcpy (self->value + self->value_bytes, piece.data, piece.bytes);
    self->value_bytes += piece.bytes;
    self->value[self->value_bytes] = '\0';
    return true;
}

static const char too_long[] = "the value is too long; 8192 bytes are the limit";
static_assert (MR_INI_VALUE_MAX_BYTES == 8192, "the message says so");

/* Whether a line goes on with the value of a key that is indented so far. */
static bool
is_continuation (span_t line, size_t key_indent)
{
    size_t indent = indent_of (line);
    return indent > key_indent && indent < line.bytes;
}

static void
skip_continuations (reader_t *self, size_t key_indent)
{
    while (self->at < self->end && is_continuation (peek (self), key_indent)) {
        step (self);
    }
}

/* The value that begins with `rest` and goes on in deeper indented lines. Whether it is whole;
 * where not, ret_what is why, NULL when that was reported. */
static bool
read_value (reader_t *self, span_t rest, size_t key_indent, const char **ret_what)
{
    bool quoted = false;
    self->value_line = self->line;
    self->value_bytes = 0;
    self->value[0] = '\0';
    bool clean = true;
    bool fits = append_value (self, cut_comment (rest, &quoted));
    while (self->at < self->end && is_continuation (peek (self), key_indent)) {
        span_t line = peek (self);
        size_t indent = indent_of (line);
        step (self);
        clean = is_clean (self, line) && clean;
        if (line.data[indent] == '#' || line.data[indent] == ';') {
            continue;
        }
        fits = append_value (self, cut_comment (line, &quoted)) && fits;
    }
    *ret_what = fits || !clean ? NULL : too_long;
    return fits && clean;
}

static bool
is_name (span_t word)
{
    for (size_t i = 0; i < word.bytes; i++) {
        char c = word.data[i];
        if (!isalnum ((unsigned char)c) && c != '_' && c != '-' && c != '.') {
            return false;
        }
    }
    return word.bytes > 0;
}

/* Copy a name of a section or key; reports one that is none. */
static bool
copy_name (reader_t *self, span_t word, const char *what, char ret_name[MR_INI_NAME_MAX_BYTES + 1])
{
    if (!is_name (word)) {
        fault (self, self->line, "\"%.*s\" is not a %s; letters, digits, _ - and . are allowed",
               (int)(word.bytes < 60 ? word.bytes : 60), word.data, what);
        return false;
    }
    if (word.bytes > MR_INI_NAME_MAX_BYTES) {
        fault (self, self->line, "the %s \"%.*s...\" is longer than %d bytes", what, 40, word.data,
               MR_INI_NAME_MAX_BYTES);
        return false;
    }
    memcpy (ret_name, word.data, word.bytes);
    ret_name[word.bytes] = '\0';
    return true;
}

/* A line that begins with "[". Returns whether it is a section. */
static bool
read_section (reader_t *self, span_t line)
{
    char kind[MR_INI_NAME_MAX_BYTES + 1];
    char name[MR_INI_NAME_MAX_BYTES + 1] = "";
    self->in_section = true;
    self->skip = true;
    bool quoted = false;
    line = cut_comment (line, &quoted);
    if (line.data[line.bytes - 1] != ']') {
        fault (self, self->line, "a section is written [NAME] or [KIND NAME], alone on its line");
        return false;
    }
    span_t inside = trim ((span_t){line.data + 1, line.bytes - 2});
    size_t word = 0;
    while (word < inside.bytes && !is_blank (inside.data[word])) {
        word++;
    }
    span_t rest = trim ((span_t){inside.data + word, inside.bytes - word});
    if (!copy_name (self, (span_t){inside.data, word}, "section", kind) ||
        (rest.bytes > 0 && !copy_name (self, rest, "section name", name))) {
        return false;
    }
    if (!has_room (self, &self->sections, MR_INI_SECTIONS_MAX, "sections")) {
        return false;
    }
    self->skip = false;
    self->handler->section (self->handler->arg, kind, name, self->line);
    return true;
}

/* A line that is no comment and no section. Returns whether key and value are whole. */
static bool
read_key (reader_t *self, span_t line, size_t indent, char key[MR_INI_NAME_MAX_BYTES + 1])
{
    const char *equals = memchr (line.data, '=', line.bytes);
    if (equals == NULL) {
        fault (self, self->line, "\"%.*s\" is neither [section] nor key = value",
               (int)(line.bytes < 60 ? line.bytes : 60), line.data);
        skip_continuations (self, indent);
        return false;
    }
    size_t key_bytes = (size_t)(equals - line.data);
    bool named = copy_name (self, trim ((span_t){line.data, key_bytes}), "key", key);
    span_t rest = {equals + 1, line.bytes - key_bytes - 1};
    const char *what = NULL;
    bool whole = read_value (self, rest, indent, &what);
    if (!named || self->skip) {
        return false;
    }
    if (!self->in_section) {
        fault (self, self->value_line, "%s stands before the first [section]", key);
        return false;
    }
    if (!whole) {
        self->handler->broken (self->handler->arg, key, self->value_line, what);
        return false;
    }
    return has_room (self, &self->values, MR_INI_VALUES_MAX, "values");
}

/* A line that is no text, which was reported: whose key or section it was must be known, lest it be
 * missed. */
static void
pass_unclean (reader_t *self, span_t line, size_t indent)
{
    const char *equals = memchr (line.data, '=', line.bytes);
    span_t key = trim ((span_t){line.data, equals != NULL ? (size_t)(equals - line.data) : 0});
    self->skip = self->skip || line.data[0] == '[';
    if (!self->skip && self->in_section && is_name (key) && key.bytes <= MR_INI_NAME_MAX_BYTES) {
        char name[MR_INI_NAME_MAX_BYTES + 1];
        memcpy (name, key.data, key.bytes);
        name[key.bytes] = '\0';
        self->handler->broken (self->handler->arg, name, self->line, NULL);
    }
    skip_continuations (self, indent);
}

/* ini_reader: one short line for inih, NULL at the end. Faulty lines are reported and left out. */
static char *
next_line (char *ret_line, int bytes, void *stream)
{
    reader_t *self = stream;
    while (self->at < self->end) {
        span_t line = peek (self);
        step (self);
        size_t indent = indent_of (line);
        span_t text = trim (line);
        if (text.bytes == 0 || text.data[0] == '#' || text.data[0] == ';') {
            continue;
        }
        if (!is_clean (self, text)) {
            pass_unclean (self, text, indent);
            continue;
        }
        char key[MR_INI_NAME_MAX_BYTES + 1];
        if (text.data[0] == '[' ? read_section (self, text) : read_key (self, text, indent, key)) {
            snprintf (ret_line, (size_t)bytes, text.data[0] == '[' ? "[@]\n" : "%s = @\n", key);
            return ret_line;
        }
    }
    return NULL;
}

/* ini_handler: inih has parsed the line that next_line gave it last. */
static int
value_parsed (void *user, const char *section, const char *key, const char *mark)
{
    reader_t *self = user;
    MR_ASSERT (strcmp (section, "@") == 0 && strcmp (mark, "@") == 0);
    self->handler->value (self->handler->arg, key, self->value, self->value_line);
    return 1;
}

void
mr_ini_read (const char *text, size_t bytes, const mr_ini_handler_t *handler)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    reader_t self = {.handler = handler, .at = text, .end = text + bytes};
    if (bytes >= 3 && memcmp (text, byte_order_mark, 3) == 0) {
        self.at += 3;
    }
    MR_ASSERT (ini_parse_stream (next_line, &self, value_parsed, &self) == 0);
}
