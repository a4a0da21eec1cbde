/* A product of two operands. */
#ifndef AG_TRAIN_OPERAND_WORDS_H
#define AG_TRAIN_OPERAND_WORDS_H

#include "operand.h"

/* The values of an operand as a product sees them: [rows, K], or [K, rows] where `across`. */
typedef struct ag_operand_view {
    const ag_operand *operand;
    const float *values;
    bool across;
} ag_operand_view;

/* Room for an operand's words, one for each element at most, and for the units of its codes. */
typedef struct ag_operand_room {
    uint32_t *words;
    float *units;
} ag_operand_room;

/* Whether the scheme's values are codes: small integers times a scale for each block along the sum
 * (products/products.h). */
bool ag_scheme_has_codes(const ag_scheme *scheme);

/* The product, whose operands are a and b: c, M, N, K and finish are set. room: one for each. */
void ag_multiply_operands(const ag_kernels *k, ag_product product, const ag_operand_view *a,
                          const ag_operand_view *b, const ag_operand_room room[2]);

#endif
