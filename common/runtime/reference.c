#include "common/runtime/reference.h"

#include "common/runtime/config.h"
#include "common/wire/errortype.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { VALUE_BYTES = 512, COLUMNS = 80 };

/* A buffer that remembers the first failure, so that callers ask once, at the end. */
typedef struct writer {
    mr_buffer_t *out;
    mr_status_t status;
} writer_t;

static void
put_bytes (writer_t *self, const char *text, size_t bytes)
{
    if (self->status == MR_OK) {
        self->status = mr_buffer_append (self->out, text, bytes);
    }
}

static void put (writer_t *self, const char *format, ...) MR_PRINTF (2, 3);

static void
put (writer_t *self, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start (args, format);
    int bytes = vsnprintf (text, sizeof text, format, args);
    va_end (args);
    MR_ASSERT (bytes >= 0 && (size_t)bytes < sizeof text);
    put_bytes (self, text, (size_t)bytes);
}

/* Text of a row where markdown, mdoc or a terminal would misread a character. */
static void
put_text (writer_t *self, mr_reference_format_t format, const char *text)
{
    bool opened = false;
    for (const char *c = text; *c != '\0'; c++) {
        if (format == MR_REFERENCE_MARKDOWN && *c == '|') {
            put (self, "\\|");
        } else if (format == MR_REFERENCE_MAN && *c == '`') {
            opened = !opened;
            put (self, "%s", opened ? "\\(oq" : "\\(cq");
        } else if (format == MR_REFERENCE_MAN && *c == '\\') {
            put (self, "\\e");
        } else if (format == MR_REFERENCE_MAN && *c == '-') {
            put (self, "\\-");
        } else if (format == MR_REFERENCE_MAN && (*c == '.' || *c == '\'') && c == text) {
            put (self, "\\&%c", *c);
        } else if (format != MR_REFERENCE_TEXT || *c != '`') {
            put_bytes (self, c, 1);
        }
    }
}

/* Append to text of VALUE_BYTES; it holds any row. */
static void add (char text[VALUE_BYTES], const char *format, ...) MR_PRINTF (2, 3);

static void
add (char text[VALUE_BYTES], const char *format, ...)
{
    size_t used = strlen (text);
    va_list args;
    va_start (args, format);
    int bytes = vsnprintf (text + used, VALUE_BYTES - used, format, args);
    va_end (args);
    MR_ASSERT (bytes >= 0 && (size_t)bytes < VALUE_BYTES - used);
}

/* `json`, `combined` or `raw` */
static void
add_choices (char text[VALUE_BYTES], const char *choices)
{
    for (const char *at = choices; *at != '\0';) {
        size_t bytes = strcspn (at, "|");
        bool last = at[bytes] == '\0';
        bool before_last = !last && strchr (at + bytes + 1, '|') == NULL;
        add (text, "`%.*s`%s", (int)bytes, at, last ? "" : before_last ? " or " : ", ");
        at += bytes + !last;
    }
}

/* What may be written: "number, 1 .. 63 processes; may repeat". */
static void
describe_value (const mr_option_t *row, char text[VALUE_BYTES])
{
    text[0] = '\0';
    if (row->type == MR_OPTION_CHOICE) {
        add_choices (text, row->choices);
    } else if ((row->flags & MR_OPTION_ORDERED) != 0) {
        add (text, "step");
    } else {
        add (text, "%s", mr_option_type_name (row->type));
    }
    bool number = row->type == MR_OPTION_INT || row->type == MR_OPTION_SIZE ||
                  row->type == MR_OPTION_DURATION;
    if (number && (row->min != 0 || row->max != 0)) {
        char low[32];
        char high[32];
        mr_option_format (row, row->min, low, sizeof low);
        mr_option_format (row, row->max, high, sizeof high);
        add (text, ", %s .. %s%s%s", low, high, row->unit != NULL ? " " : "",
             row->unit != NULL ? row->unit : "");
    }
    if (row->type == MR_OPTION_HOSTPORT && row->choices != NULL) {
        add (text, " or ");
        add_choices (text, row->choices);
    }
    if ((row->flags & MR_OPTION_REPEATS) != 0) {
        add (text, "; may repeat");
    }
    if ((row->flags & MR_OPTION_REQUIRED) != 0) {
        add (text, "; required");
    }
}

/* Words of at most COLUMNS, each line behind `indent` spaces. */
static void
put_wrapped (writer_t *self, int indent, const char *text)
{
    int column = 0;
    while (*text != '\0') {
        int bytes = (int)strcspn (text, " ");
        if (column > 0 && column + 1 + bytes > COLUMNS) {
            put (self, "\n");
            column = 0;
        }
        if (column == 0) {
            put (self, "%*s", indent, "");
            column = indent;
        } else {
            put (self, " ");
            column++;
        }
        char word[128];
        snprintf (word, sizeof word, "%.*s", bytes, text);
        put_text (self, MR_REFERENCE_TEXT, word);
        column += bytes;
        text += bytes + (text[bytes] == ' ');
    }
    put (self, "\n");
}

