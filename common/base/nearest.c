/* The word that a user probably meant: edit distance with swaps of neighbours. */
#include "common/base/option.h"

#include <string.h>

enum { WORD_MAX_BYTES = 48 };

static size_t
least (size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap neighbours) from a to b; both at most WORD_MAX_BYTES. */
static size_t
distance (const char *a, const char *b)
{
    size_t rows[3][WORD_MAX_BYTES + 1];
    size_t a_bytes = strlen (a);
    size_t b_bytes = strlen (b);
    for (size_t j = 0; j <= b_bytes; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_bytes; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_bytes; j++) {
            size_t replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least (replaced, 1 + least (above[j], row[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = least (row[j], rows[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return rows[a_bytes % 3][b_bytes];
}

const char *
mr_option_nearest (const char *word, const char *const *candidates)
{
    size_t bytes = strlen (word);
    if (bytes > WORD_MAX_BYTES) {
        return NULL;
    }
    const char *nearest = NULL;
    size_t best = bytes / 3 + 1;
    for (; *candidates != NULL; candidates++) {
        if (strlen (*candidates) <= WORD_MAX_BYTES) {
            size_t edits = distance (word, *candidates);
            if (edits < best) {
                best = edits;
                nearest = *candidates;
            }
        }
    }
    return nearest;
}
