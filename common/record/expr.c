#include "common/record/expr.h"

#include "common/record/expr_tree.h"

#include <stdlib.h>
#include <string.h>

enum { MISSING = MR_JSON_OBJECT + 1 }; /* a type of its own: no such field */

/* An operand's value for one record. */
typedef struct {
    unsigned type; /* mr_json_type_t or MISSING */
    mr_text_t text;
    mr_number_t number;
} cell_t;

static mr_status_t
allocate (mr_expr_t *self, const char *text)
{
    size_t bytes = strlen (text);
    self->text = strdup (text);
    self->strings = malloc (bytes + 1);
    self->nodes = calloc (bytes + 1, sizeof *self->nodes);
    self->operands = calloc (bytes + 1, sizeof *self->operands);
    bool good = self->text != NULL && self->strings != NULL && self->nodes != NULL &&
                self->operands != NULL;
    return good ? MR_OK : MR_SYSTEM;
}

/* Give back the room that the text's length made us take. What cannot shrink stays. */
static void
shrink (mr_expr_t *self)
{
    mr_expr_node_t *nodes = realloc (self->nodes, self->node_count * sizeof *nodes);
    if (nodes != NULL) {
        self->nodes = nodes;
    }
    mr_expr_operand_t *operands = realloc (self->operands, self->operand_count * sizeof *operands);
    if (operands != NULL) {
        self->operands = operands;
    }
}

mr_status_t
mr_expr_new (const char *text, mr_expr_t **ret_expr, mr_error_t *err)
{
    if (strlen (text) > MR_EXPR_MAX_BYTES) {
        mr_error_set (err, "the expression is longer than %d bytes", MR_EXPR_MAX_BYTES);
        return MR_CONFIG;
    }
    mr_expr_t *self = calloc (1, sizeof *self);
    if (self == NULL || allocate (self, text) != MR_OK) {
        mr_expr_destroy (&self);
        mr_error_set (err, "out of memory");
        return MR_SYSTEM;
    }
    mr_status_t status = mr_expr_parse (self, err);
    if (status != MR_OK) {
        mr_expr_destroy (&self);
        return status;
    }
    shrink (self);
    *ret_expr = self;
    return MR_OK;
}

void
mr_expr_destroy (mr_expr_t **expr_p)
{
    mr_expr_t *self = *expr_p;
    if (self == NULL) {
        return;
    }
    for (uint32_t i = 0; i < self->operand_count; i++) {
        mr_path_destroy (&self->operands[i].path);
    }
    free (self->operands);
    free (self->nodes);
    free (self->strings);
    free (self->text);
    free (self);
    *expr_p = NULL;
}

const char *
mr_expr_text (const mr_expr_t *self)
{
    return self->text;
}

/* The record, at hand in every function below. */
typedef struct {
    const mr_expr_t *expr;
    const mr_json_field_t *fields;
    uint32_t count;
} eval_t;

static cell_t
load (const eval_t *eval, uint32_t index)
{
    const mr_expr_operand_t *operand = &eval->expr->operands[index];
    if (operand->path == NULL) {
        return (cell_t){operand->type, operand->text, operand->number};
    }
    mr_json_value_t value;
    cell_t cell = {.type = MISSING};
    if (!mr_path_find (operand->path, eval->fields, eval->count, &value)) {
        return cell;
    }
    cell.type = value.type;
    if (value.type == MR_JSON_STRING) {
        cell.text = mr_text_of_value (&value);
    } else if (value.type == MR_JSON_NUMBER) {
        cell.number = mr_number_read (value.text, value.bytes);
    }
    return cell;
}

static bool
equal (const cell_t *a, const cell_t *b)
{
    unsigned left = a->type == MISSING ? MR_JSON_NULL : a->type;
    unsigned right = b->type == MISSING ? MR_JSON_NULL : b->type;
    if (left != right || left == MR_JSON_ARRAY || left == MR_JSON_OBJECT) {
        return false;
    }
    if (left == MR_JSON_STRING) {
        return mr_text_equal (a->text, b->text);
    }
    return left != MR_JSON_NUMBER || mr_number_compare (a->number, b->number) == 0;
}