static void
put_title (writer_t *self, mr_reference_format_t format, const mr_section_schema_t *section)
{
    const char *name = section->named ? " NAME" : "";
    switch (format) {
    case MR_REFERENCE_MARKDOWN:
        put (self,
             "### `[%s%s]`\n\n%s.\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
             section->name, name, section->help);
        return;
    case MR_REFERENCE_MAN:
        put (self, ".Ss [%s%s]\n", section->name, name);
        put_text (self, format, section->help);
        put (self, ".\n.Bl -tag -width Ds\n");
        return;
    case MR_REFERENCE_TEXT:
        put (self, "[%s%s]\n", section->name, name);
        put_wrapped (self, 2, section->help);
        return;
    }
}

static void
put_row (writer_t *self, mr_reference_format_t format, const mr_option_t *row)
{
    char value[VALUE_BYTES];
    const char *fallback = row->fallback != NULL ? row->fallback : "";
    describe_value (row, value);
    switch (format) {
    case MR_REFERENCE_MARKDOWN:
        put (self, "| `%s` | %s | %s%s%s | ", row->key, value, fallback[0] != '\0' ? "`" : "",
             fallback, fallback[0] != '\0' ? "`" : "");
        put_text (self, format, row->help);
        put (self, " |\n");
        return;
    case MR_REFERENCE_MAN:
        put (self, ".It Cm %s", row->key);
        put (self, fallback[0] != '\0' ? " No = %s\n" : "%s\n", fallback);
        put_text (self, format, row->help);
        put (self, ".\n.br\n(");
        put_text (self, format, value);
        put (self, ")\n");
        return;
    case MR_REFERENCE_TEXT:
        put (self, "\n  %s%s%s\n", row->key, fallback[0] != '\0' ? " = " : "", fallback);
        put_wrapped (self, 6, row->help);
        put_wrapped (self, 6, value);
        return;
    }
}

mr_status_t
mr_reference_section (mr_reference_format_t format, const mr_section_schema_t *section,
                      mr_buffer_t *out)
{
    writer_t writer = {.out = out};
    put_title (&writer, format, section);
    for (const mr_option_t *row = section->options; row->key != NULL; row++) {
        if ((row->flags & MR_OPTION_DEBUG) == 0) {
            put_row (&writer, format, row);
        }
    }
    put (&writer, "%s", format == MR_REFERENCE_MAN ? ".El\n" : "");
    return writer.status;
}

mr_status_t
mr_reference_options (mr_reference_format_t format, mr_buffer_t *out)
{
    writer_t writer = {.out = out};
    for (const mr_section_schema_t *section = mr_schema (); section->name != NULL; section++) {
        if (section != mr_schema () && format != MR_REFERENCE_MAN) {
            put (&writer, "\n");
        }
        if (writer.status == MR_OK) {
            writer.status = mr_reference_section (format, section, out);
        }
    }
    return writer.status;
}

static void
put_error (writer_t *self, mr_reference_format_t format, const mr_errortype_t *row)
{
    const char *fate = row->dead ? "dead letter" : "counted";
    switch (format) {
    case MR_REFERENCE_MARKDOWN:
        put (self, "| `%s` | %s | %s | ", row->name, row->stage, fate);
        put_text (self, format, row->meaning);
        put (self, " |\n");
        return;
    case MR_REFERENCE_MAN:
        put (self, ".It Cm %s Pq %s, %s\n", row->name, row->stage, fate);
        put_text (self, format, row->meaning);
        put (self, ".\n");
        return;
    case MR_REFERENCE_TEXT:
        put (self, "%s (%s, %s)\n", row->name, row->stage, fate);
        put_wrapped (self, 4, row->meaning);
        return;
    }
}

mr_status_t
mr_reference_errors (mr_reference_format_t format, mr_buffer_t *out)
{
    static const char *const heads[] = {
        [MR_REFERENCE_MARKDOWN] = "| error type | stage | record | meaning |\n|---|---|---|---|\n",
        [MR_REFERENCE_MAN] = ".Bl -tag -width Ds\n",
        [MR_REFERENCE_TEXT] = "",
    };
    writer_t writer = {.out = out};
    put (&writer, "%s", heads[format]);
    for (const mr_errortype_t *row = mr_errortypes (); row->name != NULL; row++) {
        put_error (&writer, format, row);
    }
    put (&writer, "%s", format == MR_REFERENCE_MAN ? ".El\n" : "");
    return writer.status;
}
