/* expr_tree: what the parser of expressions (expr_parse.c) hands to their evaluation (expr.c).
 * Private to the two. */
#ifndef MR_COMMON_RECORD_EXPR_TREE_H
#define MR_COMMON_RECORD_EXPR_TREE_H

#include "common/record/expr.h"
#include "common/record/number.h"
#include "common/record/path.h"
#include "common/record/text.h"

typedef enum {
    MR_EXPR_AND, /* a: node, b: node; chains hang on b, so that a long one is no deep recursion */
    MR_EXPR_OR,
    MR_EXPR_NOT,    /* a: node */
    MR_EXPR_TRUE,   /* a: operand, is it true? */
    MR_EXPR_EXISTS, /* a: operand, a path */
    MR_EXPR_EQ,     /* a, b: operands; so to the end */
    MR_EXPR_NE,
    MR_EXPR_LT,
    MR_EXPR_LE,
    MR_EXPR_GT,
    MR_EXPR_GE,
    MR_EXPR_IN, /* a: operand; b: the first of c operands, literals */
    MR_EXPR_NOT_IN,
} mr_expr_op_t;

typedef struct mr_expr_node {
    uint16_t op; /* mr_expr_op_t */
    uint16_t a;
    uint16_t b;
    uint16_t c;
} mr_expr_node_t;

/* A literal (path NULL) or a path. */
typedef struct mr_expr_operand {
    mr_path_t *path;
    uint8_t type;       /* mr_json_type_t of a literal */
    mr_text_t text;     /* of a string, decoded, inside the expression's strings */
    mr_number_t number; /* of a number */
} mr_expr_operand_t;

struct mr_expr {
    char *text;
    char *strings; /* the decoded literals */
    mr_expr_node_t *nodes;
    uint32_t node_count;
    mr_expr_operand_t *operands;
    uint32_t operand_count;
    uint32_t root; /* node */
};

/* Fill an expression whose text is set and whose arrays have room for one node and one operand per
 * byte of it. As mr_expr_new. */
MR_CHECK mr_status_t mr_expr_parse (mr_expr_t *self, mr_error_t *err);

#endif
