/* expr_lex: an expression's text, token by token, and what is said about a wrong one. Private to
 * the parser of expressions. */
#ifndef MR_COMMON_RECORD_EXPR_LEX_H
#define MR_COMMON_RECORD_EXPR_LEX_H

#include "common/base/status.h"
#include "common/record/json.h"
#include "common/record/path.h"

typedef enum {
    MR_EXPR_WORD,
    MR_EXPR_BACKTICK, /* a quoted name begins; mr_path_read reads it */
    MR_EXPR_STRING,
    MR_EXPR_NUMBER,
    MR_EXPR_SIGN,
    MR_EXPR_END,
} mr_expr_token_t;

/* Embedded; set text, bytes and err, then advance. The present token is text[start .. at). */
typedef struct mr_expr_lexer {
    const char *text; /* terminated */
    size_t bytes;
    size_t start;
    size_t at;
    mr_expr_token_t token;
    mr_error_t *err;
} mr_expr_lexer_t;

/* Read the next token; MR_CONFIG: there is none that can be. */
MR_CHECK mr_status_t mr_expr_advance (mr_expr_lexer_t *self);

bool mr_expr_is_word (const mr_expr_lexer_t *self, const char *word);
bool mr_expr_is_sign (const mr_expr_lexer_t *self, const char *sign);
/* and, or, not, in */
bool mr_expr_is_reserved (const mr_expr_lexer_t *self);
/* The mr_json_type_t of a literal at the token, or -1. */
int mr_expr_literal_type (const mr_expr_lexer_t *self);

/* Set the error "column N: <what>, not <the token>"; MR_CONFIG. */
mr_status_t mr_expr_fail (mr_expr_lexer_t *self, const char *what);
/* Set the error "column N: <what>" for a byte of the text; MR_CONFIG. */
mr_status_t mr_expr_fail_at (mr_expr_lexer_t *self, size_t offset, const char *what);

#endif
