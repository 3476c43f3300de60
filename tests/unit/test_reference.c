/* What the documents say about the configuration is what the rows say. With MR_UPDATE_REFERENCE=1
 * (scripts/update-reference.sh) the blocks of README and the man page are written instead of
 * compared. */
#include "common/runtime/config.h"
#include "common/runtime/reference.h"
#include "tests/support/suite.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const mr_option_t rows[] = {
    {.key = "workers",
     .type = MR_OPTION_INT,
     .min = 1,
     .max = 63,
     .fallback = "1",
     .unit = "processes",
     .help = "How many; `scale` it"},
    {.key = "size", .type = MR_OPTION_SIZE, .min = 1024, .max = 16 << 20, .help = ".size|\\it"},
    {.key = "pick",
     .type = MR_OPTION_CHOICE,
     .choices = "a|b|c",
     .flags = MR_OPTION_REQUIRED,
     .help = "Pick one-by-one"},
    {.key = "drop",
     .type = MR_OPTION_EXPR,
     .flags = MR_OPTION_REPEATS | MR_OPTION_ORDERED,
     .help = "Step: drop what is not wanted by anybody at all, be it early, late or somewhere in "
             "between"},
    {.key = "http",
     .type = MR_OPTION_HOSTPORT,
     .choices = "off",
     .fallback = "127.0.0.1:1",
     .help = "Where"},
    {.key = "debug_hang", .type = MR_OPTION_EXPR, .flags = MR_OPTION_DEBUG, .help = "Hang"},
    {.key = NULL},
};

static const mr_section_schema_t section = {"thing", true, rows, "Some thing"};

static void
prints (mr_reference_format_t format, const char *expected)
{
    mr_buffer_t out;
    mr_buffer_init (&out, 1 << 20);
    ck_assert_int_eq (mr_reference_section (format, &section, &out), MR_OK);
    ck_assert_int_eq (mr_buffer_append (&out, "", 1), MR_OK);
    ck_assert_str_eq (out.data, expected);
    mr_buffer_release (&out);
}

START_TEST (test_markdown_is_a_table)
{
    prints (MR_REFERENCE_MARKDOWN,
            "### `[thing NAME]`\n\nSome thing.\n\n"
            "| key | value | default | meaning |\n|---|---|---|---|\n"
            "| `workers` | number, 1 .. 63 processes | `1` | How many; `scale` it |\n"
            "| `size` | size, 1KiB .. 16MiB |  | .size\\|\\it |\n"
            "| `pick` | `a`, `b` or `c`; required |  | Pick one-by-one |\n"
            "| `drop` | step; may repeat |  | Step: drop what is not wanted by anybody at all, be "
            "it early, late or somewhere in between |\n"
            "| `http` | HOST:PORT or `off` | `127.0.0.1:1` | Where |\n");
}
END_TEST

START_TEST (test_man_lines_are_escaped)
{
    prints (MR_REFERENCE_MAN,
            ".Ss [thing NAME]\nSome thing.\n.Bl -tag -width Ds\n"
            ".It Cm workers No = 1\nHow many; \\(oqscale\\(cq it.\n.br\n"
            "(number, 1 .. 63 processes)\n"
            ".It Cm size\n\\&.size|\\eit.\n.br\n(size, 1KiB .. 16MiB)\n"
            ".It Cm pick\nPick one\\-by\\-one.\n.br\n"
            "(\\(oqa\\(cq, \\(oqb\\(cq or \\(oqc\\(cq; required)\n"
            ".It Cm drop\nStep: drop what is not wanted by anybody at all, be it early, late or "
            "somewhere in between.\n.br\n(step; may repeat)\n"
            ".It Cm http No = 127.0.0.1:1\nWhere.\n.br\n(HOST:PORT or \\(oqoff\\(cq)\n.El\n");
}
END_TEST

START_TEST (test_help_text_is_wrapped)
{
    prints (
        MR_REFERENCE_TEXT,
        "[thing NAME]\n  Some thing\n"
        "\n  workers = 1\n      How many; scale it\n      number, 1 .. 63 processes\n"
        "\n  size\n      .size|\\it\n      size, 1KiB .. 16MiB\n"
        "\n  pick\n      Pick one-by-one\n      a, b or c; required\n"
        "\n  drop\n      Step: drop what is not wanted by anybody at all, be it early, late or\n"
        "      somewhere in between\n      step; may repeat\n"
        "\n  http = 127.0.0.1:1\n      Where\n      HOST:PORT or off\n");
}
END_TEST

START_TEST (test_a_full_buffer_is_reported)
{
    mr_buffer_t out;
    mr_buffer_init (&out, 100);
    ck_assert_int_eq (mr_reference_options (MR_REFERENCE_TEXT, &out), MR_INVALID);
    ck_assert_int_eq (mr_reference_errors (MR_REFERENCE_TEXT, &out), MR_INVALID);
    mr_buffer_release (&out);
}
END_TEST

