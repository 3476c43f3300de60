/* What becomes of a value's text: ${NAME} from the environment, absolute paths, words of lists. */
#include "common/base/utf8.h"
#include "common/runtime/config_internal.h"
#include "common/runtime/ini.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text under construction, of at most MR_INI_VALUE_MAX_BYTES. */
typedef struct growing {
    size_t bytes;
    bool full;
    char text[MR_INI_VALUE_MAX_BYTES + 1];
} growing_t;

static void
grow (growing_t *self, const char *text, size_t bytes)
{
    if (bytes > MR_INI_VALUE_MAX_BYTES - self->bytes) {
        self->full = true;
        return;
    }
    memcpy (self->text + self->bytes, text, bytes);
    self->bytes += bytes;
}

static size_t
name_bytes (const char *text)
{
    size_t bytes = 0;
    while (isalpha ((unsigned char)text[bytes]) || text[bytes] == '_' ||
           (bytes > 0 && isdigit ((unsigned char)text[bytes]))) {
        bytes++;
    }
    return bytes;
}

/* Append what stands for the "${" at text. Returns the bytes read, 0 on a fault. */
static size_t
expand_one (growing_t *out, const char *text, mr_error_t *err)
{
    size_t bytes = name_bytes (text + 2);
    char name[256];
    if (bytes == 0 || bytes >= sizeof name || text[2 + bytes] != '}') {
        mr_error_set (err, "\"%.40s\" is not ${NAME}; write $${ for a plain ${", text);
        return 0;
    }
    memcpy (name, text + 2, bytes);
    name[bytes] = '\0';
    const char *value = getenv (name);
    if (value == NULL) {
        mr_error_set (err, "the environment has no variable %s", name);
        return 0;
    }
    for (const char *c = value; *c != '\0'; c++) {
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f) {
            mr_error_set (err, "the environment variable %s holds a control character", name);
            return 0;
        }
    }
    if (mr_utf8_check (value, strlen (value)) != strlen (value)) {
        mr_error_set (err, "the environment variable %s is not UTF-8", name);
        return 0;
    }
    grow (out, value, strlen (value));
    return bytes + 3;
}

const char *
mr_config_expand (mr_config_t *self, const char *text, mr_error_t *err)
{
    if (strstr (text, "${") == NULL) {
        return text;
    }
    growing_t out;
    out.bytes = 0;
    out.full = false;
    while (*text != '\0') {
        if (strncmp (text, "$${", 3) == 0) {
            grow (&out, "${", 2);
            text += 3;
        } else if (strncmp (text, "${", 2) == 0) {
            size_t bytes = expand_one (&out, text, err);
            if (bytes == 0) {
                return NULL;
            }
            text += bytes;
        } else {
            grow (&out, text++, 1);
        }
    }
    if (out.full) {
        mr_error_set (err, "a value of more than %d bytes after ${NAME} is filled in",
                      MR_INI_VALUE_MAX_BYTES);
        return NULL;
    }
    const char *copy = mr_config_copy (self, out.text, out.bytes);
    if (copy == NULL) {
        mr_error_set (err, "out of memory");
    }
    return copy;
}

/* Drop "." and empty parts in place. */
static void
simplify (char *path)
{
    char *to = path;
    for (const char *at = path; *at != '\0';) {
        if (at[0] == '/' && at[1] == '/') {
            at++;
        } else if (at[0] == '/' && at[1] == '.' && (at[2] == '/' || at[2] == '\0')) {
            at += 2;
        } else {
            *to++ = *at++;
        }
    }
    if (to > path + 1 && to[-1] == '/') {
        to--;
    }
    if (to == path) {
        *to++ = '/';
    }
    *to = '\0';
}

/* Append the parts of rest, "/a/../b", to path, where ".." takes one off. Cut to fit. */
static void
append_parts (char path[PATH_MAX], const char *rest)
{
    while (*rest != '\0') {
        size_t bytes = 1 + strcspn (rest + 1, "/");
        size_t used = strcmp (path, "/") == 0 ? 0 : strlen (path);
        if (bytes == 3 && strncmp (rest, "/..", 3) == 0) {
            char *slash = strrchr (path, '/');
            slash[slash == path] = '\0';
        } else {
            snprintf (path + used, PATH_MAX - used, "%.*s", (int)bytes, rest);
        }
        rest += bytes;
    }
}

/* An absolute path where links lead, as far as its first `bytes` exist; the rest is appended. */
static const char *
follow (mr_config_t *self, const char *path, size_t bytes)
{
    char head[PATH_MAX];
    char real[PATH_MAX];
    if (strlen (path) >= sizeof head / 2) {
        return path;
    }
    memcpy (head, path, bytes);
    head[bytes] = '\0';
    while (realpath (head[0] != '\0' ? head : "/", real) == NULL && head[0] != '\0') {
        *strrchr (head, '/') = '\0';
    }
    append_parts (real, path + strlen (head));
    return mr_config_copy (self, real, strlen (real));
}

const char *
mr_config_real (mr_config_t *self, const char *path)
{
    return follow (self, path, strlen (path));
}

/* A simple absolute path without "..": what exists of its directory is asked of the system, as
 * links may make ".." mean something else. Other paths are returned as is. */
static const char *
without_parents (mr_config_t *self, const char *path)
{
    size_t bytes = strlen (path);
    const char *last = strrchr (path, '/');
    bool ends_up = strcmp (last, "/..") == 0;
    if (strstr (path, "/../") == NULL && !ends_up) {
        return path;
    }
    return follow (self, path, ends_up ? bytes : (size_t)(last - path));
}

static const char *
join (mr_config_t *self, const char *scheme, const char *path)
{
    size_t bytes = path != NULL ? strlen (scheme) + strlen (path) : 0;
    char *whole = path != NULL ? mr_config_alloc (self, bytes + 1) : NULL;
    if (whole != NULL) {
        snprintf (whole, bytes + 1, "%s%s", scheme, path);
    }
    return whole;
}

const char *
mr_config_absolute (mr_config_t *self, mr_option_type_t type, const char *text)
{
    const char *scheme = "";
    if (type == MR_OPTION_ENDPOINT && strncmp (text, "ipc://", 6) == 0) {
        scheme = "ipc://";
        text += 6;
    } else if (type != MR_OPTION_PATH) {
        return text;
    }
    const char *dir = text[0] == '/' ? "" : self->dir;
    size_t bytes = strlen (scheme) + strlen (dir) + 1 + strlen (text);
    char *whole = mr_config_alloc (self, bytes + 1);
    if (whole != NULL) {
        snprintf (whole, bytes + 1, "%s%s%s%s", scheme, dir, dir[0] != '\0' ? "/" : "", text);
        simplify (whole + strlen (scheme));
        const char *path = whole + strlen (scheme);
        const char *plain = without_parents (self, path);
        return plain == path ? whole : join (self, scheme, plain);
    }
    return NULL;
}

typedef struct search {
    const char *word;
    bool found;
} search_t;

static void
compare_word (const char *word, void *arg)
{
    search_t *search = arg;
    search->found |= strcmp (word, search->word) == 0;
}

bool
mr_config_has_word (const char *list, const char *word)
{
    search_t search = {.word = word};
    mr_config_words (list, compare_word, &search);
    return search.found;
}
