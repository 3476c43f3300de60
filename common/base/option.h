/* option: one row for each key a user may write in the configuration. The loader, `check`, --help,
 * the README's reference, the man page and the drift test are all made from the same rows.
 * Pure; thread safe. */
#ifndef MR_COMMON_BASE_OPTION_H
#define MR_COMMON_BASE_OPTION_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum mr_option_type {
    MR_OPTION_BOOL,     /* yes / no, true / false, on / off */
    MR_OPTION_INT,      /* a whole number, min .. max */
    MR_OPTION_SIZE,     /* bytes: 4096, 64KiB, 8MiB, 2GiB; min .. max in bytes */
    MR_OPTION_DURATION, /* 250ms, 10s, 5m, 1h, 7d; a plain number is seconds; value in ms */
    MR_OPTION_MODE,     /* octal file mode, 0600 */
    MR_OPTION_STRING, /* text of min .. max bytes; the configuration takes one pair of quotes off */
    MR_OPTION_PATH,   /* a file or directory; relative to the configuration file */
    MR_OPTION_ENDPOINT, /* ipc://PATH (relative to the configuration file) or tcp://HOST:PORT */
    MR_OPTION_HOSTPORT, /* HOST:PORT, [V6]:PORT; or one of the words in `choices` */
    MR_OPTION_CHOICE,   /* one of `choices` */
    MR_OPTION_LIST,     /* comma-separated words, each trimmed and not empty */
    MR_OPTION_EXPR,     /* text of the expression language; compiled by the stage that uses it */
} mr_option_type_t;

enum {
    MR_OPTION_REPEATS = 1,  /* the key may stand several times */
    MR_OPTION_REQUIRED = 2, /* the section is wrong without it */
    MR_OPTION_ORDERED = 4,  /* a step: runs in the order of the file among other ordered keys */
    MR_OPTION_DEBUG = 8,    /* only in builds with crash points; in no reference */
};

typedef struct mr_option {
    const char *key;
    mr_option_type_t type;
    unsigned flags;       /* MR_OPTION_REPEATS, ... */
    int64_t min;          /* numbers: the range; STRING: of its length; HOSTPORT: of the port */
    int64_t max;          /* max == min == 0: no range */
    const char *fallback; /* as a user would write it; NULL: absent unless written */
    const char *choices;  /* CHOICE: "json|combined|common|raw"; HOSTPORT: words, "off" */
    const char *unit;     /* "records", "ms"; NULL: none, or in the type */
    const char *help;     /* one sentence, no full stop at the end */
} mr_option_t;

/* One kind of section. */
typedef struct mr_section_schema {
    const char *name;           /* "ingest", "sink" */
    bool named;                 /* [sink NAME]: any number of them */
    const mr_option_t *options; /* ends with a row whose key is NULL */
    const char *help;
} mr_section_schema_t;

/* A checked value. */
typedef struct mr_option_value {
    int64_t number;   /* BOOL 0 / 1, INT, SIZE bytes, DURATION ms, MODE, CHOICE index, HOSTPORT:
                       * the port, -1 for a word; other types 0 */
    const char *text; /* every type: the text that was parsed; borrowed */
} mr_option_value_t;

/* Check a written value against its row. PATH and ENDPOINT are not made absolute here, quotes of a
 * STRING are not taken off here.
 * Returns MR_OK; MR_CONFIG: err says what is wrong and what would be right ("300 is not in 1 ..
 * 256", "unknown word jsn; nearest: json"). */
MR_CHECK mr_status_t mr_option_parse (const mr_option_t *option, const char *text,
                                      mr_option_value_t *ret_value, mr_error_t *err);

/* Take one pair of surrounding double quotes off in place, and the backslash of \" and \\ between
 * them. Text without such a pair stays as it is. */
void mr_option_unquote (char *text);

/* The candidate nearest to word by edit distance, or NULL when none is near (more than a third of
 * the word differs). candidates ends with NULL. */
const char *mr_option_nearest (const char *word, const char *const *candidates);

/* Index of text among the words of "a|b|c", -1 when it is none of them. */
int mr_option_choice (const char *choices, const char *text);

/* A number as a user would write it: "256KiB", "5s", "0600", "12".
 *   bytes  32 are enough */
void mr_option_format (const mr_option_t *option, int64_t number, char *ret_text, size_t bytes);

/* "size", "duration", ... for references. */
const char *mr_option_type_name (mr_option_type_t type);

#endif
