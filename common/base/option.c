#include "common/base/option.h"

#include "common/base/endpoint.h"
#include "common/base/slots.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A unit and how many of the smallest it is. */
typedef struct unit {
    const char *name;
    int64_t factor;
} unit_t;

static const unit_t size_units[] = {
    {"", 1},
    {"B", 1},
    {"KiB", INT64_C (1) << 10},
    {"MiB", INT64_C (1) << 20},
    {"GiB", INT64_C (1) << 30},
    {"TiB", INT64_C (1) << 40},
    {NULL, 0},
};

static const unit_t duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

/* Digits at the start of text; false when there are none or they overflow. */
static bool
digits_parse (const char *text, int64_t *ret_number, const char **ret_rest)
{
    int64_t number = 0;
    const char *at = text;
    for (; isdigit ((unsigned char)*at); at++) {
        if (__builtin_mul_overflow (number, 10, &number) ||
            __builtin_add_overflow (number, *at - '0', &number)) {
            return false;
        }
    }
    *ret_number = number;
    *ret_rest = at;
    return at != text;
}

static mr_status_t
range_check (const mr_option_t *option, int64_t number, const char *text, mr_error_t *err)
{
    if ((option->min == 0 && option->max == 0) ||
        (number >= option->min && number <= option->max)) {
        return MR_OK;
    }
    char low[32];
    char high[32];
    mr_option_format (option, option->min, low, sizeof low);
    mr_option_format (option, option->max, high, sizeof high);
    mr_error_set (err, "%s is not in %s .. %s", text, low, high);
    return MR_CONFIG;
}

static mr_status_t
bool_parse (const char *text, int64_t *ret_number, mr_error_t *err)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", NULL};
    for (int i = 0; words[i] != NULL; i++) {
        if (strcasecmp (text, words[i]) == 0) {
            *ret_number = i % 2;
            return MR_OK;
        }
    }
    mr_error_set (err, "\"%s\" is neither yes nor no", text);
    return MR_CONFIG;
}

static mr_status_t
int_parse (const char *text, int64_t *ret_number, mr_error_t *err)
{
    const char *rest;
    bool negative = text[0] == '-';
    if (!digits_parse (text + negative, ret_number, &rest) || *rest != '\0') {
        mr_error_set (err, "\"%s\" is not a whole number", text);
        return MR_CONFIG;
    }
    if (negative) {
        *ret_number = -*ret_number;
    }
    return MR_OK;
}

static mr_status_t
unit_parse (const char *text, const unit_t *units, int64_t *ret_number, mr_error_t *err)
{
    const char *rest;
    if (digits_parse (text, ret_number, &rest)) {
        while (*rest == ' ') {
            rest++;
        }
        for (const unit_t *unit = units; unit->name != NULL; unit++) {
            if (strcasecmp (rest, unit->name) == 0 &&
                !__builtin_mul_overflow (*ret_number, unit->factor, ret_number)) {
                return MR_OK;
            }
        }
    }
    mr_error_set (err,
                  units == size_units ? "\"%s\" is not a size; write bytes or 64KiB, 8MiB, 2GiB"
                                      : "\"%s\" is not a duration; write 250ms, 10s, 5m, 1h or 7d",
                  text);
    return MR_CONFIG;
}

static mr_status_t
mode_parse (const char *text, int64_t *ret_number, mr_error_t *err)
{
    int64_t mode = 0;
    size_t digits = strspn (text, "01234567");
    for (size_t i = 0; i < digits && digits <= 4; i++) {
        mode = mode * 8 + (text[i] - '0');
    }
    if (digits < 3 || digits > 4 || text[digits] != '\0' || mode > 0777) {
        mr_error_set (err, "\"%s\" is not a file mode; write three octal digits, 0600 or 0660",
                      text);
        return MR_CONFIG;
    }
    *ret_number = mode;
    return MR_OK;
}

int
mr_option_choice (const char *choices, const char *text)
{
    size_t bytes = strlen (text);
    int index = 0;
    for (const char *at = choices; at != NULL; index++) {
        size_t length = strcspn (at, "|");
        if (length == bytes && memcmp (at, text, bytes) == 0) {
            return index;
        }
        at = at[length] == '|' ? at + length + 1 : NULL;
    }
    return -1;
}

static mr_status_t
choice_parse (const char *choices, const char *text, int64_t *ret_number, mr_error_t *err)
{
    *ret_number = mr_option_choice (choices, text);
    if (*ret_number >= 0) {
        return MR_OK;
    }
    char words[256];
    const char *list[33] = {NULL};
    size_t count = 0;
    snprintf (words, sizeof words, "%s", choices);
    char *save = NULL;
    for (char *word = strtok_r (words, "|", &save); word != NULL && count < 32;
         word = strtok_r (NULL, "|", &save)) {
        list[count++] = word;
    }
    const char *nearest = mr_option_nearest (text, list);
    mr_error_set (err, "unknown word \"%s\"; %s%s%sone of: %s", text,
                  nearest != NULL ? "nearest: " : "", nearest != NULL ? nearest : "",
                  nearest != NULL ? "; " : "", choices);
    return MR_CONFIG;
}

static mr_status_t
hostport_parse (const mr_option_t *option, const char *text, int64_t *ret_number, mr_error_t *err)
{
    if (option->choices != NULL && mr_option_choice (option->choices, text) >= 0) {
        *ret_number = -1;
        return MR_OK;
    }
    char plain[MR_ENDPOINT_BYTES] = "";
    mr_status_t status = mr_endpoint_for_slot (text, MR_SLOTS_MAX - 1, plain, sizeof plain, err);
    mr_hostport_t parts;
    if (status == MR_OK) {
        status = mr_hostport_parse (plain, &parts, err);
    }
    if (status != MR_OK && err != NULL && option->choices != NULL) {
        mr_error_t why = *err;
        mr_error_set (err, "%s, or %s", why.text, option->choices);
    }
    if (status == MR_OK) {
        *ret_number = parts.port;
        status = range_check (option, parts.port, text, err);
    }
    return status;
}

