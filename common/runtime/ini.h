/* ini: the text of an ini file, cut into sections and values with their lines.
 *
 * inih does the parsing; our reader stands in front of it, because inih 55 cuts lines at 200 bytes
 * and sections at 49 characters, ends values at " ;" even inside quotes, and counts no lines.
 * The reader hands inih "[@]" and "key = @" and keeps the names and values itself.
 *
 *   # or ; at the start of a line     a comment
 *   [NAME], [KIND NAME]               a section
 *   key = value ; comment             a value: all after the first "=", trimmed; " ;" inside double
 *                                     quotes is text (\" and \\ inside quotes are understood)
 *   a line indented more than its key goes on with the value, joined by one space
 *
 * A UTF-8 byte order mark and CRLF are accepted; anything but UTF-8 text is a fault. A fault does
 * not stop the reading, but for NUL bytes and too many sections or values. Not re-entrant for one
 * reader; no shared state. */
#ifndef MR_COMMON_RUNTIME_INI_H
#define MR_COMMON_RUNTIME_INI_H

#include <stddef.h>

enum {
    MR_INI_FILE_MAX_BYTES = 1 << 20,
    MR_INI_VALUE_MAX_BYTES = 8 << 10,
    MR_INI_NAME_MAX_BYTES = 64, /* of a key, and of each word of a section */
    MR_INI_SECTIONS_MAX = 1000,
    MR_INI_VALUES_MAX = 10000,
};

/* All texts are valid during the call only. Lines count from 1. */
typedef struct mr_ini_handler {
    void (*section) (void *arg, const char *kind, const char *name, int line); /* name may be "" */
    void (*value) (void *arg, const char *key, const char *value, int line);
    void (*fault) (void *arg, int line, const char *text);
    /* The key stands there, but its value cannot be read. what: why; NULL: `fault` was told. */
    void (*broken) (void *arg, const char *key, int line, const char *what);
    void *arg;
} mr_ini_handler_t;

/* Read a whole file's text, of at most MR_INI_FILE_MAX_BYTES. */
void mr_ini_read (const char *text, size_t bytes, const mr_ini_handler_t *handler);

#endif
