/* Codes of a matrix as the product that takes it as an operand sees them (products/products.h):
 * rows of blocks along the sum. */
#ifndef AG_KERNELS_CODES_H
#define AG_KERNELS_CODES_H

#include "kernels_internal.h"

typedef struct ag_code_shape {
    size_t rows, K;   /* of the product's operand */
    size_t block;     /* k of a block, but the last */
    size_t blocks;    /* of a row */
    size_t depth;     /* words of a block */
    size_t row_words; /* of a row */
    bool across;
} ag_code_shape;

ag_code_shape ag_code_shape_of(const ag_groups *groups, ag_sum sum);

/* The unit of the block that holds an element of the matrix. */
static inline size_t ag_code_unit_at(const ag_groups *groups, ag_sum sum, size_t row, size_t col)
{
    return sum == AG_SUM_ROWS ? row / groups->height * groups->cols + col
                              : row * groups->across + col / groups->width;
}

/* All units, from the scales and the format's smallest step. */
void ag_codes_set_units(const ag_codes *out, const ag_groups *groups, ag_sum sum,
                        const ag_scales *scales, float step);

/* Blocks with a value that is no finite number become codes of 0 and a unit of NaN, which the unit
 * of a block already is where a code could not be found. */
void ag_codes_clear_bad(const ag_codes *out, const ag_code_shape *shape, const ag_format *format);

#endif
