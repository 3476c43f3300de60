#include "common/record/chars.h"
#include "common/record/expr_lex.h"
#include "common/record/expr_tree.h"

#include <string.h>

typedef struct {
    mr_expr_t *expr;
    mr_expr_lexer_t lex;
    unsigned depth;
    size_t strings_bytes;
} parser_t;

static mr_status_t parse_or (parser_t *self, uint16_t *ret_node);

static mr_status_t
expect_sign (parser_t *self, const char *sign, const char *what)
{
    return mr_expr_is_sign (&self->lex, sign) ? mr_expr_advance (&self->lex)
                                              : mr_expr_fail (&self->lex, what);
}

static uint16_t
add_node (parser_t *self, mr_expr_node_t node)
{
    self->expr->nodes[self->expr->node_count] = node;
    return (uint16_t)self->expr->node_count++;
}

static uint16_t
add_operand (parser_t *self, mr_expr_operand_t operand)
{
    self->expr->operands[self->expr->operand_count] = operand;
    return (uint16_t)self->expr->operand_count++;
}

static mr_status_t
parse_literal (parser_t *self, int type, uint16_t *ret_operand)
{
    mr_expr_operand_t operand = {.type = (uint8_t)type};
    const char *text = self->lex.text + self->lex.start;
    size_t bytes = self->lex.at - self->lex.start;
    if (type == MR_JSON_STRING) {
        char *decoded = self->expr->strings + self->strings_bytes;
        mr_text_t raw = {text + 1, (uint32_t)(bytes - 2), true};
        size_t length = mr_text_decode (raw, decoded);
        self->strings_bytes += length;
        operand.text = (mr_text_t){decoded, (uint32_t)length, false};
    } else if (type == MR_JSON_NUMBER) {
        operand.number = mr_number_read (text, bytes);
    }
    *ret_operand = add_operand (self, operand);
    return mr_expr_advance (&self->lex);
}

static mr_status_t
parse_path (parser_t *self, uint16_t *ret_operand)
{
    mr_path_t *path;
    size_t used;
    mr_status_t status =
        mr_path_read (self->lex.text + self->lex.start, self->lex.bytes - self->lex.start, &used,
                      &path, self->lex.err);
    if (status != MR_OK) {
        mr_error_prefix (self->lex.err, "column %u",
                         mr_path_column (self->lex.text, self->lex.start + used));
        return status;
    }
    *ret_operand = add_operand (self, (mr_expr_operand_t){.path = path});
    self->lex.at = self->lex.start + used;
    return mr_expr_advance (&self->lex);
}

static mr_status_t
parse_operand (parser_t *self, uint16_t *ret_operand)
{
    int type = mr_expr_literal_type (&self->lex);
    if (type >= 0) {
        return parse_literal (self, type, ret_operand);
    }
    if ((self->lex.token == MR_EXPR_WORD && !mr_expr_is_reserved (&self->lex)) ||
        self->lex.token == MR_EXPR_BACKTICK) {
        return parse_path (self, ret_operand);
    }
    return mr_expr_fail (&self->lex, "a field or a value is expected");
}

/* The list of `in`, at its parenthesis. */
static mr_status_t
parse_list (parser_t *self, mr_expr_node_t *node)
{
    mr_status_t status = expect_sign (self, "(", "'(' and a list are expected after 'in'");
    node->b = (uint16_t)self->expr->operand_count;
    while (status == MR_OK) {
        uint16_t operand;
        int type = mr_expr_literal_type (&self->lex);
        if (type < 0) {
            return mr_expr_fail (&self->lex, "a value is expected in the list");
        }
        status = parse_literal (self, type, &operand);
        node->c++;
        if (status != MR_OK || mr_expr_is_sign (&self->lex, ")")) {
            break;
        }
        status = expect_sign (self, ",", "',' or ')' is expected in the list");
    }
    return status == MR_OK ? mr_expr_advance (&self->lex) : status;
}

/* What may follow an operand: a comparison, a list, or nothing. */
static mr_status_t
parse_comparison (parser_t *self, uint16_t left, uint16_t *ret_node)
{
    static const struct {
        const char *sign;
        mr_expr_op_t op;
    } signs[] = {
        {"==", MR_EXPR_EQ}, {"!=", MR_EXPR_NE}, {"<", MR_EXPR_LT},
        {"<=", MR_EXPR_LE}, {">", MR_EXPR_GT},  {">=", MR_EXPR_GE},
    };
    mr_expr_node_t node = {.op = MR_EXPR_TRUE, .a = left};
    mr_status_t status = MR_OK;
    if (mr_expr_is_word (&self->lex, "not") || mr_expr_is_word (&self->lex, "in")) {
        node.op = mr_expr_is_word (&self->lex, "in") ? MR_EXPR_IN : MR_EXPR_NOT_IN;
        if (node.op == MR_EXPR_NOT_IN) {
            status = mr_expr_advance (&self->lex);
            if (status == MR_OK && !mr_expr_is_word (&self->lex, "in")) {
                return mr_expr_fail (&self->lex, "'in' is expected after 'not'");
            }
        }
        status = status == MR_OK ? mr_expr_advance (&self->lex) : status;
        status = status == MR_OK ? parse_list (self, &node) : status;
    }
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (status == MR_OK && node.op == MR_EXPR_TRUE &&
            mr_expr_is_sign (&self->lex, signs[i].sign)) {
            node.op = (uint16_t)signs[i].op;
            status = mr_expr_advance (&self->lex);
            status = status == MR_OK ? parse_operand (self, &node.b) : status;
        }
    }
    if (status != MR_OK) {
        return status;
    }
    uint8_t type = self->expr->operands[left].type;
    if (node.op == MR_EXPR_TRUE && self->expr->operands[left].path == NULL &&
        type != MR_JSON_TRUE && type != MR_JSON_FALSE) {
        return mr_expr_fail (&self->lex, "a comparison is expected after the value");
    }
    *ret_node = add_node (self, node);
    return MR_OK;
}

