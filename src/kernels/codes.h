/* Codes of a matrix as the product that takes it as an operand sees them (products/products.h):
 * rows of blocks along the sum. */
#ifndef AG_KERNELS_CODES_H
#define AG_KERNELS_CODES_H

#include "kernels_internal.h"

typedef struct ag_code_shape {
    size_t rows, K;   /* of the product's operand */
    size_t block;     /* k of a block, but the last: a group's, or ag_code_block of one scale's */
    size_t blocks;    /* of a row */
    size_t depth;     /* words of a block */
    size_t row_words; /* of a row */
    bool across;
} ag_code_shape;

ag_code_shape ag_code_shape_of(const ag_scheme *scheme, const ag_groups *groups, ag_sum sum);

/* The unit of the block that holds element k of a row. */
static inline size_t ag_code_unit_at(const ag_code_shape *s, size_t row, size_t k)
{
    return s->across ? k / s->block * s->rows + row : row * s->blocks + k / s->block;
}

/* The word of a row that holds element k. */
static inline size_t ag_code_word_at(const ag_code_shape *s, size_t k)
{
    return k / s->block * s->depth + k % s->block / 4;
}

/* All units, from the scales and the format's smallest step. */
void ag_codes_set_units(const ag_codes *out, const ag_code_shape *shape, const ag_groups *groups,
                        const ag_scales *scales, float step);

/* Blocks with a value that is no finite number become codes of 0 and a unit of NaN, which the unit
 * of a block already is where a code could not be found. */
void ag_codes_clear_bad(const ag_codes *out, const ag_code_shape *shape, const ag_format *format);

#endif