/* Whether a stands to b as `op` says; false when they have no order. */
static bool
ordered (mr_expr_op_t op, const cell_t *a, const cell_t *b)
{
    int order;
    if (a->type == MR_JSON_NUMBER && b->type == MR_JSON_NUMBER) {
        order = mr_number_compare (a->number, b->number);
    } else if (a->type == MR_JSON_STRING && b->type == MR_JSON_STRING) {
        order = mr_text_compare (a->text, b->text);
    } else {
        return false;
    }
    if (op == MR_EXPR_LT) {
        return order < 0;
    }
    if (op == MR_EXPR_LE) {
        return order <= 0;
    }
    return op == MR_EXPR_GT ? order > 0 : order >= 0;
}

static bool
is_in (const eval_t *eval, const mr_expr_node_t *node)
{
    cell_t left = load (eval, node->a);
    for (uint32_t i = 0; i < node->c; i++) {
        cell_t right = load (eval, node->b + i);
        if (equal (&left, &right)) {
            return true;
        }
    }
    return false;
}

/* `path == "text"`, by far the most common test, without loading cells. */
static bool
equals_string (const eval_t *eval, const mr_path_t *path, mr_text_t string)
{
    mr_json_value_t value;
    return mr_path_find (path, eval->fields, eval->count, &value) && value.type == MR_JSON_STRING &&
           mr_text_equal (mr_text_of_value (&value), string);
}

static bool
compare (const eval_t *eval, const mr_expr_node_t *node)
{
    const mr_expr_operand_t *left = &eval->expr->operands[node->a];
    const mr_expr_operand_t *right = &eval->expr->operands[node->b];
    if (node->op <= MR_EXPR_NE && left->path != NULL && right->path == NULL &&
        right->type == MR_JSON_STRING) {
        return equals_string (eval, left->path, right->text) == (node->op == MR_EXPR_EQ);
    }
    cell_t a = load (eval, node->a);
    cell_t b = load (eval, node->b);
    mr_expr_op_t op = (mr_expr_op_t)node->op;
    if (op == MR_EXPR_EQ || op == MR_EXPR_NE) {
        return equal (&a, &b) == (op == MR_EXPR_EQ);
    }
    return ordered (op, &a, &b);
}

static bool
eval_node (const eval_t *eval, uint32_t index)
{
    for (;;) {
        const mr_expr_node_t *node = &eval->expr->nodes[index];
        switch ((mr_expr_op_t)node->op) {
        case MR_EXPR_AND:
            if (!eval_node (eval, node->a)) {
                return false;
            }
            index = node->b;
            continue;
        case MR_EXPR_OR:
            if (eval_node (eval, node->a)) {
                return true;
            }
            index = node->b;
            continue;
        case MR_EXPR_NOT:
            return !eval_node (eval, node->a);
        case MR_EXPR_TRUE:
            return load (eval, node->a).type == MR_JSON_TRUE;
        case MR_EXPR_EXISTS:
            return load (eval, node->a).type != MISSING;
        case MR_EXPR_EQ:
        case MR_EXPR_NE:
        case MR_EXPR_LT:
        case MR_EXPR_LE:
        case MR_EXPR_GT:
        case MR_EXPR_GE:
            return compare (eval, node);
        case MR_EXPR_IN:
            return is_in (eval, node);
        case MR_EXPR_NOT_IN:
            return !is_in (eval, node);
        }
    }
}

bool
mr_expr_eval (const mr_expr_t *self, const mr_json_field_t *fields, uint32_t count)
{
    eval_t eval = {.expr = self, .fields = fields, .count = count};
    return eval_node (&eval, self->root);
}