/* A word with a parenthesis after it. */
static bool
is_call (const parser_t *self)
{
    size_t at = self->lex.at;
    while (at < self->lex.bytes && mr_is_space (self->lex.text[at])) {
        at++;
    }
    return self->lex.token == MR_EXPR_WORD && at < self->lex.bytes && self->lex.text[at] == '(' &&
           !mr_expr_is_reserved (&self->lex) && mr_expr_literal_type (&self->lex) < 0;
}

static mr_status_t
parse_call (parser_t *self, uint16_t *ret_node)
{
    if (!mr_expr_is_word (&self->lex, "exists")) {
        return mr_expr_fail (&self->lex, "the only function is exists (field)");
    }
    mr_status_t status = mr_expr_advance (&self->lex);
    status = status == MR_OK ? mr_expr_advance (&self->lex) : status; /* the parenthesis */
    if (status != MR_OK) {
        return status;
    }
    bool named = self->lex.token == MR_EXPR_BACKTICK ||
                 (self->lex.token == MR_EXPR_WORD && !mr_expr_is_reserved (&self->lex) &&
                  mr_expr_literal_type (&self->lex) < 0);
    if (!named) {
        return mr_expr_fail (&self->lex, "a field is expected in exists ()");
    }
    mr_expr_node_t node = {.op = MR_EXPR_EXISTS};
    status = parse_path (self, &node.a);
    status = status == MR_OK ? expect_sign (self, ")", "')' is expected") : status;
    if (status == MR_OK) {
        *ret_node = add_node (self, node);
    }
    return status;
}

static mr_status_t
parse_test (parser_t *self, uint16_t *ret_node)
{
    if (mr_expr_is_sign (&self->lex, "(")) {
        mr_status_t status = mr_expr_advance (&self->lex);
        status = status == MR_OK ? parse_or (self, ret_node) : status;
        return status == MR_OK ? expect_sign (self, ")", "an operator or ')' is expected") : status;
    }
    if (is_call (self)) {
        return parse_call (self, ret_node);
    }
    uint16_t operand;
    mr_status_t status = parse_operand (self, &operand);
    return status == MR_OK ? parse_comparison (self, operand, ret_node) : status;
}

static mr_status_t
parse_not (parser_t *self, uint16_t *ret_node)
{
    if (self->depth == MR_EXPR_MAX_DEPTH) {
        return mr_expr_fail_at (&self->lex, self->lex.start, "nested more than 64 deep");
    }
    self->depth++;
    mr_status_t status;
    if (mr_expr_is_word (&self->lex, "not")) {
        mr_expr_node_t node = {.op = MR_EXPR_NOT};
        status = mr_expr_advance (&self->lex);
        status = status == MR_OK ? parse_not (self, &node.a) : status;
        if (status == MR_OK) {
            *ret_node = add_node (self, node);
        }
    } else {
        status = parse_test (self, ret_node);
    }
    self->depth--;
    return status;
}

typedef mr_status_t parse_t (parser_t *self, uint16_t *ret_node);

/* part { word part }, linked through b: a1 op (a2 op (a3 .. )). */
static mr_status_t
parse_chain (parser_t *self, const char *word, mr_expr_op_t op, uint16_t *ret_node)
{
    parse_t *parse_part = op == MR_EXPR_AND ? parse_not : NULL;
    uint16_t part = 0;
    uint16_t last = 0;
    bool linked = false;
    for (;;) {
        mr_status_t status = parse_part != NULL ? parse_part (self, &part)
                                                : parse_chain (self, "and", MR_EXPR_AND, &part);
        if (status != MR_OK) {
            return status;
        }
        bool more = mr_expr_is_word (&self->lex, word);
        uint16_t node =
            more ? add_node (self, (mr_expr_node_t){.op = (uint16_t)op, .a = part}) : part;
        if (linked) {
            self->expr->nodes[last].b = node;
        } else {
            *ret_node = node;
        }
        if (!more) {
            return MR_OK;
        }
        last = node;
        linked = true;
        status = mr_expr_advance (&self->lex);
        if (status != MR_OK) {
            return status;
        }
    }
}

static mr_status_t
parse_or (parser_t *self, uint16_t *ret_node)
{
    return parse_chain (self, "or", MR_EXPR_OR, ret_node);
}

mr_status_t
mr_expr_parse (mr_expr_t *self, mr_error_t *err)
{
    parser_t parser = {
        .expr = self,
        .lex = {.text = self->text, .bytes = strlen (self->text), .err = err},
    };
    uint16_t root = 0;
    mr_status_t status = mr_expr_advance (&parser.lex);
    status = status == MR_OK ? parse_or (&parser, &root) : status;
    if (status == MR_OK && parser.lex.token != MR_EXPR_END) {
        return mr_expr_fail (&parser.lex, "an operator or the end is expected");
    }
    self->root = root;
    return status;
}