START_TEST (test_every_key_is_in_every_format_and_no_debug_row)
{
    for (int format = MR_REFERENCE_MARKDOWN; format <= MR_REFERENCE_TEXT; format++) {
        mr_buffer_t out;
        mr_buffer_init (&out, 1 << 20);
        ck_assert_int_eq (mr_reference_options ((mr_reference_format_t)format, &out), MR_OK);
        ck_assert_int_eq (mr_reference_errors ((mr_reference_format_t)format, &out), MR_OK);
        ck_assert_int_eq (mr_buffer_append (&out, "", 1), MR_OK);
        for (const mr_section_schema_t *each = mr_schema (); each->name != NULL; each++) {
            for (const mr_option_t *row = each->options; row->key != NULL; row++) {
                bool debug = (row->flags & MR_OPTION_DEBUG) != 0;
                ck_assert_msg ((strstr (out.data, row->key) == NULL) == debug, "%s", row->key);
            }
        }
        ck_assert_ptr_nonnull (strstr (out.data, "json_not_object"));
        mr_buffer_release (&out);
    }
}
END_TEST

/* The whole of a file of this tree, terminated and owned; NULL when there is none. */
static char *
slurp (const char *path)
{
    FILE *file = fopen (path, "r");
    if (file == NULL) {
        return NULL;
    }
    enum { LIMIT = 4 << 20 };
    char *text = malloc (LIMIT);
    size_t bytes = fread (text, 1, LIMIT - 1, file);
    text[bytes] = '\0';
    fclose (file);
    return text;
}

typedef mr_status_t generate_fn (mr_reference_format_t format, mr_buffer_t *out);

/* A document with generated blocks, each between two lines: `opening`name`closing`. */
typedef struct document {
    const char *path;
    const char *opening;
    const char *closing;
    mr_reference_format_t format;
} document_t;

static const document_t readme = {MR_SOURCE_DIR "/README.md", "<!-- ", " -->",
                                  MR_REFERENCE_MARKDOWN};
static const document_t man_page = {MR_SOURCE_DIR "/conf/millrace.ini.5", ".\\\" ", "",
                                    MR_REFERENCE_MAN};

typedef mr_status_t generate_fn (mr_reference_format_t format, mr_buffer_t *out);

/* Compare the block between two markers with the output, or write it. */
static void
check_block (const document_t *document, const char *name, generate_fn *generate)
{
    char *text = slurp (document->path);
    if (text == NULL) {
        return; /* a tree without documents */
    }
    char begin[64];
    char end[64];
    snprintf (begin, sizeof begin, "%s%s:begin%s\n", document->opening, name, document->closing);
    snprintf (end, sizeof end, "%s%s:end%s\n", document->opening, name, document->closing);
    char *from = strstr (text, begin);
    char *to = from != NULL ? strstr (from, end) : NULL;
    ck_assert_msg (to != NULL, "%s lacks the markers %s ... %s", document->path, begin, end);
    from += strlen (begin);
    mr_buffer_t out;
    mr_buffer_init (&out, 1 << 20);
    ck_assert_int_eq (generate (document->format, &out), MR_OK);
    if (getenv ("MR_UPDATE_REFERENCE") != NULL) {
        FILE *file = fopen (document->path, "w");
        ck_assert_ptr_nonnull (file);
        fprintf (file, "%.*s%.*s%s", (int)(from - text), text, (int)out.size, out.data, to);
        ck_assert_int_eq (fclose (file), 0);
    } else {
        ck_assert_msg (out.size == (size_t)(to - from) && memcmp (out.data, from, out.size) == 0,
                       "%s differs from the rows: run scripts/update-reference.sh", document->path);
    }
    mr_buffer_release (&out);
    free (text);
}

START_TEST (test_documents_say_what_the_rows_say)
{
    check_block (&readme, "reference", mr_reference_options);
    check_block (&readme, "errors", mr_reference_errors);
    check_block (&man_page, "reference", mr_reference_options);
    check_block (&man_page, "errors", mr_reference_errors);
}
END_TEST

static void
show_fault (const char *text, void *arg)
{
    (void)arg;
    fprintf (stderr, "%s\n", text);
}

START_TEST (test_every_configuration_that_is_shipped_is_right)
{
    glob_t found;
    int result = glob (MR_SOURCE_DIR "/conf/*.ini", 0, NULL, &found);
    ck_assert (result == 0 || result == GLOB_NOMATCH);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        ck_assert_msg (mr_config_check (found.gl_pathv[i], NULL, show_fault, NULL) == 0, "%s",
                       found.gl_pathv[i]);
    }
    globfree (&found);
}
END_TEST

int
main (void)
{
    const TTest *const tests[] = {
        test_markdown_is_a_table,
        test_man_lines_are_escaped,
        test_help_text_is_wrapped,
        test_a_full_buffer_is_reported,
        test_every_key_is_in_every_format_and_no_debug_row,
        test_documents_say_what_the_rows_say,
        test_every_configuration_that_is_shipped_is_right,
        NULL,
    };
    return mr_suite_run ("reference", tests);
}
