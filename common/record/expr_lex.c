#include "common/record/expr_lex.h"

#include "common/record/chars.h"

#include <string.h>

mr_status_t
mr_expr_fail (mr_expr_lexer_t *self, const char *what)
{
    enum { SHOWN = 32 };
    unsigned column = mr_path_column (self->text, self->start);
    size_t length = self->at - self->start;
    if (self->token == MR_EXPR_END) {
        mr_error_set (self->err, "column %u: %s; the expression ends here", column, what);
    } else {
        mr_error_set (self->err, "column %u: %s, not %.*s%s", column, what,
                      (int)(length > SHOWN ? SHOWN : length), self->text + self->start,
                      length > SHOWN ? "..." : "");
    }
    return MR_CONFIG;
}

mr_status_t
mr_expr_fail_at (mr_expr_lexer_t *self, size_t offset, const char *what)
{
    mr_error_set (self->err, "column %u: %s", mr_path_column (self->text, offset), what);
    return MR_CONFIG;
}

static bool
is_word_char (char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || c == '_' || c == '@' || c == '$' || mr_is_digit (c) ||
           (unsigned char)c >= 0x80;
}

static mr_status_t
scan_string (mr_expr_lexer_t *self)
{
    for (self->at++; self->at < self->bytes; self->at++) {
        unsigned char c = (unsigned char)self->text[self->at];
        if (c == '"') {
            self->at++;
            return MR_OK;
        }
        if (c < 0x20) {
            return mr_expr_fail_at (self, self->at,
                                    "a control character in a string must be escaped");
        }
        if (c == '\\') {
            size_t escape = mr_escape_bytes (self->text + self->at, self->bytes - self->at);
            if (escape == 0) {
                return mr_expr_fail_at (self, self->at,
                                        "no such escape in a string (JSON's are known)");
            }
            self->at += escape - 1;
        }
    }
    return mr_expr_fail_at (self, self->start, "the string is not closed");
}

static mr_status_t
scan_number (mr_expr_lexer_t *self)
{
    size_t end = self->at + 1;
    while (end < self->bytes && (is_word_char (self->text[end]) || self->text[end] == '.' ||
                                 ((self->text[end] == '+' || self->text[end] == '-') &&
                                  (self->text[end - 1] | 0x20) == 'e'))) {
        end++;
    }
    size_t length = end - self->start;
    self->at = end;
    if (mr_number_is_good (self->text + self->start, length) != length) {
        return mr_expr_fail (self, "a number as in JSON is expected");
    }
    return MR_OK;
}

static mr_status_t
scan_sign (mr_expr_lexer_t *self)
{
    static const char *const twos[] = {"==", "!=", "<=", ">="};
    self->at++;
    for (size_t i = 0; i < sizeof twos / sizeof twos[0]; i++) {
        if (self->bytes - self->start >= 2 && memcmp (self->text + self->start, twos[i], 2) == 0) {
            self->at = self->start + 2;
            return MR_OK;
        }
    }
    switch (self->text[self->start]) {
    case '(':
    case ')':
    case ',':
    case '<':
    case '>':
        return MR_OK;
    case '=':
        return mr_expr_fail_at (self, self->start, "'=' compares nothing here; write '=='");
    case '!':
        return mr_expr_fail_at (self, self->start, "'!' is not known; write 'not', or '!='");
    case '&':
        return mr_expr_fail_at (self, self->start, "'&' is not known; write 'and'");
    case '|':
        return mr_expr_fail_at (self, self->start, "'|' is not known; write 'or'");
    case '\'':
        return mr_expr_fail_at (self, self->start, "strings stand in double quotes");
    case '-':
        return mr_expr_fail_at (self, self->start,
                                "a name with '-' in it is written in backticks: `user-agent`");
    default:
        return mr_expr_fail (self, "a field, a value or an operator is expected");
    }
}

mr_status_t
mr_expr_advance (mr_expr_lexer_t *self)
{
    while (self->at < self->bytes && mr_is_space (self->text[self->at])) {
        self->at++;
    }
    self->start = self->at;
    if (self->at == self->bytes) {
        self->token = MR_EXPR_END;
        return MR_OK;
    }
    char c = self->text[self->at];
    char following = self->text[self->at + 1]; /* the text is terminated */
    if (c == '"') {
        self->token = MR_EXPR_STRING;
        return scan_string (self);
    }
    if (mr_is_digit (c) || (c == '-' && mr_is_digit (following))) {
        self->token = MR_EXPR_NUMBER;
        return scan_number (self);
    }
    if (c == '`') {
        self->token = MR_EXPR_BACKTICK;
        self->at++;
        return MR_OK;
    }
    if (!is_word_char (c)) {
        self->token = MR_EXPR_SIGN;
        return scan_sign (self);
    }
    self->token = MR_EXPR_WORD;
    while (self->at < self->bytes && is_word_char (self->text[self->at])) {
        self->at++;
    }
    return MR_OK;
}

static bool
is_text (const mr_expr_lexer_t *self, mr_expr_token_t token, const char *text)
{
    size_t length = self->at - self->start;
    return self->token == token && strlen (text) == length &&
           memcmp (self->text + self->start, text, length) == 0;
}

bool
mr_expr_is_word (const mr_expr_lexer_t *self, const char *word)
{
    return is_text (self, MR_EXPR_WORD, word);
}

bool
mr_expr_is_sign (const mr_expr_lexer_t *self, const char *sign)
{
    return is_text (self, MR_EXPR_SIGN, sign);
}

bool
mr_expr_is_reserved (const mr_expr_lexer_t *self)
{
    return mr_expr_is_word (self, "and") || mr_expr_is_word (self, "or") ||
           mr_expr_is_word (self, "not") || mr_expr_is_word (self, "in");
}

int
mr_expr_literal_type (const mr_expr_lexer_t *self)
{
    if (self->token == MR_EXPR_STRING) {
        return MR_JSON_STRING;
    }
    if (self->token == MR_EXPR_NUMBER) {
        return MR_JSON_NUMBER;
    }
    if (mr_expr_is_word (self, "true")) {
        return MR_JSON_TRUE;
    }
    if (mr_expr_is_word (self, "false")) {
        return MR_JSON_FALSE;
    }
    return mr_expr_is_word (self, "null") ? MR_JSON_NULL : -1;
}