static mr_status_t
list_check (const char *text, mr_error_t *err)
{
    for (const char *at = text;; at++) {
        at += strspn (at, " \t");
        if (*at == ',' || *at == '\0') {
            mr_error_set (err, "an empty word in the list \"%s\"", text);
            return MR_CONFIG;
        }
        at += strcspn (at, ",");
        if (*at == '\0') {
            return MR_OK;
        }
    }
}

static mr_status_t
string_check (const mr_option_t *option, const char *text, mr_error_t *err)
{
    int64_t bytes = (int64_t)strlen (text);
    if ((option->min == 0 && option->max == 0) || (bytes >= option->min && bytes <= option->max)) {
        return MR_OK;
    }
    mr_error_set (err, "%" PRId64 " bytes long; %" PRId64 " .. %" PRId64 " are allowed", bytes,
                  option->min, option->max);
    return MR_CONFIG;
}

/* Types whose value is a number in a range. */
static mr_status_t
number_parse (const mr_option_t *option, const char *text, int64_t *ret_number, mr_error_t *err)
{
    mr_status_t status;
    if (option->type == MR_OPTION_SIZE) {
        status = unit_parse (text, size_units, ret_number, err);
    } else if (option->type == MR_OPTION_DURATION) {
        status = unit_parse (text, duration_units, ret_number, err);
    } else {
        status = int_parse (text, ret_number, err);
    }
    return status != MR_OK ? status : range_check (option, *ret_number, text, err);
}

static mr_status_t
parse_typed (const mr_option_t *option, const char *text, int64_t *ret_number, mr_error_t *err)
{
    switch (option->type) {
    case MR_OPTION_BOOL:
        return bool_parse (text, ret_number, err);
    case MR_OPTION_INT:
    case MR_OPTION_SIZE:
    case MR_OPTION_DURATION:
        return number_parse (option, text, ret_number, err);
    case MR_OPTION_MODE:
        return mode_parse (text, ret_number, err);
    case MR_OPTION_STRING:
        return string_check (option, text, err);
    case MR_OPTION_ENDPOINT:
        return mr_endpoint_check (text, err);
    case MR_OPTION_HOSTPORT:
        return hostport_parse (option, text, ret_number, err);
    case MR_OPTION_CHOICE:
        return choice_parse (option->choices, text, ret_number, err);
    case MR_OPTION_LIST:
        return list_check (text, err);
    case MR_OPTION_PATH:
    case MR_OPTION_EXPR:
        return MR_OK;
    }
    return MR_OK;
}

mr_status_t
mr_option_parse (const mr_option_t *option, const char *text, mr_option_value_t *ret_value,
                 mr_error_t *err)
{
    if (*text == '\0' && option->type != MR_OPTION_STRING) {
        mr_error_set (err, "no value");
        return MR_CONFIG;
    }
    int64_t number = 0;
    mr_status_t status = parse_typed (option, text, &number, err);
    if (status == MR_OK) {
        *ret_value = (mr_option_value_t){.number = number, .text = text};
    }
    return status;
}

void
mr_option_unquote (char *text)
{
    size_t bytes = strlen (text);
    if (bytes < 2 || text[0] != '"' || text[bytes - 1] != '"') {
        return;
    }
    for (size_t i = 1; i < bytes - 1; i++) {
        if (text[i] == '"' || (text[i] == '\\' && i + 1 == bytes - 1)) {
            return; /* two pairs, or the last quote is escaped */
        }
        i += text[i] == '\\';
    }
    char *to = text;
    for (size_t i = 1; i < bytes - 1; i++) {
        i += text[i] == '\\' && (text[i + 1] == '"' || text[i + 1] == '\\');
        *to++ = text[i];
    }
    *to = '\0';
}

void
mr_option_format (const mr_option_t *option, int64_t number, char *ret_text, size_t bytes)
{
    const unit_t *units = option->type == MR_OPTION_SIZE       ? size_units
                          : option->type == MR_OPTION_DURATION ? duration_units
                                                               : NULL;
    const unit_t *best = NULL;
    for (const unit_t *unit = units; unit != NULL && unit->name != NULL; unit++) {
        if (number != 0 && number % unit->factor == 0 && unit->name[0] != '\0' &&
            strcmp (unit->name, "B") != 0) {
            best = unit;
        }
    }
    if (option->type == MR_OPTION_DURATION && number == 0) {
        snprintf (ret_text, bytes, "0s");
    } else if (option->type == MR_OPTION_MODE) {
        snprintf (ret_text, bytes, "%04" PRIo64, (uint64_t)number);
    } else {
        snprintf (ret_text, bytes, "%" PRId64 "%s", number / (best != NULL ? best->factor : 1),
                  best != NULL ? best->name : "");
    }
}

const char *
mr_option_type_name (mr_option_type_t type)
{
    static const char *const names[] = {
        [MR_OPTION_BOOL] = "yes / no",      [MR_OPTION_INT] = "number",
        [MR_OPTION_SIZE] = "size",          [MR_OPTION_DURATION] = "duration",
        [MR_OPTION_MODE] = "file mode",     [MR_OPTION_STRING] = "text",
        [MR_OPTION_PATH] = "path",          [MR_OPTION_ENDPOINT] = "endpoint",
        [MR_OPTION_HOSTPORT] = "HOST:PORT", [MR_OPTION_CHOICE] = "choice",
        [MR_OPTION_LIST] = "list",          [MR_OPTION_EXPR] = "expression",
    };
    return names[type];
}
